"""A step that is not finite is not taken, and the lane behind it is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.engine.loop.guard import FEWEST, WINDOW, DivergedError, Outliers
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


@given(st.lists(st.floats(0.9, 1.1), min_size=FEWEST, max_size=2 * WINDOW))
def test_outliers_are_judged_by_the_last_norms(norms: list[float]) -> None:
    outliers = Outliers(10.0)
    assert not outliers.is_outlier(1e9)  # too little is known
    outliers.history.clear()
    for norm in norms:
        outliers.history.append(norm)
    assert len(outliers.history) == min(len(norms), WINDOW)
    assert outliers.is_outlier(100.0)
    assert 100.0 not in outliers.history
    assert not Outliers(0.0, outliers.history).is_outlier(100.0)


def test_an_outlier_step_is_skipped_and_counted(tmp_path: Path) -> None:
    with small_trainer(small(skip_outliers=1.0, steps=3), tmp_path) as t:
        t.outliers.history.extend([1e-9 + 1e-12 * i for i in range(FEWEST)])
        before = whole(t._tensors())
        records = fit(t)
        after = whole(t._tensors())
    assert [r["skipped"] for r in records if "loss" in r] == [1, 1, 1]
    assert t.step == 3
    assert all(torch.equal(before[k], after[k]) for k in before)
