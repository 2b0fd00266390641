"""RESULTS.md, as text, from the files of measurements. Whatever is missing is named, with
the command that makes it; every number comes from a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.page import bars
from benchmarks.page.bars import Bar
from benchmarks.page.chapters import CHAPTERS
from benchmarks.page.markdown import table
from benchmarks.quality import page as quality_page
from benchmarks.quality.bars import quality_bars
from benchmarks.specialisation.bars import specialisation_bars
from benchmarks.speed import page as measured_page
from benchmarks.speed.bars import speed_bars
from prism.compare.summary import TaskSummary, summarise

COMPARE, SPEED, SPECIALISATION = "compare.json", "speed.json", "specialisation.json"
COMMANDS = {
    COMPARE: "python -m prism.train --compare --full --out runs/full, then "
    "python -m benchmarks.results --import runs/full/results.json",
    SPEED: "python -m benchmarks.speed",
    SPECIALISATION: "python -m benchmarks.specialisation",
} | {chapter.file: chapter.command for chapter in CHAPTERS}


@dataclass(frozen=True)
class Evidence:
    """What has been measured: the content of every file by name, None for one that is not there."""

    files: dict[str, dict[str, Any] | None]

    @classmethod
    def read(cls, folder: Path) -> Evidence:
        """The files in ``folder``.

        Raises:
            ValueError: a file is there and is not JSON.
        """
        return cls({name: _read(folder / name) for name in COMMANDS})

    @property
    def compare(self) -> dict[str, Any] | None:
        """The comparison."""
        return self.files[COMPARE]

    @property
    def speed(self) -> dict[str, Any] | None:
        """The speeds."""
        return self.files[SPEED]

    @property
    def specialisation(self) -> dict[str, Any] | None:
        """What each kind is good for."""
        return self.files[SPECIALISATION]

    @property
    def summaries(self) -> list[TaskSummary]:
        """The comparison by task."""
        return [] if self.compare is None else summarise(self.compare["runs"])

    @property
    def bars(self) -> list[Bar]:
        """All bars in order; those of a missing file are not measured."""
        found = quality_bars(self.summaries)
        if self.specialisation is None:
            found.append(
                Bar("6", "a kind hurts ≥ 3 × as much where it wins", bars.NOT_MEASURED, None)
            )
        else:
            found += specialisation_bars(self.specialisation)
        if self.speed is None:
            asks = (("7", "step time, memory, decoding"), ("8", "cost of the neural kind"))
            found += [Bar(number, what, bars.NOT_MEASURED, None) for number, what in asks]
        else:
            found += speed_bars(self.speed)
        return found


def results_page(evidence: Evidence) -> str:
    """The whole of RESULTS.md."""
    counts = [sum(bar.met is met for bar in evidence.bars) for met in (True, False, None)]
    sections = [
        "# Results",
        "Made by `python -m benchmarks.results` from the JSON files in `benchmarks/results/`; "
        "every number below comes from them, none is typed in.",
        "## Bars",
        f"What was asked for before anything was measured: {counts[0]} met, {counts[1]} missed, "
        f"{counts[2]} not judged. Bar 6 also asks for the invariants, which `make test` proves.",
        table(bars.HEAD, [bar.cells for bar in evidence.bars], left=4),
        *_quality(evidence),
        *_specialisation(evidence.specialisation),
        *_speed(evidence.speed),
        *_chapters(evidence),
        "## How it was made",
        *_origin(evidence),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def readme_part(evidence: Evidence) -> str:
    """What README.md shows between its markers."""
    if evidence.compare is None:
        return _missing(COMPARE)
    part = quality_page.headline(evidence.compare["meta"], evidence.summaries)
    if evidence.speed is not None:
        part += "\n\nTime of a training step (batch × length; in brackets relative to the "
        part += f"Transformer):\n\n{measured_page.step_table(evidence.speed)}"
    return part + "\n\nEverything measured, the misses included: [RESULTS.md](RESULTS.md)."


def _quality(evidence: Evidence) -> list[str]:
    head = "## Quality"
    if evidence.compare is None:
        return [head, _missing(COMPARE)]
    summaries = evidence.summaries
    rates: dict[tuple[str, str], list[float]] = {}
    for run in evidence.compare["runs"]:
        rates.setdefault((run["task"], run["model"]), []).append(run["lr"])
    return [
        head,
        quality_page.headline(evidence.compare["meta"], summaries),
        "### Protocol",
        quality_page.protocol(summaries, rates),
        "### PRISM minus baseline, seed by seed",
        "An interval that excludes 0 is a difference that the seeds support: above 0 in PRISM's "
        "favour for accuracy, below 0 for bits per byte.",
        quality_page.differences(summaries),
        "### What was run",
        quality_page.details(summaries),
        "## Length",
        "Test scores on longer sequences than those trained on, without retraining.",
        quality_page.lengths(summaries),
    ]


def _specialisation(content: dict[str, Any] | None) -> list[str]:
    head = "## Specialisation"
    if content is None:
        return [head, _missing(SPECIALISATION)]
    return [
        head,
        "A decision is one token in one layer; the likeliest kind wins it. Equally many decisions "
        "are drawn among those that a kind wins and among the others, and its weight is set to 0 "
        "there: harm is what the loss gains in nats per decision, ratio is harm where it wins over "
        "harm elsewhere. Harms below a millionth of a nat are rounding and count as 0.",
        measured_page.specialisation_table(content),
        "\n".join(measured_page.training_notes(content)),
    ]


def _speed(speed: dict[str, Any] | None) -> list[str]:
    head = "## Speed"
    if speed is None:
        return [head, _missing(SPEED)]
    return [
        head,
        "![Step time, memory and decoding](benchmarks/results/speed.png)",
        measured_page.setting(speed),
        measured_page.step_table(speed),
        measured_page.per_token_table(speed),
        "Peak memory of a step on one sequence, above that of the idle process:",
        measured_page.memory_table(speed) if speed["memory"] else "Not measured on this system.",
        "Decoding, one sequence, one token at a time:",
        measured_page.decode_table(speed),
        "The neural kind in sparse mode, forward and backward:",
        measured_page.share_table(speed),
    ]


def _chapters(evidence: Evidence) -> list[str]:
    found = []
    for chapter in CHAPTERS:
        content = evidence.files[chapter.file]
        found.append(f"## {chapter.title}")
        found += [_missing(chapter.file)] if content is None else chapter.sections(content)
    return found


def _origin(evidence: Evidence) -> list[str]:
    known = {n: content["meta"] for n, content in evidence.files.items() if content is not None}
    fields = ("command", "profile", "commit", "code", "prism", "torch", "numpy", "python")
    fields += ("platform", "device", "cpus", "started", "finished")
    rows = [[f, *(str(meta.get(f) or "–") for meta in known.values())] for f in fields]
    if not known:
        return ["Nothing has been measured yet."]
    return [table(["", *known], rows, left=4)]


def _missing(name: str) -> str:
    commands = COMMANDS[name].replace(", then ", "`, then `")
    return f"Not measured yet: `benchmarks/results/{name}` comes from `{commands}`."


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}; must be JSON") from error
