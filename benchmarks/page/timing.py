"""Timing in turns: rivals alternate, so that whatever else the machine does falls on all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

Name = TypeVar("Name")


def in_turns(
    rivals: Mapping[Name, Callable[[], object]],
    rounds: int,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
    prepare: Callable[[Name], object] | None = None,
) -> dict[Name, list[float]]:
    """Seconds of every call, by rival; in each round every rival is called once.

    Args:
        warm_up: rounds before those that count.
        clock: seconds; ``time.process_time`` counts only those of this process.
        prepare: called before each call with the name of the rival; its time does not count.
    """
    seconds: dict[Name, list[float]] = {name: [] for name in rivals}
    for turn in range(warm_up + rounds):
        for name, call in rivals.items():
            if prepare is not None:
                prepare(name)
            begin = clock()
            call()
            if turn >= warm_up:
                seconds[name].append(clock() - begin)
    return seconds
