"""Validation is the same number however it is split, takes no more memory, and says where it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from prism.engine.logs.clock import Clock, shares, spelled
from prism.engine.loop.validation import HeldOut, Remaining, evaluate, times
from tests.engine.fakes import Ranks, fit, small, small_trainer


def scored(run: Path, model: str, micro: int | None, carry: bool | None = None) -> HeldOut:
    s = small(model=model, micro_batch_size=micro, carry=carry, dtype="fp64")
    with small_trainer(s, run) as t:
        return evaluate(t.model, t.spec.held_out, t.spec.carry, t.w, micro)


@pytest.mark.parametrize("model", ["prism", "ssm", "transformer"])
def test_micro_batches_do_not_change_the_score(model: str, tmp_path: Path) -> None:
    whole, *split = (scored(tmp_path, model, micro) for micro in (None, 1, 2))
    for found in split:
        assert found.loss == pytest.approx(whole.loss, rel=1e-12)
        assert found.bits_per_byte == pytest.approx(whole.bits_per_byte, rel=1e-12)
        assert (found.rates is None) == (model != "prism")
        assert found.rates == (whole.rates and pytest.approx(whole.rates, rel=1e-12))


def test_every_row_goes_on_with_its_own_state(tmp_path: Path) -> None:
    """The score is that of the rows read one by one, by hand."""
    s = small(micro_batch_size=2, dtype="fp64")
    with small_trainer(s, tmp_path) as t:
        found = evaluate(t.model, t.spec.held_out, True, t.w, 2)
        t.model.eval()
        total, count = torch.zeros((), dtype=torch.float64), 0
        for row in range(s.global_batch_size):
            state = None
            for batch in t.spec.held_out:
                here = slice(row, row + 1)
                with torch.no_grad():
                    out = t.model(
                        batch.tokens[here], state=state, segment_ids=batch.segment_ids[here]
                    )
                state = out.state
                targets = batch.targets[here].flatten()
                total += functional.cross_entropy(out.logits[0], targets, reduction="sum")
                count += int((targets >= 0).sum())
    assert found.loss == pytest.approx(total.item() / count, rel=1e-10)


def test_padding_has_no_part_in_the_half_life_use(tmp_path: Path) -> None:
    s = small(dtype="fp64")
    with small_trainer(s, tmp_path) as t:
        batches = t.spec.held_out
        found = evaluate(t.model, batches, False, t.w)
        for batch in batches:
            batch.tokens[batch.segment_ids < 0] = 1
        assert any((batch.segment_ids < 0).any() for batch in batches)
        again = evaluate(t.model, batches, False, t.w)
    assert again.rates == pytest.approx(found.rates, rel=1e-12)


def test_a_validation_sees_at_most_a_micro_batch_at_a_time(tmp_path: Path) -> None:
    """Where validation took all rows at once, it was what a run with micro-batches died of."""
    with small_trainer(small(micro_batch_size=2, global_batch_size=8), tmp_path) as t:
        seen: list[int] = []
        t.model.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
        told: list[tuple[int, int]] = []
        t.validate(lambda done, total: told.append((done, total)))
    assert set(seen) == {2}
    assert told == [(i + 1, len(seen)) for i in range(len(seen))]


def test_ranks_give_the_score_of_one(pair: Ranks, tmp_path: Path) -> None:
    alone = scored(tmp_path, "prism", None)
    for found in pair.run(scored, tmp_path, tmp_path, "prism", 1):
        assert found.loss == pytest.approx(alone.loss, rel=1e-10)


@given(after=st.integers(0, 60), end=st.integers(0, 60), every=st.integers(0, 20))
def test_what_is_to_come_is_what_a_run_does(after: int, end: int, every: int) -> None:
    done = [n for n in range(after + 1, end + 1) if n == end or (every and n % every == 0)]
    assert times(after, end, every) == len(done)


def test_the_time_to_go_counts_validation_and_saving(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    clock = Clock()
    ahead = Remaining(steps=100, validations=4, saves=2, validation_tokens=3000)

    def spend(part: str, seconds: float) -> None:
        with clock.timed(part):
            now[0] += seconds

    spend("gradients", 8.0)
    now[0] += 2.0
    wall, parts = clock.lap()
    assert (wall, parts) == (10.0, {"gradients": 8.0, "other": 2.0})
    # before the first validation: 3,000 tokens at a third of 0.01 s
    assert clock.to_come(ahead, 1.0, 0.01) == pytest.approx(100 + 4 * 10)
    spend("validation", 30.0)
    spend("saving", 5.0)
    spend("validation", 20.0)
    assert clock.to_come(ahead, 1.0, 0.01) == pytest.approx(100 + 4 * 25 + 2 * 5)
    clock.lap()
    assert clock.total == {"gradients": 8.0, "other": 2.0, "validation": 50.0, "saving": 5.0}
    assert shares(clock.total) == "validation 77%, gradients 12%, saving 8%, other 3%"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0:00"), (59.6, "1:00"), (125, "2:05"), (10_925, "3:02:05"), (360_000, "4 days 4 h")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert spelled(seconds) == text


def test_the_records_hold_all_of_the_time(tmp_path: Path) -> None:
    """Shares of every record add up to 1; validation and saving are among them."""
    s = small(steps=4, log_every=2, eval_every=2, save_every=2)
    with small_trainer(s, tmp_path) as t:
        records = fit(t)
    timed = [record for record in records if "time" in record]
    assert [record["step"] for record in timed] == [2, 4]
    for record in timed:
        assert sum(record["time"].values()) == pytest.approx(1.0)
    assert timed[1]["time"]["validation"] > 0
    assert timed[1]["time"]["saving"] > 0
    assert [r["step"] for r in records if "validation_seconds" in r] == [2, 4]
