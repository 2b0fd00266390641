"""Survival, motion, controls and the detector, each on data whose answer is known."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from prism.data import ByteTokenizer
from prism.probe.detector import separation, suspicion
from prism.probe.labels import changed
from prism.probe.readings.census import census, kinds
from prism.probe.readings.history import Sightings, unseen
from prism.probe.readings.motion import comoving, lattice, phases
from prism.probe.readings.survival import censored, curve, lifetimes, median, summary
from prism.probe.store.events import Movements, deflated
from prism.probe.store.log import Log, Writer
from prism.probe.store.ordinal import FORMATS, bits_of, bits_of_ordinals, ordinals
from prism.probe.texts import orchid, write_text

BF16 = FORMATS["bf16"]
HEADER = {"seed": 0, "settings": {}, "matrix": "m", "shape": [6, 4], "format": "bf16",
          "records": ["loss"], "tokenizer": "bytes", "data": ""}  # fmt: skip


def written(path: Path, places: list[np.ndarray], seen: dict[int, int] | None = None) -> Log:
    """A log of ordinals step by step; ``seen``: id to the step of its first batch."""
    bits = [bits_of_ordinals(p.astype(np.int16)) for p in places]
    writer, movements = Writer(path), Movements(BF16.steps)
    writer.begin(HEADER, 0, bits[0], None)
    for before, after in pairwise(bits):
        movements.add(before.ravel(), after.ravel())
    count = len(movements)
    streams = movements.encoded()
    streams["records"] = deflated(np.zeros((count, 1)).tobytes())
    streams["mean"] = deflated(np.ones((count, 4), "<f4").tobytes())
    tables = [
        np.array([[i for i, s in (seen or {}).items() if s == t + 1]] * 2) for t in range(count)
    ]
    sizes = [[t.shape[1], 0] for t in tables]
    streams["count_sizes"] = np.array(sizes, "<u4").tobytes()
    flat = [np.stack([t[0], np.ones(t.shape[1])]).ravel() for t in tables]
    streams["counts"] = deflated(np.concatenate(flat).astype("<u4").tobytes())
    writer.steps(0, count, streams)
    return Log(path)


def test_kaplan_meier_is_the_textbook_one() -> None:
    times = np.array([6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35])
    died = np.array([1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0], bool)
    survival = curve(times, died)  # 6-mercaptopurine, Freireich et al. 1963
    wanted = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    for t, share in wanted.items():
        assert survival[t] == pytest.approx(share, abs=5e-4)
    assert median(survival) == 23


def test_what_moves_inside_the_window_is_censored() -> None:
    lives = censored(np.array([[0, 40, 95]]), np.array([[100]]), window=10)
    assert lives.times.tolist() == [[0, 40, 90]] and lives.frozen.tolist() == [[True, True, False]]
    assert summary(lives)["median"] == 40 and summary(lives)["frozen"] == pytest.approx(2 / 3)


def stepping(steps: int) -> list[np.ndarray]:
    """Row i moves by 5 in every column until step 3 i, then by 1 until step 6 i, then not."""
    place = np.full((6, 4), 1000)
    history = [place]
    for step in range(1, steps + 1):
        row = np.arange(6)[:, None]
        place = place + np.where(step <= 3 * row, 5, np.where(step <= 6 * row, 1, 0))
        history.append(place)
    return history


def test_rows_freeze_when_they_do_and_not_after_they_are_seen(tmp_path: Path) -> None:
    log = written(tmp_path / "x.probe", stepping(40), seen={4: 10})
    lives = lifetimes(log, np.arange(6))
    assert lives.times[:, 0].tolist() == [0, 6, 12, 18, 5, 30]  # row 4: watched to step 9, less 4
    assert lives.frozen[:, 0].tolist() == [True, True, True, True, False, True]
    assert unseen(log, 40).tolist() == [0, 1, 2, 3, 5]


def test_single_steps_are_told_from_larger_ones(tmp_path: Path) -> None:
    log = written(tmp_path / "x.probe", stepping(40))
    series = lattice(log, np.array([5]))
    assert series["more"].tolist() == [4.0] * 15 + [0.0] * 25
    assert series["single"].tolist() == [0.0] * 15 + [4.0] * 15 + [0.0] * 10
    assert series["jump"].tolist() == [1.0] * 15 + [0.0] * 25
    assert series["adjacent"][15:30].tolist() == [1.0] * 15 and series["frozen"][30:].all()
    found = phases(series)
    assert (found["takeover"], found["no_jumps"], found["no_local"], found["still"]) == (
        16,
        15,
        15,
        30,
    )
    assert found["single_share"] == 0.5


def test_a_drift_is_taken_off(tmp_path: Path) -> None:
    drift = torch.tensor([1.0, -2.0, 0.5, 0.0]) / 64
    start = torch.arange(24).reshape(6, 4) / 64 + 1
    places = [ordinals(bits_of((start + k * drift).bfloat16())).astype(int) for k in range(6)]
    series = comoving(written(tmp_path / "x.probe", places), np.arange(6))
    assert series["temperature"] == pytest.approx(np.zeros(5), abs=1e-12)
    assert series["coherence"] == pytest.approx(np.ones(5))
    assert series["bulk"][-1] == pytest.approx(5 * float(drift.norm()))
    away = -float(drift.sum() / drift.norm() / 2)
    assert series["antiparallel"] == pytest.approx(np.full(5, away))


def test_the_census_names_what_ids_are() -> None:
    seen = Sightings(*(np.zeros(257, int) for _ in range(4)))
    seen.inputs[[65, 66]], seen.targets[[66, 67]] = 1, 1
    report = census(seen, ByteTokenizer(), {65, 66, 67, 68})
    assert report["seen"] == {"unseen": 254, "input only": 1, "both": 1, "target only": 1}
    assert report["kinds"] == {"plain": 128, "partial": 128, "special": 1}
    assert (report["dead"], report["live_but_unseen"]) == (253, 1)
    assert kinds(ByteTokenizer())[200] == "partial"


@pytest.mark.parametrize("kind", ["shuffled", "wrong"])
def test_control_labels_keep_the_ids_of_the_batch(kind: str) -> None:
    targets = torch.randint(9, (4, 50), generator=torch.Generator().manual_seed(0))
    targets[:, ::7] = -100
    found = changed(targets, kind, 5)
    valid = targets != -100
    assert torch.equal(found == -100, ~valid)
    assert set(found[valid].tolist()) <= set(targets[valid].tolist())
    right = (found[valid] == targets[valid]).float().mean()
    if kind == "wrong":
        assert right == 0
    else:
        assert torch.equal(found[valid].sort()[0], targets[valid].sort()[0]) and 0 < right < 0.3
    assert torch.equal(found, changed(targets, kind, 5))


def test_rows_that_were_never_trained_are_found() -> None:
    g = torch.Generator().manual_seed(0)
    rows = torch.randn(400, 16, generator=g)
    rows[300:] = torch.full((16,), -0.5) + 0.05 * torch.randn(100, 16, generator=g)
    rows[350] = rows[351]
    reference = np.zeros(400, bool)
    reference[390:] = True
    found = suspicion(rows, reference)
    dead = np.arange(400) >= 300
    assert separation(found.score[~reference], dead[~reference]) > 0.999
    assert separation(found.indicator[~reference], dead[~reference]) > 0.99
    assert found.shared[[350, 351, 0]].tolist() == [2, 2, 1]
    top = found.table([str(i) for i in range(400)], ["plain"] * 400, 2)
    assert {row["id"] for row in top} == {350, 351} and top[0]["shared"] == 2
    with pytest.raises(ValueError, match="2 tokens cannot occur in text; must be at least 3"):
        suspicion(rows, np.arange(400) < 2)


def test_separation_counts_ties_half() -> None:
    dead = np.array([True, True, False, False])
    assert separation(np.array([0.0, 1.0, 1.0, 2.0]), dead) == pytest.approx(3.5 / 4)


def test_orchid_is_read_without_its_tags(tmp_path: Path) -> None:
    first = "%TTitle: x|%Year: 1|#P1|#1|การประชุม//|การ/FIXN|//|#2|สอง\\\\|สาม//|สอง/X|//"
    corpus = f"{first}|#P2|#1|สี่//|%TTitle: y|#P1|#1|ห้า//".split("|")
    assert list(orchid(corpus)) == ["การประชุม สองสาม\nสี่", "ห้า"]
    source = tmp_path / "a.txt"
    source.write_text("one\n<|endoftext|>\ntwo\n<|endoftext|>\nthree\n", "utf-8")
    said = write_text(tmp_path / "b.txt", str(source), "english", 20)
    assert "2 documents" in said and "three" not in (tmp_path / "b.txt").read_text("utf-8")


def test_what_was_watched_for_less_than_a_window_is_not_called_frozen() -> None:
    """A row seen from the first batch on has no lifetime as a dead one: censored at once."""
    last = np.array([[0, 0], [0, 3], [0, 3]])
    found = censored(last, np.array([[0], [4], [20]]), window=5)
    assert found.frozen.tolist() == [[False, False], [False, False], [True, True]]
    assert found.times.tolist() == [[0, 0], [0, 0], [0, 3]]
