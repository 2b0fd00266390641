"""Pairs as earlier turns of the chat: what fits is read, and only that."""

import torch

from prism.data.tokens import ByteTokenizer
from prism.mind.respond import CHAT
from prism.studies.mind import taught
from tests.inject.tiny import llama

PAIRS = [("How wide is it?", "Nine feet"), ("How old is it?", "Ten years")]


def test_the_pairs_are_read_as_turns_before_the_question():
    model = llama()
    model_taught = taught.Prompted((model, ByteTokenizer()), PAIRS)
    assert model_taught.read == 2
    turns = "".join(taught.TURN.format(question=q, output=a) for q, a in PAIRS)
    assert turns.endswith("Ten years<|im_end|>\n")
    tokens = ByteTokenizer().encode(turns)
    assert model_taught.state.length == len(tokens)
    asked = ByteTokenizer().encode(CHAT.format(question="How deep is it?"))
    with torch.no_grad():
        whole = model(torch.tensor([tokens + asked])).logits[0, -1]
        continued = model(torch.tensor([asked]), state=model_taught.state).logits[0, -1]
    torch.testing.assert_close(continued, whole, atol=1e-4, rtol=0)


def test_pairs_beyond_the_context_are_left_out(monkeypatch):
    one = len(ByteTokenizer().encode(taught.TURN.format(question=PAIRS[0][0], output="Nine feet")))
    monkeypatch.setattr(taught, "CONTEXT", one + taught.ROOM)
    assert taught.Prompted((llama(), ByteTokenizer()), PAIRS).read == 1


def test_a_reply_ends_with_its_turn(monkeypatch):
    def stream(step, tokenizer, prompt, most, sampling):
        yield from ((text, 0, False) for text in (" Nine", " feet<|im_", "end|>\n", "more"))

    monkeypatch.setattr(taught, "stream_text", stream)
    assert taught.Prompted((llama(), ByteTokenizer()), ()).reply("How wide?") == "Nine feet"
