"""A model speaks the resolved answer alone; without one its logits are its own, bit for bit."""

from __future__ import annotations

import pytest
import torch

from prism.data.tokens import ByteTokenizer
from prism.mind import KnowledgeBase, Mind
from prism.mind.respond import PLAIN, Speaker
from prism.pretrained import smollm2
from prism.record import weights_hash
from tests.inject import tiny


@pytest.fixture(params=[tiny.llama, tiny.prism], ids=["llama", "prism"])
def speaker(request: pytest.FixtureRequest) -> Speaker:
    return Speaker(request.param(), ByteTokenizer())


def test_the_answer_opens_the_reply_and_only_it_is_marked_as_a_fact(speaker):
    pieces = list(speaker.say("Who is the mayor of Fredville?", "Boris Kalten"))
    facts = "".join(p.text for p in pieces if p.fact)
    assert facts == " Boris Kalten"
    assert [p.fact for p in pieces] == sorted((p.fact for p in pieces), reverse=True)


def test_the_register_is_empty_again_after_a_reply(speaker):
    list(speaker.say("Who is the mayor of Fredville?", "Boris Kalten"))
    assert not speaker.register.H.any()


def test_a_reply_that_is_cut_off_leaves_nothing_in_the_register(speaker):
    reply = speaker.say("Who?", "Boris Kalten")
    next(reply)
    reply.close()
    assert not speaker.register.H.any()


def test_where_nothing_is_recalled_the_logits_are_the_models_bit_for_bit(speaker):
    before = weights_hash(speaker.model.state_dict())
    text = "It rained all day and the river rose slowly. " * 4
    tokens = torch.tensor([speaker.tokenizer.encode(text)])
    state = bare = None
    for at in range(0, tokens.shape[1], 7):
        piece = tokens[:, at : at + 7]
        logits, state, fact = speaker.step(piece, state, None, at)
        with torch.no_grad():
            out = speaker.model(piece, state=bare)
        bare = out.state
        assert not fact and torch.equal(logits, out.logits[:, -1])
    assert weights_hash(speaker.model.state_dict()) == before


def test_a_reply_without_an_answer_is_the_models_own(speaker):
    question = "How are you?"
    own = "".join(p.text for p in speaker.say(question, None, 12))
    tokens, state, out = speaker.tokenizer.encode(PLAIN.format(question=question)), None, []
    reading = torch.tensor([tokens])
    for _ in range(12):
        with torch.no_grad():
            read = speaker.model(reading, state=state)
        state, token = read.state, int(read.logits[0, -1].argmax())
        out.append(token)
        reading = torch.tensor([[token]])
    said = speaker.tokenizer.decode(out)
    assert own and (own == said or own.startswith(said.split("\ufffd")[0]))


def test_a_mind_with_a_model_says_what_it_resolved(tmp_path):
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        kb.add("Fredville", "mayor", "Boris Kalten")
        mind = Mind(kb, model=(tiny.llama(), ByteTokenizer()))
        assert mind.reply("Who is the mayor of Fredville?").text.startswith("Boris Kalten")
        plain = Mind(kb)
        assert plain.reply("Who is the mayor of Fredville?").text == "Boris Kalten"
        assert "explains bishop" in plain.reply("Who is the bishop of Fredville?").text
        with pytest.raises(ValueError, match="model 'gpt'"):
            Mind(kb, model="gpt")


@pytest.mark.slow
@pytest.mark.skipif(not smollm2.available(), reason=smollm2.INSTALL)
def test_smollm2_says_what_was_resolved(tmp_path):
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        kb.add("Freedonia", "capital", "Fredville")
        kb.add("Freedonia", "currency", "crown")
        mind = Mind(kb, model="smollm2")
        reply = mind.reply("What is the currency of the country whose capital is Fredville?")
        assert reply.text.startswith("crown") and "Fredville" not in reply.text
