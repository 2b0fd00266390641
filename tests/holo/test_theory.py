"""The closed forms: limits that are known, and measurement within its sampling error."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from prism.holo.algebra.codes import hash_integers, sign_codes
from prism.holo.capacity.evolution import decodable, posterior_errors
from prism.holo.capacity.theory import (
    accuracy,
    banked_accuracy,
    facts_at,
    posteriors,
    quantile,
    tail,
)


def phi(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


@pytest.mark.parametrize(("dim", "facts"), [(64, 10), (256, 200), (1024, 33)])
def test_two_candidates_have_a_closed_form(dim: int, facts: int) -> None:
    expected = phi(math.sqrt(dim) / math.sqrt(2 * facts - 1))
    assert accuracy(dim, facts, 2) == pytest.approx(expected, abs=1e-9)


def test_the_published_capacities_come_out() -> None:
    # Frady, Kleyko & Sommer's integral at D = 8192; computed independently beforehand.
    assert abs(facts_at(0.99, 8192, 1_000) - 249) <= 1
    assert abs(facts_at(0.99, 8192, 10_000) - 206) <= 1
    assert abs(facts_at(0.999, 8192, 1_000) - 190) <= 1
    assert abs(facts_at(0.99, 1024, 1_000, banks=8) - 227) <= 2


def test_accuracy_falls_with_load_candidates_and_caution() -> None:
    assert accuracy(1024, 20, 100) > accuracy(1024, 30, 100) > accuracy(1024, 30, 1000)
    assert accuracy(1024, 30, 100) > accuracy(1024, 30, 100, 0.05) > accuracy(1024, 30, 100, 0.01)
    assert accuracy(1024, 1, 100, 0.01) == pytest.approx(1.0)
    assert accuracy(8, 500, 1000) == pytest.approx(1 / 1000, rel=0.6)


def test_uneven_banks_cost_a_little() -> None:
    even = accuracy(1024, 20, 1000)
    uneven = banked_accuracy(1024, 20 * 50, 1000, banks=50)
    assert even - 0.05 < uneven < even
    assert banked_accuracy(1024, 20, 1000, banks=1) == even


def test_facts_at_is_the_edge() -> None:
    for banks in (1, 7):
        edge = facts_at(0.95, 512, 100, banks, 0.01)
        assert banked_accuracy(512, edge, 100, banks, 0.01) >= 0.95
        assert banked_accuracy(512, edge + 1, 100, banks, 0.01) < 0.95
    assert facts_at(0.99, 4, 1000) == 0


@pytest.mark.parametrize("facts", [20, 40, 80])
@pytest.mark.parametrize("alpha", [1.0, 0.01])
def test_measurement_agrees_with_the_integral(facts: int, alpha: float) -> None:
    dim, size, rounds = 512, 100, 60
    right = 0
    for seed in range(rounds):
        keys = sign_codes(hash_integers(np.arange(facts), seed), dim).float()
        values = sign_codes(hash_integers(np.arange(size), seed + 1000), dim).float()
        held = torch.arange(facts) % size
        accumulator = (keys * values[held]).sum(0)
        best = ((keys * accumulator) @ values.T).max(-1)
        z = best.values / accumulator.norm()
        right += int(((best.indices == held) & (z > quantile(alpha, size))).sum())
    n, p = rounds * facts, accuracy(dim, facts, size, alpha)
    # Facts of one accumulator share its noise, so the error is a little above the binomial one.
    assert abs(right / n - p) < 4 * math.sqrt(p * (1 - p) / n) + 0.005


def test_the_threshold_is_passed_by_noise_with_probability_alpha() -> None:
    for size in (2, 1000, 65_536):
        for alpha in (0.5, 0.01, 1e-6):
            z = torch.tensor([quantile(alpha, size)], dtype=torch.float64)
            assert float(tail(z, size)) == pytest.approx(alpha, rel=1e-6)
    assert quantile(1.0, 10) == -math.inf


def test_posteriors_are_bayes_rule() -> None:
    scores, tau, known = torch.randn(5, 4, dtype=torch.float64), torch.rand(5).double() + 0.2, 0.7
    hit = torch.exp(-((1 - scores) ** 2) / (2 * tau[:, None] ** 2))
    miss = torch.exp(-(scores**2) / (2 * tau[:, None] ** 2))
    evidence = torch.stack(
        [
            known / 4 * hit[:, m] * miss[:, [j for j in range(4) if j != m]].prod(-1)
            for m in range(4)
        ],
        -1,
    )
    nothing = (1 - known) * miss.prod(-1)
    total = evidence.sum(-1) + nothing
    best, unknown = posteriors(scores.clone(), tau, known)
    assert torch.allclose(best, evidence.amax(-1) / total)
    assert torch.allclose(unknown, nothing / total)


def test_the_posterior_error_of_two_candidates_is_that_of_a_bit() -> None:
    # One bit under noise v: e = E[1 - sigmoid(1/v + sqrt(2/v) g)], one Gaussian g.
    grid, error = posterior_errors(2)
    g = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    weight = torch.exp(-g * g / 2)
    for v, e in list(zip(grid.tolist(), error.tolist(), strict=True))[::8]:
        expected = ((1 - torch.sigmoid(1 / v + math.sqrt(2 / v) * g)) * weight).sum() / weight.sum()
        assert e == pytest.approx(float(expected), abs=0.01)


def test_message_passing_decodes_several_times_what_the_filter_reads() -> None:
    # 1.49 and 1.40 bits per number, as state evolution computed independently gave.
    assert decodable(1000) * math.log2(1000) == pytest.approx(1.486, rel=0.01)
    assert decodable(10_000) * math.log2(10_000) == pytest.approx(1.40, rel=0.01)
    assert decodable(1000, layers=4) > 3 * decodable(1000)
