"""``python -m benchmarks.results``: RESULTS.md, RESULTS_LEVERS.md, the tables of README.md and of
docs/MIND.md, and the figures, from the JSON files in benchmarks/results.

``--check`` writes nothing and fails if a page is not what the files give. ``--import`` first takes
over the results.json of a comparison, thinned, as results/compare.json.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.mind.bars import bars_table
from benchmarks.page.command import ROOT
from benchmarks.page.figure import draw
from benchmarks.page.subject import Files, earlier, read_files
from benchmarks.quality.page import headline
from benchmarks.quality.thin import import_comparison
from benchmarks.speed.page import step_table
from benchmarks.subjects import PAGES, QUALITY, SPEED, SUBJECTS
from prism import whole_file
from prism.command import Parser

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = Parser(prog="python -m benchmarks.results", description=__doc__)
    p.add_argument("--check", action="store_true", help="exit 1 if the pages are out of date")
    p.add_argument("--import", dest="source", type=Path, metavar="FILE", help="a results.json")
    p.add_argument("--root", type=Path, default=ROOT, help="folder of RESULTS.md and README.md")
    args = p.parse_args(argv)
    folder = args.root / "benchmarks" / "results"
    try:
        if args.check and args.source is not None:
            raise ValueError(f"--import {args.source}: --check writes nothing, give one of them")
        if args.source is not None:
            import_comparison(args.source, folder / QUALITY.file)
        files = read_files(folder, SUBJECTS)
        wanted = pages(args.root, files)
    except ValueError as error:
        p.error(str(error))
    changed = [path for path, text in wanted.items() if _text(path) != text]
    if args.check:
        for path in changed:
            print(f"{path}: not what the JSON gives; run python -m benchmarks.results")
        return 1 if changed else 0
    for path in changed:
        whole_file.write(path, wanted[path])
    for file, figure in {subject.file: subject.figure for subject in SUBJECTS}.items():
        if figure is not None and files[file] is not None:
            draw(figure, files[file], folder / file)
    print("\n".join(f"{path}: written" for path in changed) or "nothing has changed")
    return 0


def pages(root: Path, files: Files) -> dict[Path, str]:
    """Text of each page, and of README.md and docs/MIND.md where they have the two markers.

    Raises:
        ValueError: one of these has one marker without the other, or in the wrong order; a file
            holds what its subject cannot be read from.
    """
    texts = {root / page.file: page.text(SUBJECTS, files) for page in PAGES}
    for path, part in ((root / "README.md", readme_part), (root / "docs" / "MIND.md", mind_part)):
        old = _text(path)
        if BEGIN in old or END in old:
            texts[path] = _between_markers(path, old, part(files))
    return texts


def mind_part(files: Files) -> str:
    """Part of docs/MIND.md between its markers."""
    names = {"mind": "mind.json"}
    names |= {name: f"mind-{name}.json" for name in ("ledger", "serving")}
    return bars_table({name: files.get(file) for name, file in names.items()})


def readme_part(files: Files) -> str:
    """Part of README.md between its markers."""
    compared, speed = QUALITY.content(files), SPEED.content(files)
    if compared is None:
        return QUALITY.missing
    part = "\n\n".join(filter(None, [earlier((QUALITY, SPEED), files), headline(compared)]))
    if speed is not None:
        part += "\n\nTime of a training step (batch × length; in brackets relative to the "
        part += f"Transformer):\n\n{step_table(speed)}"
    return part + "\n\nEverything measured, the misses included: [RESULTS.md](RESULTS.md)."


def _between_markers(path: Path, text: str, part: str) -> str:
    if not (text.count(BEGIN) == text.count(END) == 1 and text.index(BEGIN) < text.index(END)):
        raise ValueError(f"{path}: must hold {BEGIN} once and {END} once after it")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{part}\n{END}{rest.split(END)[1]}"


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
