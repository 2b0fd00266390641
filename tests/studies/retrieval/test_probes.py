"""The probes measure what theory says, and the old headline figure needs no model."""

from __future__ import annotations

import math

import pytest

from prism import Prism, PrismConfig
from prism.studies.retrieval import probes


def test_unbinding_finds_one_over_the_root_of_the_number_of_facts(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(probes, "TRIALS", 2)
    for probe in probes.vsa(dim=4096, seed=0):
        assert probe.measured == pytest.approx(probe.theory, abs=0.03)
        assert probe.control == pytest.approx(0, abs=0.03)


def test_the_specificity_of_eight_random_vectors_is_the_old_headline():
    eight = next(p for p in probes.vector_specificity(4096, 0) if "N = 8," in p.setting)
    assert eight.theory == pytest.approx(0.3536, abs=1e-4) == 1 / math.sqrt(8)
    assert eight.measured == pytest.approx(0.355, abs=0.01)


def test_capacity_is_within_three_standard_errors_of_theory():
    for probe in probes.vector_capacity(dim=1024, seed=0):
        cases = probes.TRIALS * int(probe.setting.split("N = ")[1].split(",")[0])
        for found, wanted in ((probe.measured, probe.theory), (probe.control, probe.expected)):
            assert abs(found - wanted) <= 3.5 * math.sqrt(wanted * (1 - wanted) / cases) + 1e-9


def test_a_trained_model_is_asked_end_to_end(asker: Prism, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(probes, "FACTS", 10)
    monkeypatch.setattr(probes, "TAPE_DIM", 8192)
    monkeypatch.setattr(probes, "CAPACITY_FACTS", (5, 300))
    monkeypatch.setattr(probes, "CAPACITY_DIM", 2048)
    (bound,) = probes.model_specificity(asker, 0)
    assert bound.measured > 0.5
    assert bound.theory > 0.99
    assert bound.control == 0
    few, many = probes.model_capacity(asker, 0)
    assert few.measured > 0.5
    assert few.theory > 0.9
    assert many.measured < 0.2
    assert many.theory < 0.1


def test_a_checkpoint_that_cannot_ask_is_refused(tmp_path):
    Prism(PrismConfig(vocab_size=9, d_model=16, num_layers=1)).save(tmp_path)
    with pytest.raises(ValueError, match=r"must be a model of prism\.run_holo_train"):
        probes.trained(tmp_path)
