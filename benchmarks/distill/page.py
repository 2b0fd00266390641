"""``python -m benchmarks.distill.page``: the tables of docs/DISTILL.md, from its JSON files."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.page.command import RESULTS, ROOT
from benchmarks.page.markdown import interval
from prism.command import Parser
from prism.whole_file import reason, write

PAGE = ROOT / "docs" / "DISTILL.md"
BLOCK = "<!-- {name}:begin -->\n{text}\n<!-- {name}:end -->"


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = Parser(prog="python -m benchmarks.distill.page", description=__doc__)
    p.add_argument("--results", type=Path, nargs="+", metavar="FILE", help="default: both files",
                   default=[RESULTS / "distill.json", RESULTS / "students.json"])  # fmt: skip
    p.add_argument("--check", action="store_true", help="only say whether the page is right")
    args = p.parse_args(argv)
    before = PAGE.read_text("utf-8")
    try:
        after = filled(before, contents(args.results))
    except (OSError, ValueError) as error:
        p.error(reason(error))
    if args.check:
        return int(before != after)
    write(PAGE, after)
    print(PAGE)
    return 0


def contents(paths: Sequence[Path]) -> dict[str, Any]:
    """The parts of all files that are there."""
    found: dict[str, Any] = {}
    for path in paths:
        found |= json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return found


def filled(page: str, results: dict[str, Any]) -> str:
    """The page with its blocks made anew; a part that was not measured says so."""
    for name, make in BLOCKS.items():
        text = make(results[name]) if name in results else "Not measured yet."
        block = BLOCK.format(name=name, text=f"\n{text}\n")
        pattern = f"<!-- {name}:begin -->.*?<!-- {name}:end -->"
        page, found = re.subn(pattern, lambda _, b=block: b, page, flags=re.DOTALL)
        if found != 1:
            raise ValueError(f"{PAGE}: block {name} stands {found} times; must stand once")
    return page


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table; the first column is text, the others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def codecs(rows: list[dict[str, Any]]) -> str:
    """Size and error of every codec."""
    head = ["codec, text", "bytes a token", "KL", "same first token", "with a lead", "positions"]
    made = table(head, [
        [f"{r['codec']}, {r['text']}", f"{r['bytes']:,.0f}", f"{r['kl']:.2g}", f"{r['top1']:.4f}",
         f"{r['top1_lead']:.4f}", f"{r['positions']:,}"] for r in rows
    ])  # fmt: skip
    tables = max(r["tables"] for r in rows)
    return f"{made}\n\nTables of `fisher`, once a store: {tables:,} bytes."


def columns(found: dict[str, Any]) -> str:
    """Bytes a token of the top k, by form."""
    forms = sorted(found["bytes"].items(), key=lambda x: -x[1])
    made = table(["form", "bytes a token"], [[name, f"{size:,.1f}"] for name, size in forms])
    return (f"{made}\n\n{found['tokens']:,} tokens, top {found['k']} of probability "
            f"{found['mass']:.3f}; the chosen token is outside of it at {found['outside']:.1%} of "
            f"the positions, {found['ties']:.1%} of neighbours tie.")  # fmt: skip


def leak(rows: list[dict[str, Any]]) -> str:
    """Bits per byte of teacher and targets."""
    head = ["student's vocabulary, text", "teacher", "targets", "naive", "no target"]
    return table(head, [
        [f"{r['vocab_size']:,}, {r['text']}", *(f"{r[k]:.4f}" for k in ("teacher", "targets",
         "naive")), f"{r['without']:.1%}"] for r in rows
    ])  # fmt: skip


def speed(found: dict[str, float]) -> str:
    """Speed of capture and of targets."""
    return table(["one thread, CPU seconds", ""], [[k, f"{v:,.2f}"] for k, v in found.items()])


def students(part: dict[str, Any]) -> str:
    """Bits per byte of every arm at its best rate and length."""
    sizes, runs = part["sizes"], [r for r in part["runs"] if r.get("phase") == "final"]
    rows = []
    for arm in dict.fromkeys(r["arm"] for r in runs):
        mine = [r for r in runs if r["arm"] == arm]
        test, seconds = [r["test"] for r in mine], mean(r["seconds"] for r in mine)
        rows.append([arm, interval(test, "{:.3f}"), f"{len(test)}", f"{mine[0]['rate']:g}",
                     f"{mine[0]['steps']:,}", f"{seconds:,.0f}"])  # fmt: skip
    head = ["arm", "bits/byte, unseen text", "seeds", "rate", "steps", "CPU seconds"]
    store = next(r for r in part["runs"] if r.get("phase") == "store")
    return (f"{table(head, rows)}\n\nA store of {store['tokens']:,} tokens of {sizes['teacher']}, "
            f"read in {store['seconds']:,.0f} CPU seconds; a student of {sizes['vocab_size']:,} "
            f"ids and {_parameters(runs)} parameters. {_when(part)}")  # fmt: skip


def replicate(part: dict[str, Any]) -> str:
    """Likeness of students by size and number of answers."""
    rows = [
        [r["student"], f"{r['answers']:,}", f"{r['seed']}", *map(_three, (r["agreement"], r["js"],
         r["accuracy"])), f"{r['positions']:,}", f"{r['texts']:,}"]
        for r in part["runs"] if r["seed"] >= 0
    ]  # fmt: skip
    head = ["student", "tokens of answers", "seed", "agreement", "JS, nats", "told apart",
            "positions", "texts of each"]  # fmt: skip
    return f"{table(head, rows)}\n\n{_when(part)}"


def _three(values: list[float]) -> str:
    return f"{values[0]:.3f} [{values[1]:.3f}, {values[2]:.3f}]"


def _parameters(runs: list[dict[str, Any]]) -> str:
    return f"{runs[0]['parameters']:,}" if runs else "–"


def _when(part: dict[str, Any]) -> str:
    """Of what code the figures are, and how large the measurement was."""
    meta = part["meta"]
    quick = "" if meta["profile"] == "full" else " A quick run: it shows that the command works."
    return f"Commit {meta['commit']}, `{meta['command']}`.{quick}"


BLOCKS: dict[str, Callable[[Any], str]] = {
    "codecs": codecs,
    "columns": columns,
    "leak": leak,
    "speed": speed,
    "students": students,
    "replicate": replicate,
    "base": replicate,
}

if __name__ == "__main__":
    sys.exit(main())
