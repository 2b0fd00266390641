"""Calibration finds a layer, heads and thresholds by itself, and is kept for this model only."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from prism.data.tokens import ByteTokenizer
from prism.inject import calibration
from prism.inject.calibration import calibrate, choose_heads, fingerprint, load, save
from prism.inject.probes import PROBES, ProbeStates, calibration_text
from prism.inject.relation_space import Prototypes
from tests.inject import tiny


@pytest.fixture(scope="module")
def model():
    return tiny.llama()


@pytest.fixture(scope="module")
def found(model):
    return calibrate(model, ByteTokenizer(), calibration_text()[:2000], subjects=1)


def test_everything_is_found_and_no_gradient_is_left(found, model):
    assert set(found.layers) <= {0, 1}
    width = 32 * len(found.layers)
    assert found.competitors.shape == (len(PROBES), width)
    assert found.named.shape == (len(found.named_relation), width)
    assert 1 <= len(set(found.heads)) == len(found.heads) <= 4
    assert found.share > 0
    assert all(p.grad is None for p in model.parameters())


def test_a_model_without_attention_has_no_heads_to_choose(found):
    none = ProbeStates([], torch.zeros(0, 0, 0), torch.zeros(0), torch.zeros(0), [], [])
    assert choose_heads(none, []) == ([], 0.0)


def test_heads_that_look_at_the_subject_asked_about_are_chosen():
    torch.manual_seed(0)
    weights = [torch.rand(9, 12) * 0.05 for _ in range(20)]
    for w in weights:
        w[7, 3:5] = 0.4  # one head looks at tokens 3 and 4, the subject asked about
    spans = [((3, 5), (8, 10))] * 20
    states = ProbeStates([], torch.zeros(0, 0, 0), torch.zeros(0), torch.zeros(0), weights, spans)
    every = [(0, h) for h in range(9)]
    heads, share = choose_heads(states, every)
    assert heads == [(0, 7)]  # any other would only blur it
    assert 0 < share <= 2


def test_the_threshold_is_above_unrelated_text(found):
    vectors = torch.nn.functional.normalize(torch.randn(3, found.text.shape[1]), dim=-1)
    bound = Prototypes(vectors, torch.arange(3))
    level = found.threshold(bound, found.competitors[:0])
    seen = bound.nearness(found.text.float()).amax(dim=-1)
    assert (seen > level).float().mean() <= 0.01


def test_sentences_about_a_bound_relation_do_not_raise_the_threshold(found):
    vectors = torch.nn.functional.normalize(torch.randn(2, found.text.shape[1]), dim=-1)
    near = vectors[:1].repeat(20, 1).half()
    loud = replace(found, named=near, named_relation=torch.zeros(20, dtype=torch.long), floor=-1)
    none = found.competitors[:0]
    bound = Prototypes(vectors, torch.arange(2))
    mine = replace(loud, competitors=vectors[:1])
    strange = replace(loud, competitors=torch.nn.functional.normalize(-vectors[:1], dim=-1))
    assert mine.threshold(bound, none) < 0.9 < strange.threshold(bound, none)


def test_a_kept_calibration_is_the_same(found, tmp_path):
    save(found, tmp_path / "a.safetensors")
    again = load(tmp_path / "a.safetensors")
    for name in ("layers", "heads", "floor", "spoken", "share"):
        assert getattr(again, name) == getattr(found, name)
    for name in ("competitors", "text", "named", "named_relation"):
        assert torch.equal(getattr(again, name), getattr(found, name))
    assert torch.equal(again.space.mean, found.space.mean)
    assert torch.equal(again.space.whiten, found.space.whiten)


def test_a_second_call_reads_the_file(model, found, tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "calibrate", lambda *_, **__: found)
    lm = tiny.attached(model)
    lm.calibrate("some text", cache=tmp_path)
    monkeypatch.setattr(calibration, "calibrate", None)
    lm.calibrate("some text", cache=tmp_path)
    assert lm.knowledge.calibration.layers == found.layers


def test_another_model_or_text_has_another_file(model):
    assert fingerprint(model, "a") != fingerprint(model, "b")
    assert fingerprint(model, "a") != fingerprint(tiny.llama(seed=1), "a")


def test_a_foreign_file_is_refused_in_one_line(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="not a safetensors file") as error:
        load(path)
    assert "\n" not in str(error.value)


def test_too_little_text_is_refused(model):
    with pytest.raises(ValueError, match="must have at least"):
        calibrate(model, ByteTokenizer(), "short", subjects=1)
