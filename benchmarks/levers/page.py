"""``python -m benchmarks.levers.page``: RESULTS_LEVERS.md and its picture from results/levers.json.

``--check`` writes nothing and fails if the page is not what the file gives.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.levers.__main__ import FILE, PROGRAM
from benchmarks.levers.bars import levers_bars
from benchmarks.levers.figure import levers_figure
from benchmarks.levers.modular_page import modular
from benchmarks.levers.sections import curriculum, growth, selection
from benchmarks.page import bars
from benchmarks.page.command import ROOT
from benchmarks.page.figure import draw
from benchmarks.page.markdown import table
from prism import whole_file
from prism.command import Parser
from prism.record import read_runs

PAGE = "RESULTS_LEVERS.md"
SECTIONS = (
    ("growth", "Growth", growth),
    ("selection", "Token selection and recycling", selection),
    ("curriculum", "Curriculum", curriculum),
    ("modular", "Modular phases", modular),
)
META = ("command", "profile", "commit", "prism", "torch", "python", "platform", "cpu", "finished")


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = Parser(prog="python -m benchmarks.levers.page", description=__doc__)
    p.add_argument("--check", action="store_true", help="exit 1 if the page is out of date")
    p.add_argument("--root", type=Path, default=ROOT, help=f"folder of {PAGE}")
    args = p.parse_args(argv)
    path = args.root / PAGE
    source = args.root / "benchmarks" / "results" / FILE
    try:
        content = read_runs(source, parts=True) if source.exists() else None
        text = page(content)
    except ValueError as error:
        p.error(str(error))
    same = path.exists() and path.read_text("utf-8") == text
    if args.check:
        if not same:
            print(f"{path}: not what the JSON gives; run python -m benchmarks.levers.page")
        return 0 if same else 1
    if content is not None:
        draw(levers_figure, content, source)
    if not same:
        whole_file.write(path, text)
    print("nothing has changed" if same else f"{path}: written")
    return 0


def page(content: dict[str, Any] | None) -> str:
    """The whole of RESULTS_LEVERS.md, from what levers.json holds; None = nothing yet.

    Raises:
        ValueError: an arm has final runs at two rates.
    """
    head = ["# Results of the training levers"]
    if content is None:
        return "\n\n".join([*head, f"Not measured yet: `python -m {PROGRAM}`."]) + "\n"
    found = levers_bars(content)
    counts = [sum(bar.met is met for bar in found) for met in (True, False, None)]
    sections = [
        *head,
        "Made by `python -m benchmarks.levers.page` from `benchmarks/results/levers.json`; every "
        "measured number below comes from it, none is typed in.",
        "Each arm of each lever has the learning rate that is best for it on seeds used for tuning "
        "only, each section says how, and its loss is read after its rate has come down. Arms of "
        "one seed begin with the same stream of text and are compared pair by pair; brackets are "
        "95% intervals of the mean over seeds. A lever is off unless a flag turns it on.",
        "![Final loss of every arm against its baseline](benchmarks/results/levers.png)",
        "## Bars",
        f"What was asked for before anything was measured: {counts[0]} met, {counts[1]} missed, "
        f"{counts[2]} not judged (fewer than 5 seeds, or not measured). A bar is about the mean "
        "over seeds, unless it names the upper end of its interval; a ratio is the mean over the "
        "seeds that get there, and met only if all do.",
        table(bars.HEAD, [bar.cells for bar in found], left=4),
    ]
    for part, title, section in SECTIONS:
        sections += [f"## {title}", *_section(content, part, section)]
    sections += ["## How it was made", *_origin(content)]
    return "\n\n".join(sections) + "\n"


def _section(content: dict[str, Any], part: str, section: Any) -> list[str]:
    if part not in content or not content[part]["runs"]:
        return [f"Not measured yet: `python -m {PROGRAM} --part {part}`."]
    return section(content[part])


def _origin(content: dict[str, Any]) -> list[str]:
    metas = {part: content[part]["meta"] for part, _, _ in SECTIONS if part in content}
    rows = [[name, *(str(meta.get(name) or "–") for meta in metas.values())] for name in META]
    return [
        "One thread. The machine was shared, so a time is never a wall clock but CPU seconds of "
        "one process: of growth the median of steps of all sizes in turn, times the steps of a "
        "run; of the other parts as they ran. A part that was interrupted shows where it last "
        'went on. MIX is the text of docs/DATA.md, "Real English without a hub", kernel first; '
        "runs that are in the file are not made again, `--out FILE` measures anew.",
        table(["", *metas], rows, left=1 + len(metas)),
    ]


if __name__ == "__main__":
    sys.exit(main())
