"""The part of RESULTS.md about PRISM asking a tape: its bars, the first design beside it, cost."""

from __future__ import annotations

from typing import Any

from benchmarks.page import bars
from benchmarks.page.bars import Bar
from benchmarks.page.markdown import table
from prism.compare.statistics import Estimate, estimate
from prism.studies.retrieval.report import BARS, FIRST_DESIGN

ASKS = {
    "answered": "facts never seen in training are answered ≥ 0.95 at 100 facts",
    "refused, its subject is known": "absent facts of known subjects are refused ≥ 0.95",
    "refused, its subject is not": "absent facts of other subjects are refused ≥ 0.95",
    "logits bit-identical, gate closed": "nothing changes where no fact speaks: 1",
    "parameters unchanged": "the weights are those before: 1",
    "register as if never told": "forgetting leaves what never knew it: 1",
}


def sections(content: dict[str, Any]) -> list[str]:
    """Paragraphs and tables, from the content of retrieval.json."""
    runs, meta = content["runs"], content["meta"]
    found = retrieval_bars(runs)
    met = sum(bar.met is True for bar in found)
    plan = runs[0]["plan"]
    return [
        f"`PrismConfig.holo_mode`: {plan['steps']} steps of {plan['batch_size']} × "
        f"{plan['length']} tokens with facts that are thrown away at every step, then frozen and "
        f"asked about {runs[0]['facts']} facts of the test split. {len(runs)} seeds, "
        f"{meta['cpu']}, torch {meta['torch']}. {met} of {len(found)} bars met on every seed:",
        table(bars.HEAD, [bar.cells for bar in found], left=4),
        "All figures, mean and half of the 95% interval over seeds. *First design* is the read "
        "head of the earlier public implementation, as its own log reports it: "
        "below the answers it gave without any tape.",
        _answers(runs),
        _cost(runs[0]["cost"]),
        _specificity(runs),
        _probes(runs),
    ]


def retrieval_bars(runs: list[dict[str, Any]]) -> list[Bar]:
    """One bar per figure that has one, with its lowest and highest seed; met if all meet it."""
    found = []
    for i, (metric, asks) in enumerate(ASKS.items()):
        values = _values(runs, metric)
        reached = " to ".join(dict.fromkeys(f"{x:.4g}" for x in (min(values), max(values))))
        found.append(Bar(f"R{i + 1}", asks, reached, min(values) >= BARS[metric]))
    return found


def _values(runs: list[dict[str, Any]], metric: str) -> list[float]:
    return [row["value"] for run in runs for row in run["rows"] if row["metric"] == metric]


def _answers(runs: list[dict[str, Any]]) -> str:
    lines = []
    for row in runs[0]["rows"]:
        first = FIRST_DESIGN.get(row["metric"])
        lines.append(
            [
                row["metric"],
                row["protocol"],
                "–" if first is None else f"{first:.2f}",
                _shown(estimate(_values(runs, row["metric"]))),
                f"{row['count']:,}",
            ]
        )
    return table(["", "protocol", "first design", "ours", "cases per seed"], lines, left=2)


def _shown(found: Estimate) -> str:
    if found.half_width is None:
        return f"{found.mean:.4f}"
    return f"{found.mean:.4f} ± {found.half_width:.4f}"


def _cost(cost: dict[str, Any]) -> str:
    return (
        f"`holo_mode` adds {cost['parameters added']:,} parameters to {cost['parameters']:,} "
        f"({cost['parameters added, share']:.2%}; the first design claimed a quarter fewer and had "
        f"{FIRST_DESIGN['parameters added, share']:.0%} more) and "
        f"{cost['flops added per token']:,.0f} operations to {cost['flops per token']:,.0f} per "
        f"token ({cost['flops added per token, share']:.2%}); a question to the tape takes "
        f"{cost['flops per question']:,} more."
    )


def _specificity(runs: list[dict[str, Any]]) -> str:
    alone = [p for run in runs for p in run["probes"] if _is_of_eight(p)]
    whole = [p for run in runs for p in run["probes"] if _is_end_to_end(p)]
    said = (
        '**What "specificity +0.355" was.** The mean cosine of eight superposed random vectors '
        "with what was bound, which is 1/√8 whatever the model does: theory "
        f"{alone[0]['theory']:.4f}, here {_shown(estimate([p['measured'] for p in alone]))}, "
        "no model taking part."
    )
    if whole:
        said += (
            " Measured end to end (exact match when the fact is bound, minus exact match when the "
            f"answers are exchanged), ours is {_shown(estimate([p['measured'] for p in whole]))}."
        )
    return said


def _is_of_eight(probe: dict[str, Any]) -> bool:
    return probe["probe"] == "specificity" and probe["setting"].endswith("N = 8, no model")


def _is_end_to_end(probe: dict[str, Any]) -> bool:
    return probe["probe"] == "specificity" and probe["setting"].endswith("trained model")


def _probes(runs: list[dict[str, Any]]) -> str:
    lines = []
    for i, probe in enumerate(runs[0]["probes"]):
        if probe["probe"] != "capacity":
            continue
        measured = estimate([run["probes"][i]["measured"] for run in runs])
        control = estimate([run["probes"][i]["control"] for run in runs])
        lines.append(
            [probe["setting"], _shown(measured), f"{probe['theory']:.4f}", _shown(control)]
        )
    if not lines:
        return ""
    head = ["tape", "answered right, from the tape alone", "theory", "absent facts answered"]
    return table(head, lines)
