"""The ledger of the knowledge base, measured: kills, restarts, writers at once, size, erasure.

killed      a writer is ended with SIGKILL again and again in mixed work; acknowledged writes that
            are missing, and whether the tape equals one built from the live rows
restarts    the base is closed and opened with changes between; stale answers of the tape, and the
            same comparison
together    several processes write to one file at once; see ``benchmarks.mind.durability``
size        seconds to build the tape of many facts anew, and to open the file with its snapshot
erasure     a name in facts, words of sources, kept sentences and a question: files and caches that
            still hold it, in the same process and after a restart

python -m benchmarks.mind.ledger --out FILE [--parts killed,size] [--quick]
"""

from __future__ import annotations

import gc
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.mind import durability
from benchmarks.mind.figures import Figures, chosen
from prism.command import Parser, command, say
from prism.mind import KnowledgeBase, Mind
from prism.mind.consolidate import Consolidation
from prism.mind.ledger import Statement
from prism.mind.records import Source

NAME = "Quillonby"


def restarts(folder: Path, count: int, updates: int, seed: int = 0) -> dict[str, Any]:
    """Open and close a base ``count`` times with ``updates`` changes among them."""
    draw, path = random.Random(seed), folder / "restarts.db"
    last: dict[str, str] = {}
    stale = lost = 0
    for start in range(count):
        with KnowledgeBase(path) as kb:
            asked = sorted(last)
            for subject, reads in zip(
                asked, kb.view.recall((s, "home") for s in asked), strict=True
            ):
                stale += [read.value for read in reads] != [last[subject]]
            for change in range(updates // count):
                subject, value = f"S{draw.randrange(300)}", f"town {start}-{change}"
                kb.add(subject, "home", value)
                last[subject] = value
    with KnowledgeBase(path) as kb:
        lost = sum(kb.get(s, "home")[0].object != value for s, value in last.items())
        agrees = kb.view.agrees()
    figures = {"restarts": count, "updates": updates, "stale": stale, "lost": lost}
    return figures | {"tape_agrees": agrees}


def size(folder: Path, facts: int) -> dict[str, Any]:
    """Seconds to build the tape of ``facts`` facts anew, and to open the file with a snapshot."""
    path = folder / f"size-{facts}.db"
    with KnowledgeBase(path) as kb:
        source = Source("api", "bench")
        for first in range(0, facts, 20_000):
            numbers = range(first, min(facts, first + 20_000))
            kb.add_many(Statement(f"S{i}", "home", f"O{i % 997}", source) for i in numbers)
        begin, worked = time.perf_counter(), time.process_time()
        kb.view.rebuild()
        rebuild, own = time.perf_counter() - begin, time.process_time() - worked
        kb.view.save()
    begin, worked = time.perf_counter(), time.process_time()
    with KnowledgeBase(path) as kb:
        found = kb.recall("S7", "home")
        opened, own_open = time.perf_counter() - begin, time.process_time() - worked
        right = [read.value for read in found] == ["O7"]
    sizes = {p.name: p.stat().st_size for p in sorted(folder.rglob("*")) if p.is_file()}
    whole = sum(count for name, count in sizes.items() if str(facts) in name)
    return {
        "facts": facts,
        "rebuild_seconds": rebuild,
        "rebuild_cpu_seconds": own,
        "open_and_read_seconds": opened,
        "open_and_read_cpu_seconds": own_open,
        "right": right,
        "database_bytes": whole,
    }


def erasure(folder: Path) -> dict[str, Any]:
    """Say, ask and erase a name; where it still stands."""
    path = folder / "erasure.db"
    with KnowledgeBase(path) as kb:
        mind, talk = Mind(kb), Consolidation(kb)
        for turn in (f"My neighbour is {NAME}.", f"{NAME} keeps bees behind the mill."):
            talk.turn(turn)
        kb.add(
            NAME, "home", "Sylvania", source=Source("user", "me", text=f"{NAME} is from Sylvania")
        )
        mind.ask(f"Where does {NAME} live?")
        mind.ask(f"What does {NAME} keep?")
        kb.view.save()
        there = list(_held(folder))
        rows = kb.erase(subject=NAME)
        mind.forget()
        talk.memory.forget(NAME)
        while_open = list(_held(folder))
        caches = _cached()
    with KnowledgeBase(path) as kb:
        answer = Mind(kb).ask(f"Where does {NAME} live?").text
    closed = list(_held(folder))
    return {
        "files_that_held_it": there,
        "rows_erased": rows,
        "files_while_open": while_open,
        "texts_in_memory": caches,
        "files_after_a_restart": closed,
        "answer_after_a_restart": answer,
    }


def _held(folder: Path) -> Iterator[str]:
    """Files that hold the name, in any case."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and NAME.lower().encode() in path.read_bytes().lower():
            yield path.name


def _cached() -> int:
    """Live objects of the package that refer to a text with the name."""
    gc.collect()
    count = 0
    for held in gc.get_objects():
        if not str(type(held).__module__).startswith("prism."):
            continue
        values = vars(held).values() if hasattr(held, "__dict__") else ()
        count += any(isinstance(v, str) and NAME.lower() in v.lower() for v in values)
    return count


PARTS: dict[str, Callable[[Path, int], Any]] = {  # a folder, and by what the sizes are divided
    "killed": lambda folder, by: durability.as_json(durability.killed(folder, 200 // by)),
    "restarts": lambda folder, by: restarts(folder, 50 // by, 1_000 // by),
    "together": lambda folder, by: durability.as_json(
        durability.side_by_side(folder, 4, 2_500 // by)
    ),
    "size": lambda folder, by: [size(folder, n // by) for n in (100_000, 1_000_000)],
    "erasure": lambda folder, by: erasure(folder),
}


@command
def main(argv: list[str] | None = None) -> int:
    """Measure, and write the JSON."""
    p = Parser(prog="python -m benchmarks.mind.ledger", description=__doc__)
    p.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSON of the figures")
    p.add_argument("--parts", metavar="PART,PART", help=f"of {', '.join(PARTS)}; default all")
    p.add_argument("--quick", action="store_true", help="a tenth of everything; shows it works")
    args = p.parse_args(argv)
    try:
        parts = chosen(args.parts, tuple(PARTS))
    except ValueError as error:
        p.error(str(error))
    typed = f"python -m benchmarks.mind.ledger --parts {','.join(parts)}"
    figures = Figures(args.out, typed, "quick" if args.quick else "full")
    for part in parts:
        with tempfile.TemporaryDirectory() as name:
            figures.measure(part, partial(PARTS[part], Path(name), 10 if args.quick else 1))
    say(f"figures: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
