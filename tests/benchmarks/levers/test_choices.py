"""Noise, token selection and curricula do what their definitions say."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.levers.curriculum import (
    ANNEALED,
    CONSTANT,
    COST,
    SIZES,
    SKILL,
    SPREAD,
    above_constant,
    affordable,
    chosen,
    curriculum,
    divided,
)
from benchmarks.levers.loop import token_losses
from benchmarks.levers.selection import excess, noisy, recycling
from benchmarks.levers.text import VOCABULARY, Text, config
from prism import Prism, PrismConfig
from prism.data import RowBatch
from prism.data.document import IGNORE
from tests.benchmarks.fakes import batch


def long_batch() -> RowBatch:
    tokens = torch.randint(256, (8, 512), generator=torch.Generator().manual_seed(0))
    targets = torch.cat([tokens[:, 1:], tokens[:, :1]], dim=1)
    zeros = torch.zeros_like(tokens)
    return RowBatch(tokens, targets, zeros, ["text"] * 8, torch.full((8,), 512))


@given(st.sampled_from([0.1, 0.3, 0.5]), st.sampled_from([4, 16]), st.integers(0, 2**64 - 1))
def test_noise_has_its_share_and_comes_in_spans(share: float, span: int, seed: int) -> None:
    clean = long_batch()
    hit = noisy(clean, share, span, seed).tokens != clean.tokens
    assert hit.float().mean().item() == pytest.approx(share, abs=0.12)
    begins = (hit[:, 1:] & ~hit[:, :-1]).sum().item()
    assert hit.sum().item() / max(begins, 1) > span / 2


def test_a_noisy_byte_is_the_same_as_input_and_as_target() -> None:
    clean = batch(0)
    dirty = noisy(clean, 0.5, 4, 1)
    scored = dirty.targets[:, :-1] != IGNORE
    assert torch.equal(dirty.targets[:, :-1][scored], dirty.tokens[:, 1:][scored])
    assert torch.equal(dirty.targets == IGNORE, clean.targets == IGNORE)
    ends = clean.tokens == VOCABULARY - 1
    assert torch.equal(dirty.tokens[ends], clean.tokens[ends])
    assert torch.equal(noisy(clean, 0.5, 4, 1).tokens, dirty.tokens)


def test_choosing_keeps_the_share_with_the_largest_excess_and_the_size_of_the_loss() -> None:
    rows, reference = batch(0), Prism(PrismConfig.from_dict(config(8, 1)))
    losses = torch.rand(rows.targets.shape, generator=torch.Generator().manual_seed(0))
    valid = rows.targets != IGNORE
    losses[~valid] = 0.0
    weights = excess(reference, 0.25)(losses, rows)
    assert (weights > 0).sum().item() == round(0.25 * valid.sum().item())
    assert weights.sum().item() == pytest.approx(valid.sum().item())
    with torch.no_grad():
        logits = reference(rows.tokens, segment_ids=rows.segment_ids).logits
    gap = losses - token_losses(logits, rows.targets)
    assert gap[weights > 0].min() >= gap[valid & (weights == 0)].max()


def test_recycling_weighs_every_target_the_same_before_it_has_seen_any() -> None:
    rows, weigh = batch(0), recycling()
    valid = rows.targets != IGNORE
    losses = torch.rand(valid.shape) * valid
    assert torch.equal(weigh(losses, rows), valid.float())
    assert weigh(losses, rows).std() > 0


def test_spread_reads_as_much_of_the_skill_as_annealed() -> None:
    sizes = SIZES["full"]
    read = {
        arm: curriculum(arm, 0.4, sizes).tokens(0, sizes.steps, sizes.steps)[SKILL]
        for arm in (CONSTANT, SPREAD, ANNEALED)
    }
    assert read[SPREAD] == pytest.approx(read[ANNEALED], rel=1e-3)
    assert read[CONSTANT] == pytest.approx(sizes.share * sizes.steps)
    before, after = 1 - sizes.decay_share - 0.01, 1 - sizes.decay_share + 0.01
    course = curriculum(ANNEALED, 0.4, sizes)
    assert course.weights(before)[SKILL] == pytest.approx(sizes.share)
    assert course.weights(after)[SKILL] == pytest.approx(0.4)


def tried(arm: str, seed: int, elsewhere: float, **more: float) -> dict[str, object]:
    row = {"phase": "share", "arm": arm, "seed": seed, "lr": 0.01}
    return row | {"domains": {"elsewhere": elsewhere}} | more


def test_a_share_costs_what_it_takes_from_the_rest_on_average_over_tuning_seeds() -> None:
    rows = [tried(CONSTANT, 1, 2.0), tried(CONSTANT, 2, 2.5)]
    rows += [tried(ANNEALED, 1, 2.03, annealed=0.5), tried(ANNEALED, 2, 2.51, annealed=0.5)]
    rows += [tried(ANNEALED, 1, 1.99, annealed=0.2), tried(ANNEALED, 2, 2.51, annealed=0.2)]
    rows.append({**tried(ANNEALED, 1, 9.0, annealed=0.2), "phase": "final"})
    found = above_constant(rows, "elsewhere")
    assert list(found) == [0.2, 0.5]
    assert found == {0.2: pytest.approx(0.0), 0.5: pytest.approx(0.02)}
    rows.append(tried(CONSTANT, 1, 1.0, lr=0.02))
    with pytest.raises(ValueError, match="runs of constant at rates"):
        above_constant(rows, "elsewhere")


@pytest.mark.parametrize(
    ("costs", "taken"),
    [
        ({0.2: 0.0, 0.3: COST, 0.5: 2 * COST}, 0.3),
        ({0.2: 2 * COST, 0.3: 0.0, 0.5: 3 * COST}, 0.3),
        ({0.2: 3 * COST, 0.3: 2 * COST}, 0.2),
    ],
)
def test_the_largest_share_that_can_be_afforded_is_taken(
    costs: dict[float, float], taken: float
) -> None:
    assert affordable(costs) == taken


def test_rows_are_taken_whole_from_the_one_or_the_other() -> None:
    first, second = batch(0), batch(1)
    mixed = chosen(first, second, torch.tensor([True, False, True]))
    for name in ("tokens", "targets", "segment_ids"):
        for row, source in enumerate((first, second, first)):
            assert torch.equal(getattr(mixed, name)[row], getattr(source, name)[row])


def test_a_curriculum_of_one_source_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two"):
        divided(Text("pydoc", "pydoc"))
