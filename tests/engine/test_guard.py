"""A step that is not finite is not taken, and the lane behind it is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.engine.loop.guard import RECENT, WINDOW, DivergedError, Outliers
from prism.engine.store import folder
from tests.engine.fakes import VOCAB, RaggedFeed, Ranks, fit, small, small_trainer, whole


class PoisonedFeed(RaggedFeed):
    """Row ``lane`` of step ``when`` begins with the last token, which no other row holds."""

    def __init__(self, inner: RaggedFeed, lane: int, when: int) -> None:
        super().__init__(inner.mine, inner.length)
        self.lane, self.when = lane, when

    def next(self) -> Any:
        batch = super().next()
        batch.tokens[batch.tokens == VOCAB - 1] = 0
        batch.targets[batch.targets == VOCAB - 1] = 0
        if self.step == self.when and self.lane in self.mine:
            row = self.mine.index(self.lane)
            batch.tokens[row, 0], batch.targets[row, 0] = VOCAB - 1, 0
        return batch


def diverge(run: Path, kind: str) -> tuple[str, int, bool]:
    """Poison lane 2 at step 5; the message, the step reached, whether the weights are unharmed."""
    s = small(save_every=2, set=("d_model=16", "num_layers=1", "num_rates=4", "chunk_size=8"))
    with small_trainer(s, run) as t:
        object.__setattr__(t.spec, "feed", PoisonedFeed(t.spec.feed, 2, 5))  # type: ignore[arg-type]

        hit: list[torch.Tensor] = []

        def watch(module: torch.nn.Module, args: Any, output: torch.Tensor) -> None:
            if args[0].dim() > 2:  # what a lookup found
                return
            hit[:] = [(args[0] == VOCAB - 1)[..., None]]
            if kind == "gradient" and output.requires_grad:
                output.register_hook(lambda g, here=hit[0]: g.masked_fill(here, torch.inf))

        def poison(module: torch.nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
            return output.masked_fill(hit[0], torch.nan) if kind == "loss" else output

        t.model.embedding.register_forward_hook(watch)
        t.model.last_norm.register_forward_hook(poison)
        with pytest.raises(DivergedError) as raised:
            fit(t)
        finite = all(x.isfinite().all() for x in whole(t._tensors()).values())
        return str(raised.value), t.step, finite


@pytest.mark.parametrize("kind", ["loss", "gradient"])
def test_it_stops_before_the_step_and_names_lane_and_source(kind: str, tmp_path: Path) -> None:
    message, step, finite = diverge(tmp_path, kind)
    assert message == f"step 5: the {kind} is not finite in row stream 2 (source 2)"
    assert (step, finite) == (4, True)
    assert folder.newest(tmp_path).name == "step-00000004"


def test_all_ranks_stop_when_one_diverges(pair: Ranks, tmp_path: Path) -> None:
    for message, step, finite in pair.run(diverge, tmp_path, tmp_path, "loss"):
        assert message == "step 5: the loss is not finite in row stream 2 (source 2)"
        assert (step, finite) == (4, True)


@given(st.lists(st.floats(0.9, 1.1), min_size=RECENT, max_size=2 * WINDOW))
def test_outliers_are_judged_by_the_last_norms(norms: list[float]) -> None:
    outliers = Outliers(10.0)
    assert not outliers.is_outlier(1e9)  # too little is known
    outliers.history.clear()
    for norm in norms:
        outliers.history.append(norm)
    assert len(outliers.history) == min(len(norms), WINDOW)
    assert outliers.is_outlier(100.0)
    assert outliers.history[-1] == 100.0
    assert not Outliers(0.0, outliers.history).is_outlier(100.0)


@given(
    seed=st.integers(0, 2**32 - 1),
    spread=st.floats(0.0, 0.1),
    factor=st.floats(1.01, 1e4),
    steps=st.integers(RECENT, 3 * WINDOW),
)
def test_a_new_level_is_learned_after_a_few_skipped_steps(
    seed: int, spread: float, factor: float, steps: int
) -> None:
    """Skipping ends, whatever the height of the new level; the trained share recovers."""
    rng = np.random.default_rng(seed)
    outliers = Outliers(6.0)
    for norm in 1 + spread * rng.uniform(-1, 1, steps):
        outliers.is_outlier(float(norm))
    later = factor * (1 + spread * rng.uniform(-1, 1, 300))
    skipped = [outliers.is_outlier(float(norm)) for norm in later]
    assert sum(skipped[RECENT:]) == 0
    assert sum(skipped) <= RECENT // 2 + 2


def test_a_step_up_in_the_norms_does_not_skip_the_rest_of_the_run() -> None:
    """The case of a run: 1,000 of 1,000 steps were skipped."""
    rng = np.random.default_rng(0)
    outliers = Outliers(6.0, rng.normal(1.0, 0.02, 200).tolist())
    skipped = [outliers.is_outlier(x) for x in rng.normal(1.3, 0.02, 1000).tolist()]
    assert 1 <= sum(skipped) <= 10


@given(seed=st.integers(0, 2**32 - 1), apart=st.integers(4, 50), height=st.floats(3.0, 1e6))
def test_single_spikes_are_all_skipped_and_blind_nobody(
    seed: int, apart: int, height: float
) -> None:
    rng = np.random.default_rng(seed)
    outliers = Outliers(6.0, (1 + 0.05 * rng.uniform(-1, 1, WINDOW)).tolist())
    for step in range(200):
        spike = step % apart == 0
        norm = height if spike else float(1 + 0.05 * rng.uniform(-1, 1))
        assert outliers.is_outlier(norm) == spike


def test_the_judgement_goes_on_after_a_resume() -> None:
    """The saved norms are all that it depends on."""
    norms = np.random.default_rng(3).lognormal(0.0, 0.6, 300).tolist()
    whole, halved = Outliers(2.0), Outliers(2.0)
    expected = [whole.is_outlier(x) for x in norms]
    first = [halved.is_outlier(x) for x in norms[:150]]
    again = Outliers(2.0, list(halved.history))
    assert first + [again.is_outlier(x) for x in norms[150:]] == expected
    assert any(expected)


def test_an_outlier_step_is_skipped_and_counted(tmp_path: Path) -> None:
    with small_trainer(small(skip_outliers=1.0, steps=3), tmp_path) as t:
        t.outliers.history.extend([1e-9 + 1e-12 * i for i in range(RECENT)])
        before = whole(t._tensors())
        records = fit(t)
        after = whole(t._tensors())
    assert [r["skipped"] for r in records if "loss" in r] == [1, 1, 1]
    assert t.step == 3
    assert all(torch.equal(before[k], after[k]) for k in before)
