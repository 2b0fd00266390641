"""``python -m benchmarks.holo.phases``: one thing done to a tape of many facts, in a process of its
own, so that its processor time and its memory are its own; a line of JSON on the standard output.

Memory is the most that the process held while it worked (``VmHWM`` of Linux, set back before), less
what it held before. Times are processor seconds; ``wall`` stands beside them.
"""

from __future__ import annotations

import json
import random
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prism import ingest as prism_ingest
from prism.holo import HoloTape

BATCH = 100_000  # facts bound in one call
FACT = "subject {} relation", "object {}"  # of the places of key and value
SLIP = "subjetc {} relation"  # two letters swapped
Report = dict[str, float]


def facts(count: int, values: int, seed: int) -> Iterator[tuple[str, str]]:
    """Pairs of text; the values are drawn by chance."""
    rng = random.Random(seed)
    for place in range(count):
        yield FACT[0].format(place), FACT[1].format(rng.randrange(values))


@contextmanager
def measured(report: Report, name: str) -> Iterator[None]:
    """Add processor seconds, wall seconds and bytes of the block to a report."""
    before = _forget_peak()
    cpu, wall = time.process_time(), time.perf_counter()
    yield
    report[name] = report.get(name, 0.0) + time.process_time() - cpu
    report[f"{name}_wall"] = report.get(f"{name}_wall", 0.0) + time.perf_counter() - wall
    report[f"{name}_bytes"] = max(report.get(f"{name}_bytes", 0), _memory("VmHWM") - before)


def tape_bytes(tape: HoloTape) -> int:
    """Bytes of the accumulator, the ledger with its table, and the texts of the keys with their
    places and hashes (16 bytes each)."""
    texts = tape.resolver.nbytes + 17 * len(tape.resolver) if tape.resolver is not None else 0
    return tape.nbytes + tape.ledger.nbytes + texts


def bind(path: Path, count: int, values: int, seed: int) -> Report:
    """``bind_many`` alone, with as much room as ``prism.ingest`` plans for; then a save."""
    report: Report = {}
    _forget_peak()
    before = _memory("VmRSS")
    with measured(report, "plan"):
        tape = HoloTape.plan(2 * count, 2 * values, resolver=True)
    rows, peak = facts(count, values, seed), 0
    for low in range(0, count, BATCH):
        pairs = [next(rows) for _ in range(min(BATCH, count - low))]
        keys, objects = [key for key, _ in pairs], [value for _, value in pairs]
        del pairs
        with measured(report, "bind"):
            tape.bind_many(keys, objects)
        peak = max(peak, _memory("VmHWM"))
    with measured(report, "save"):
        tape.save(path)
    peak = max(peak, _memory("VmHWM"))
    return report | {"tape_bytes": tape_bytes(tape), "peak_bytes": peak - before}


def ask(path: Path, count: int, values: int, seed: int) -> Report:
    """Open a tape, ask for one key as it is, then for two misspelt ones."""
    report: Report = {}
    before, peak = _memory("VmRSS"), 0
    with measured(report, "open"):
        tape = HoloTape.load(path)
    peak = max(peak, _memory("VmHWM"))
    place = seed % count
    key, slip = FACT[0].format(place), SLIP.format(place)
    wanted = dict([next(pair for pair in facts(count, values, seed) if pair[0] == key)])[key]
    for name, question in (("recall", key), ("slip", slip), ("next_slip", slip)):
        with measured(report, name):
            answer = tape.recall(question)
        peak = max(peak, _memory("VmHWM"))
        if answer.value != wanted:
            raise ValueError(f"{question!r}: {answer.value!r}, must be {wanted!r}")
    return report | {"tape_bytes": tape_bytes(tape), "peak_bytes": peak - before}


def ingest(path: Path, table: str) -> Report:
    """``python -m prism.ingest`` of a table."""
    report: Report = {}
    with measured(report, "ingest"):
        prism_ingest.main([table, "--tape", str(path)])
    return report


PHASES: dict[str, Callable[..., Report]] = {"bind": bind, "ask": ask, "ingest": ingest}


def main(argv: list[str]) -> int:
    """Run a phase: its name, the path of the tape, and its other arguments; the exit code."""
    name, path, *others = argv
    given = (int(text) if text.isdecimal() else text for text in others)
    print(json.dumps(PHASES[name](Path(path), *given)))
    return 0


def _memory(name: str) -> int:
    """Bytes of the memory of this process: ``VmRSS`` now, ``VmHWM`` at most."""
    try:
        found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        found = None
    if found is None:  # not Linux: the most since the start, for both
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else 1024 * most
    return 1024 * int(found[1])


def _forget_peak() -> int:
    """Set the peak back to what is held now; that in bytes."""
    reset = Path("/proc/self/clear_refs")
    if reset.exists():
        reset.write_text("5")
    return _memory("VmRSS")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
