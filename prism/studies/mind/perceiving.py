"""M3: extraction of facts from statements, and false facts on turns that state none."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prism.mind.perceive import Sentence, Triple, perceive
from prism.mind.working import WorkingMemory
from prism.studies.mind.matching import GoldFact, same_fact


def extracted(text: str) -> list[Triple]:
    """The facts of a turn in a conversation of its own."""
    return [fact for sentence in _read(text) for fact in sentence.facts]


def remembered(text: str) -> bool:
    """True if a sentence of a turn is kept in its own words."""
    return any(sentence.remarks for sentence in _read(text))


def _read(text: str) -> list[Sentence]:
    memory = WorkingMemory()
    memory.next_turn()
    return perceive(text, memory.resolve, memory.names(), memory.heard)


def matched(
    found: Sequence[Triple], gold: Sequence[GoldFact], strict: bool = False
) -> tuple[list[Triple], list[GoldFact]]:
    """Facts that are not in the set, and facts of the set that were not found. A name that a turn
    gives to a person of the speaker's ("my brother Tom") stands for either way to name them."""
    called = {f"{f.subject}/{f.relation}".lower(): f.object for f in found}
    missing, wrong = list(gold), []
    for fact in found:
        names = [fact, *(_renamed(fact, called))]
        hit = next((g for g in missing for f in names if same_fact(f, g, strict)), None)
        if hit is None:
            wrong.append(fact)
        else:
            missing.remove(hit)
    return wrong, missing


def _renamed(fact: Triple, called: Mapping[str, str]) -> list[Triple]:
    return [
        Triple(path, fact.relation, fact.object)
        for path, name in called.items()
        if name.lower() == fact.subject.lower()
    ]


def _share(kept: Iterable[bool]) -> float:
    found = list(kept)
    return sum(found) / max(1, len(found))


def measure(chosen: Mapping[str, Any], strict: bool = False, failures: int = 40) -> dict[str, Any]:
    """Precision, recall, false facts and milliseconds of a set.

    Args:
        chosen: the set; its ``statements`` and ``distractors`` are read.
        strict: a relation by its own name only.
        failures: how many misses are listed.

    Returns:
        ``precision``, ``recall``, ``false_share`` (distractors with a fact), ``kept_share`` and
        ``false_kept_share`` (statements and distractors kept in their own words), ``ms`` (median)
        and ``cpu ms`` of this process alone, the counts, and lists of what went wrong.
    """
    right = wrong = missed = 0
    misses: list[dict[str, Any]] = []
    times: list[float] = []
    own: list[float] = []
    extracted("Warm up is a word.")
    for row in chosen["statements"]:
        started, worked = time.perf_counter(), time.process_time()
        found = extracted(row["text"])
        own.append(1000 * (time.process_time() - worked))
        times.append(1000 * (time.perf_counter() - started))
        gold = [(fact[0], fact[1], fact[2]) for fact in row["facts"]]
        extra, missing = matched(found, gold, strict)
        right += len(found) - len(extra)
        wrong += len(extra)
        missed += len(missing)
        if extra or missing:
            plain = [[f.subject, f.relation, f.object] for f in extra]
            misses.append(
                {"text": row["text"], "wrong": plain, "missing": [list(g) for g in missing]}
            )
    false = []
    for row in chosen["distractors"]:
        if found := extracted(row["text"]):
            facts = [[f.subject, f.relation, f.object] for f in found]
            false.append({"text": row["text"], "kind": row.get("kind"), "facts": facts})
    return {
        "precision": right / max(1, right + wrong),
        "recall": right / max(1, right + missed),
        "false_share": len(false) / max(1, len(chosen["distractors"])),
        "kept_share": _share(remembered(row["text"]) for row in chosen["statements"]),
        "false_kept_share": _share(remembered(row["text"]) for row in chosen["distractors"]),
        "ms": sorted(times)[len(times) // 2],
        "cpu ms": sorted(own)[len(own) // 2],
        "right": right,
        "wrong": wrong,
        "missed": missed,
        "distractors": len(chosen["distractors"]),
        "misses": misses[:failures],
        "false": false[:failures],
    }
