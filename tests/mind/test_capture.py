"""Capture: a state read from a document, as a file, continues as if the document had been read."""

from __future__ import annotations

import pytest
import torch

from prism import Prism, PrismConfig
from prism.data.tokens import ByteTokenizer
from prism.mind import capture as capturing
from prism.model.generation.decode import model_step
from prism.model.generation.text import GREEDY, stream_text

TEXT = "The capital of Freedonia is Fredville. " * 20


def small(seed: int = 0) -> Prism:
    config = PrismConfig(vocab_size=257, d_model=32, num_layers=2, num_rates=4, seed=seed)
    return Prism(config).double().eval()


def test_a_state_from_a_file_continues_as_the_document_itself(tmp_path):
    model, tokenizer, path = small(), ByteTokenizer(), tmp_path / "notes.state"
    captured = capturing.capture(model, tokenizer, TEXT)
    capturing.save(captured, path, model, "notes.txt")
    state = capturing.load(path, model)
    more = "".join(capturing.continued(model, tokenizer, state, "It is", 12, GREEDY))
    whole = stream_text(model_step(model), tokenizer, TEXT + "It is", 12, GREEDY)
    assert captured.tokens == len(TEXT) and more == "".join(text for text, _, _ in whole)


def test_its_size_does_not_depend_on_the_document(tmp_path):
    model, tokenizer = small(), ByteTokenizer()
    long = capturing.capture(model, tokenizer, TEXT).state
    assert capturing.capture(model, tokenizer, TEXT[:40]).state.nbytes == long.nbytes


def test_a_state_of_other_weights_is_refused(tmp_path):
    path = tmp_path / "notes.state"
    model = small()
    capturing.save(capturing.capture(model, ByteTokenizer(), TEXT), path, model, "notes.txt")
    with pytest.raises(ValueError, match="was captured with other weights than this model's"):
        capturing.load(path, small(seed=1))


def test_a_document_without_a_token_is_refused():
    with pytest.raises(ValueError, match="the document holds no token"), torch.no_grad():
        capturing.capture(small(), ByteTokenizer(), "")
