"""Results of the protocol as a table, one line a metric and arm, beside its acceptance bar."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from rich.table import Table

# bar, metric, field of a row, comparison, arm, and what else the row must be
BARS: tuple[tuple[str, str, str, str, float, dict[str, Any]], ...] = (
    ("M1", "several hops right", "multi-hop right", ">=", 0.90, {"arm": "tape", "facts": 1_000}),
    ("M1", "several hops wrong", "multi-hop wrong", "<=", 0.02, {"arm": "tape", "facts": 1_000}),
    ("M1", "two hops right", "2 hops right", ">=", 0.93, {"arm": "tape", "facts": 1_000}),
    ("M1", "three hops right", "3 hops right", ">=", 0.85, {"arm": "tape", "facts": 1_000}),
    ("M1", "four hops right", "4 hops right", ">=", 0.85, {"arm": "tape", "facts": 1_000}),
    ("M2", "silent where there is none", "silent where there is none", ">=", 0.97,
     {"arm": "tape", "facts": 1_000}),
    ("M2", "silent about what nobody said", "unsaid_silent", ">=", 0.97, {"part": "told"}),
    ("M12", "ms, median", "ms p50", "<=", 25.0, {"arm": "tape", "facts": 1_000}),
    ("M12", "ms, median", "ms p50", "<=", 60.0, {"arm": "tape", "facts": 100_000}),
    ("M12", "ms of the process alone", "cpu ms p50", "<=", 25.0,
     {"arm": "tape", "facts": 1_000}),
    ("M5", "updated", "updated", ">=", 0.97, {"part": "changes"}),
    ("M5", "stale", "stale", "<=", 0.0, {"part": "changes"}),
    ("M5", "as of", "as of", ">=", 0.97, {"part": "changes"}),
    ("M18", "exact", "exact", ">=", 0.99, {"part": "pairs", "arm": "taught"}),
    ("M18", "reworded", "reworded", ">=", 0.80, {"part": "pairs", "arm": "taught"}),
    ("M18", "unrelated unchanged", "unrelated unchanged", ">=", 0.999,
     {"part": "pairs", "arm": "taught"}),
    ("M3", "precision", "precision", ">=", 0.93, {"part": "statements"}),
    ("M3", "recall", "recall", ">=", 0.75, {"part": "statements"}),
    ("M3", "false facts", "false_share", "<=", 0.02, {"part": "statements"}),
    ("M12", "ms a statement", "ms", "<=", 10.0, {"part": "statements"}),
    ("M12", "ms a statement, process alone", "cpu ms", "<=", 10.0, {"part": "statements"}),
    ("M4", "right after a restart", "right", ">=", 0.90, {"part": "told"}),
    ("M4", "wrong after a restart", "wrong", "<=", 0.03, {"part": "told"}),
    ("M5", "updated by talk", "updated", ">=", 0.97, {"part": "told"}),
    ("M5", "stale by talk", "stale", "<=", 0.0, {"part": "told"}),
    ("M5", "old value as a fact of the history", "old_in_history", ">=", 0.97, {"part": "told"}),
    ("M5", "old value in a sentence that is kept", "old_in_sentence", ">=", 0.97,
     {"part": "told"}),
    ("M10", "self-answers stored", "self_answers", "<=", 0.0, {"part": "poison"}),
    ("M10", "echoes stored", "echoes", "<=", 0.0, {"part": "poison"}),
    ("M10", "lines of documents", "document", "<=", 0.01, {"part": "poison"}),
    ("M10", "pasted lines", "pasted", "<=", 0.01, {"part": "poison"}),
    ("M10", "users overridden", "overridden", "<=", 0.0, {"part": "poison"}),
    ("M17", "tape apart from dict", "apart", "<=", 0.005, {"part": "apart"}),
    ("M19", "acknowledged and lost", "lost", "<=", 0.0, {"part": "conversations"}),
    ("M19", "stored unacknowledged", "unacknowledged", "<=", 0.0, {"part": "conversations"}),
    ("M19", "turns over budget", "over_budget", "<=", 0.0, {"part": "conversations"}),
)  # fmt: skip
SHOWN = (
    "right", "wrong", "multi-hop right", "multi-hop wrong", "1 hops right", "2 hops right",
    "3 hops right", "4 hops right", "silent where there is none", "ms p50", "cpu ms p50",
    "bytes", "register bytes",
)  # fmt: skip


def verdicts(runs: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Bar, set, size, metric, mean over seeds, what is wanted, and whether it is met."""
    found = []
    for bar, metric, field, sign, limit, where in BARS:
        groups: dict[tuple[str, Any], list[float]] = {}
        for run in [*runs, *apart(runs)]:
            if all(run.get(k) == v for k, v in where.items()) and run.get(field) is not None:
                size = run.get("facts") or run.get("pairs")
                groups.setdefault((run["set"], size), []).append(run[field])
        for (name, size), values in groups.items():
            mean = fmean(values)
            met = mean >= limit if sign == ">=" else mean <= limit
            count = "" if size is None else f"{size:,}"
            wanted = f"{sign} {limit:g}"
            found.append((bar, name, count, metric, f"{mean:.4g}", wanted, "yes" if met else "NO"))
    return found


def judged(runs: Sequence[dict[str, Any]]) -> Table:
    """The acceptance bars, each with the mean over seeds of what was measured."""
    shown = Table(title="acceptance bars, mean over seeds")
    for name in ("bar", "set", "size", "metric", "value", "wanted", "met"):
        shown.add_column(name)
    for row in verdicts(runs):
        shown.add_row(*row)
    return shown


def apart(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Distance of the tape without its list from the dict, by world: share of right answers."""
    worlds: dict[tuple[Any, ...], dict[str, float]] = {}
    for run in runs:
        if run.get("arm") in ("tape alone", "dict"):
            world = worlds.setdefault((run["set"], run["facts"], run["seed"]), {})
            world[run["arm"]] = run["right"]
    return [
        {"part": "apart", "set": name, "facts": facts, "seed": seed}
        | {"apart": abs(arms["tape alone"] - arms["dict"])}
        for (name, facts, seed), arms in worlds.items()
        if len(arms) == 2
    ]


def compared(runs: Sequence[dict[str, Any]]) -> Table:
    """Arms of the questions side by side."""
    rows = [run for run in runs if run.get("part") == "questions"]
    arms = list(dict.fromkeys(run["arm"] for run in rows))
    shown = Table(title="questions: the tape beside its controls, mean over seeds")
    for name in ("set", "facts", "metric", *arms):
        shown.add_column(name)
    for name, facts in dict.fromkeys((run["set"], run["facts"]) for run in rows):
        here = [run for run in rows if (run["set"], run["facts"]) == (name, facts)]
        for metric in SHOWN:
            cells = []
            for arm in arms:
                values = [r[metric] for r in here if r["arm"] == arm and r.get(metric) is not None]
                cells.append(f"{fmean(values):.4g}" if values else "")
            if any(cells):
                shown.add_row(name, f"{facts:,}", metric, *cells)
    return shown
