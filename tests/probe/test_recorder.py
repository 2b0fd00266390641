"""The log of a run: exact at every step, the same bytes again, whole up to a cut."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prism.engine.loop.observer import Observer, ObserverError
from prism.engine.loop.optimizer import learning_rate
from prism.probe.readings.history import sightings, unseen
from prism.probe.store.log import Log
from prism.probe.store.ordinal import bits_of
from prism.probe.store.recorder import Recorder
from tests.engine.fakes import VOCAB, fit, ragged_row, small, small_trainer, whole

MATRIX = "embedding.weight"
HEADER = {"seed": 0, "settings": {}, "tokenizer": "ragged", "data": "ragged"}
FORMS = {"bf16": {"dtype": "bf16", "weights": "bf16"}, "fp32": {}}


class Kept(Observer):
    """The bits after every step, by hand."""

    name = "kept"

    def __init__(self) -> None:
        self.after: list[np.ndarray] = []

    def after_step(self, run: Any, gradients: Any, skipped: bool) -> None:
        p = whole({MATRIX: run.model.get_parameter(MATRIX)})[MATRIX]
        self.after.append(bits_of(p).copy())


def recorded(
    run: Path, form: str = "bf16", resume: bool = False, rows: Any = None, **values: Any
) -> tuple[Log, list[np.ndarray]]:
    path, kept = run / "log.probe", Kept()
    s = small(keep=9, model="transformer", **FORMS[form], **values)
    observers: Sequence[Observer] = (Recorder(path, MATRIX, HEADER, rows), kept)
    start = run / "step-00000003" if resume else None
    with small_trainer(s, run, start, resume, observers=observers) as t:
        fit(t)
    return Log(path), kept.after


@pytest.mark.parametrize("form", FORMS)
def test_every_step_is_replayed_to_the_bit(form: str, tmp_path: Path) -> None:
    log, after = recorded(tmp_path, form)
    assert (log.first, log.last, log.damage, log.format.name) == (0, 6, None, form)
    for step, bits in enumerate(after, 1):
        assert np.array_equal(log.bits(step), bits)
    assert not np.array_equal(log.bits(0), after[0])


def test_equal_runs_give_equal_bytes_and_a_resume_goes_on_in_them(tmp_path: Path) -> None:
    once = recorded(tmp_path / "a")[0].path.read_bytes()
    again = recorded(tmp_path / "b")[0]
    assert again.path.read_bytes() == once
    resumed, _ = recorded(tmp_path / "b", resume=True)
    assert resumed.path.read_bytes() == once


def test_a_run_with_a_recorder_is_the_run_without(tmp_path: Path) -> None:
    _, after = recorded(tmp_path / "a")
    with small_trainer(small(model="transformer", **FORMS["bf16"]), tmp_path / "b") as t:
        fit(t)
        bits = bits_of(whole({MATRIX: t.model.get_parameter(MATRIX)})[MATRIX])
    assert np.array_equal(bits, after[-1])


def test_only_the_rows_that_were_asked_for_are_kept(tmp_path: Path) -> None:
    rows = np.array([2, 3, 11])
    log, after = recorded(tmp_path, rows=rows)
    assert log.rows.tolist() == [2, 3, 11]
    assert np.array_equal(log.bits(6), after[-1][rows])


def test_a_resume_without_its_log_is_refused(tmp_path: Path) -> None:
    log, _ = recorded(tmp_path)
    log.path.write_bytes(log.path.read_bytes()[:400])
    with pytest.raises((ObserverError, ValueError), match=r"has 400 bytes; must have"):
        recorded(tmp_path, resume=True)


def test_a_cut_log_reads_to_its_last_whole_block_and_says_so(tmp_path: Path) -> None:
    log, after = recorded(tmp_path)
    raw = log.path.read_bytes()
    last = log.steps[-1]
    for size in (len(raw) - 1, last.offset - 5, last.offset):
        log.path.write_bytes(raw[:size])
        cut = Log(log.path)
        assert cut.last == last.first == 3
        assert cut.damage is not None and "cut or damaged" in cut.damage
        assert np.array_equal(cut.bits(3), after[2])
        with pytest.raises(ValueError, match=r"--step 4: must be in 0\.\.3 \(.*cut or damaged"):
            cut.bits(4)
    flipped = bytearray(raw)
    flipped[last.offset + 3] ^= 1
    log.path.write_bytes(flipped)
    assert Log(log.path).last == 3


@pytest.mark.parametrize("content", [b"", b"no log at all, whatever it is", b"PRSM"])
def test_what_is_no_log_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.probe"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.probe: not the log of a probe"):
        Log(path)
    with pytest.raises(ValueError, match="no such file"):
        Log(tmp_path / "y.probe")


def test_the_census_is_of_the_batches_that_were_read(tmp_path: Path) -> None:
    log, _ = recorded(tmp_path)
    inputs, targets = np.zeros(VOCAB, int), np.zeros(VOCAB, int)
    for step in range(4):
        for lane in range(4):
            tokens, wanted, segments = ragged_row(lane, step, 24)
            inputs += np.bincount(tokens[segments >= 0], minlength=VOCAB)
            targets += np.bincount(wanted[wanted >= 0], minlength=VOCAB)
    seen = sightings(log, 4)
    assert (seen.inputs == inputs).all() and (seen.targets == targets).all()
    assert ((seen.first > 0) == (inputs + targets > 0)).all()
    with pytest.raises(ValueError, match="every row has been seen by step 6; use --rows all"):
        unseen(log, 6)


def test_what_is_noted_of_a_step_is_that_of_the_run(tmp_path: Path) -> None:
    log, _ = recorded(tmp_path)
    table = log.records
    assert table["loss"].shape == (6,) and (table["loss"] > 0).all()
    assert table["mean"].shape == (6, 16) and (table["variance"] > 0).all()
    assert (table["skipped"] == 0).all()
    assert table["rate"].tolist() == [learning_rate(step, small()) for step in range(6)]
