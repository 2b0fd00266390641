"""Chapters on the knowledge base: the protocol of sentences, the ledger, the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.page.markdown import NONE, table
from prism.studies.mind.report import SHOWN, verdicts

PAIRS_SHOWN = ("read", "exact", "reworded", "reworded wrong", "unrelated unchanged")
JUDGED = ("six",)  # sets that nobody who worked on the rules had read before they were measured


def mind_sections(content: dict[str, Any]) -> list[str]:
    """Bars and arms of the protocol, from the content of mind.json or mind-seen.json."""
    runs, meta = content["runs"], content["meta"]
    sets = ", ".join(dict.fromkeys(run["set"] for run in runs))
    seeds = len({run["seed"] for run in runs})
    questions = [run for run in runs if run["part"] == "questions"]
    sections = [
        f"`{_command(runs)}`, part by part from `{meta['command']}` on: sets of sentences by "
        f"people who had seen no rule ({sets}; {seeds} seed(s)). {_standing(sets)} Times are of a "
        "shared machine; `cpu ms` is of the process alone.",
        table(
            ["bar", "set", "size", "metric", "measured", "wanted", "met"], verdicts(runs), left=4
        ),
    ]
    if questions:
        sections.append(
            "The same questions to the tape with its list of values, to the tape alone, to a plain "
            "dict, to a dict whose values are shuffled, and with one pass instead of a loop. For "
            "exact keys the dict is faster; which is smaller depends on the size. The tape is a "
            "register that a model can read."
        )
    sections += [_arms(questions, n) for n in dict.fromkeys(run["facts"] for run in questions)]
    return sections + pair_tables(runs)


def pair_tables(runs: list[dict[str, Any]]) -> list[str]:
    """Pairs taught once beside their controls, a table a number of pairs, mean over seeds."""
    pairs = [run for run in runs if run["part"] == "pairs"]
    sizes = dict.fromkeys(run["pairs"] for run in pairs)
    return [_beside(pairs, "pairs", n, "pairs taught once", PAIRS_SHOWN) for n in sizes]


def _command(runs: list[dict[str, Any]]) -> str:
    """The command that gives these runs whole."""
    sets = ",".join(dict.fromkeys(run["set"] for run in runs))
    sizes = ",".join(str(n) for n in dict.fromkeys(run["facts"] for run in runs if "facts" in run))
    parts = ",".join(dict.fromkeys(run["part"] for run in runs))
    seeds = len({run["seed"] for run in runs})
    facts = f" --facts {sizes}" if sizes else ""
    return f"python -m prism.eval_mind --sets {sets}{facts} --seeds {seeds} --parts {parts}"


def _standing(sets: str) -> str:
    """Standing of the figures of these sets: seen or unseen text."""
    if sets in JUDGED:
        return (
            "The bars are judged on this set: it was frozen before the first measurement and read "
            "by this command alone, and nothing was mended with it before the commit named below. "
            "Rules that came later are not judged by it (docs/LOG.md names them)."
        )
    return (
        "No figure of text that was not seen: rules were mended with these sets, and weights of "
        "kept sentences and of rewordings fitted to them. Set six is the judged one."
    )


def _arms(questions: list[dict[str, Any]], facts: int) -> str:
    """The arms side by side at one number of facts."""
    return _beside(questions, "facts", facts, "facts", SHOWN)


def _beside(
    runs: list[dict[str, Any]], field: str, size: int, what: str, shown: Sequence[str]
) -> str:
    """The arms side by side at one size, mean over sets and seeds."""
    here = [run for run in runs if run[field] == size]
    arms = list(dict.fromkeys(run["arm"] for run in here))
    rows = []
    for metric in shown:
        cells = []
        for arm in arms:
            values = [run[metric] for run in here if run["arm"] == arm and metric in run]
            cells.append(f"{sum(values) / len(values):.4g}" if values else NONE)
        if any(cell != NONE for cell in cells):
            rows.append([metric, *cells])
    return table([f"{size:,} {what}", *arms], rows)


def prompted_sections(content: dict[str, Any]) -> list[str]:
    """The control of mind-prompted.json."""
    return [
        f"`{content['meta']['command']}`: the pairs stand before the question as turns of the "
        "chat, as many as fit into the 2,048 tokens that SmolLM2-135M was trained on (`read`). "
        "Right is a reply that holds the output; an unrelated text is unchanged if the reply is "
        "the one without the pairs.",
        *pair_tables(content["runs"]),
    ]


def figures(content: dict[str, Any]) -> list[str]:
    """All figures of mind-ledger.json or mind-serving.json, a table a part."""
    parts = [name for name in content if name != "meta"]
    found = [
        f"`{content['meta']['command']}`, on a machine that others used too. A part that is not "
        "listed has not been measured.",
    ]
    for name in parts:
        rows = content[name] if isinstance(content[name], list) else [content[name]]
        fields = list(rows[0])
        cells = [[field, *(_shown(row[field]) for row in rows)] for field in fields]
        found.append(table([name, *["" for _ in rows]], cells))
    return found


def _shown(value: Any) -> str:
    """A figure as it is read."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"
