"""``facts_for``: a tape in text, read in token ids by a model with ``holo_mode``, always live."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import prism
from prism import HoloTape, Prism, PrismConfig
from prism.data.tokens import ByteTokenizer
from prism.inject import StoreFacts
from prism.model.holo_read import RELATION, SUBJECT
from prism.ops.rolling import fact_key

TOKENS = ByteTokenizer()


@pytest.fixture
def tape() -> HoloTape:
    tape = HoloTape.plan(facts=100)
    tape.bind("capital of Freedonia", "Fredville", source="atlas")
    return tape


def read(facts: StoreFacts, subject: str, relation: str) -> str | None:
    """The answer as the model would read it; None = refused."""
    key, text = fact_key(TOKENS.encode(subject), TOKENS.encode(relation)), bytearray()
    for place in range(30):
        said = facts.read_tokens(torch.tensor([key]), torch.tensor([place]))
        if float(said.doubt) >= 1:
            return text.decode() or None
        text.append(int(said.tokens))
    return text.decode()


def test_the_answer_comes_out_byte_by_byte_with_its_full_stop(tape):
    facts = prism.facts_for(tape, TOKENS, 256)
    assert read(facts, "Freedonia", "capital") == "Fredville."
    assert read(facts, "Elbonia", "capital") is None
    assert facts.skipped == []


def test_the_view_is_live(tape):
    facts = prism.facts_for(tape, TOKENS, 256)
    tape.bind("The capital of Elbonia", "Mudtown")
    tape.update("capital of Freedonia", "Newtown")
    assert read(facts, "Elbonia", "capital") == "Mudtown."
    assert read(facts, "Freedonia", "capital") == "Newtown."
    tape.forget("The capital of Elbonia")
    tape.forget("capital of Freedonia")
    assert read(facts, "Elbonia", "capital") is None
    assert not facts.facts.tape.H.any()


def test_the_view_grows_with_the_tape():
    tape = HoloTape.plan(facts=2_000)
    facts = prism.facts_for(tape, TOKENS, 256)
    banks = facts.facts.tape.config.banks
    tape.bind_many([f"sign of X{i}" for i in range(1500)], [f"s{i}" for i in range(1500)])
    assert all(read(facts, f"X{i}", "sign") == f"s{i}." for i in range(0, 1500, 50))
    assert facts.facts.tape.config.banks > banks
    assert facts.skipped == []


def test_what_cannot_be_read_is_listed(tape):
    tape.bind("Freedonia is ruled by", "Rufus")
    tape.bind("flag of Freedonia", "\u00e9toile")
    facts = prism.facts_for(tape, TOKENS, 128)
    found = dict(facts.skipped)
    assert "must be of the form 'RELATION of SUBJECT'" in found["Freedonia is ruled by"]
    assert found["flag of Freedonia"] == (
        "token id 195 of '\u00e9toile': must be below vocab_size = 128"
    )
    assert read(facts, "Freedonia", "capital") == "Fredville."


class Marked(nn.Module):
    """Stands for what training teaches: which bytes are the relation and the subject, and that the
    last one asks."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 16))
        self.scores = torch.zeros(1, len(text), 4)
        for part, name in ((SUBJECT, "Freedonia"), (RELATION, "capital")):
            at = text.index(name)
            self.scores[0, at : at + len(name), part] = 1.0
        self.scores[0, -1, 3] = 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scores


def test_a_model_reads_the_tape_and_follows_its_changes(tape):
    text = "capital of Freedonia is"
    model = Prism(PrismConfig(vocab_size=256, d_model=16, num_layers=1, holo_mode=True)).eval()
    model.holo.roles = Marked(text)
    tokens, facts = torch.tensor([TOKENS.encode(text)]), prism.facts_for(tape, TOKENS, 256)
    bare = model(tokens).logits
    logits = model(tokens, facts=facts).logits
    assert torch.equal(logits[:, :-1], bare[:, :-1])
    assert chr(int(logits[0, -1].argmax())) == "F"
    tape.update("capital of Freedonia", "Newtown")
    assert chr(int(model(tokens, facts=facts).logits[0, -1].argmax())) == "N"
    tape.forget("capital of Freedonia")
    assert torch.equal(model(tokens, facts=facts).logits, bare)


@pytest.mark.parametrize(
    ("bad", "error", "says"),
    [
        (lambda t: prism.facts_for(HoloTape(64, ledger=False), TOKENS, 256), ValueError, "ledger"),
        (lambda t: prism.facts_for(t, TOKENS, 30), ValueError, "stop = 46: must be a token id"),
    ],
)
def test_bad_arguments_are_named(tape, bad, error, says):
    with pytest.raises(error, match=says):
        bad(tape)
