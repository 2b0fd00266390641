"""The chapters of RESULTS.md that each come from one JSON file, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.facts import page as facts_page
from benchmarks.holo import page as holo_page
from benchmarks.real_text import page as real_text_page
from benchmarks.retrieval import page as retrieval_page
from benchmarks.trainer import page as trainer_page


@dataclass(frozen=True)
class Chapter:
    """A heading, the file under benchmarks/results its figures come from, the command that writes
    that file, and what turns the file's content into paragraphs and tables."""

    title: str
    file: str
    command: str
    sections: Callable[[dict[str, Any]], list[str]]


CHAPTERS = (
    Chapter("HoloTape", "holo.json", "python -m benchmarks.holo", holo_page.sections),
    Chapter(
        "Facts in SmolLM2",
        "facts.json",
        "python -m prism.eval_facts, then cp runs/facts/facts.json runs/facts/facts.png "
        "benchmarks/results/",
        facts_page.sections,
    ),
    Chapter(
        "PRISM asks a tape",
        "retrieval.json",
        "python -m benchmarks.retrieval",
        retrieval_page.sections,
    ),
    Chapter(
        "Real text",
        "real_text.json",
        "python -m benchmarks.real_text --data MIX",
        real_text_page.sections,
    ),
    Chapter("The trainer", "trainer.json", "python -m benchmarks.trainer", trainer_page.sections),
)
