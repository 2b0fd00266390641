"""Times of facts: what no calendar shows is refused when it is bound, and listed where it is."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prism.ask import main
from prism.holo import HoloTape
from prism.holo.times import calendar, checked

FIRST, BEYOND = -62_135_596_800, 253_402_300_800  # year 1 begins, year 9999 has ended
ALLOWED = "must be a finite number of seconds since 1970, in the years 1 to 9999"


@pytest.mark.parametrize("time", [0, -1.5, FIRST, BEYOND - 1, np.float32(2.5), np.int64(7)])
def test_a_time_that_a_calendar_shows_is_kept(time: Any) -> None:
    tape = HoloTape(64)
    tape.bind("k", "v", time=time)
    (fact,) = tape.facts()
    assert fact.time == time
    assert calendar(fact.time).timestamp() == time


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        (1.7e12, "1700000000000.0"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (1e20, r"1e\+20"),
        (BEYOND, "253402300800.0"),
        (FIRST - 1, "-62135596801.0"),
        (10**5000, "inf"),
        ("yesterday", "'yesterday'"),
        (True, "True"),
        ([1.0], r"\[1.0\]"),
    ],
    ids=list(map(str, range(10))),  # the time itself may have too many digits to be one
)
def test_any_other_time_is_refused_by_name(time: Any, shown: str) -> None:
    tape = HoloTape(64)
    tape.bind("old", "v", time=1.0)
    for act, named in (
        (lambda: tape.bind("k", "v", time=time), "key 'k'"),
        (lambda: tape.update("old", "w", time=time), "key 'old'"),
        (lambda: tape.bind_many(["k", "l"], ["v", "v"], time=time), "2 keys"),
    ):
        with pytest.raises((ValueError, TypeError), match=f"^{named}: time {shown}: {ALLOWED}"):
            act()
    assert ([fact.value for fact in tape.facts()], len(tape.vocabulary)) == (["v"], 1)
    assert checked(None, "key 'k'") is None


def test_a_tape_that_holds_such_times_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tape = HoloTape(256, resolver=True)
    tape.bind_many(["a", "b", "c", "d"], ["1", "2", "3", "4"], time=0.0)
    tape.ledger.column("time")[:3] = 1.7e12, math.nan, 1e20
    tape.save(tmp_path / "t.st")
    assert main(["--tape", str(tmp_path / "t.st"), "--list"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "a: 1 (1700000000000.0)",
        "b: 2 (nan)",
        "c: 3 (1e+20)",
        "d: 4 (1970-01-01T00:00:00+00:00)",
    ]
