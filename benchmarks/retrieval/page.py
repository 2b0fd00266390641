"""Chapter on PRISM with a HoloTape: answers beside the first design, cost, probes."""

from __future__ import annotations

from typing import Any

from benchmarks.page.markdown import NONE, columns
from benchmarks.retrieval.criteria import values_of
from prism.compare.statistics import estimate
from prism.studies.retrieval.report import FIRST_DESIGN


def retrieval_sections(content: dict[str, Any]) -> list[str]:
    """Paragraphs and tables, from the content of retrieval.json."""
    runs, meta = content["runs"], content["meta"]
    plan = runs[0]["plan"]
    return [
        f"`PrismConfig.holo_mode`: {plan['steps']} steps of {plan['batch_size']} × "
        f"{plan['length']} tokens with facts that are thrown away at every step, then frozen and "
        f"asked about {runs[0]['facts']} facts of the test split. {len(runs)} seeds, "
        f"{meta['cpu']}, torch {meta['torch']}. A criterion is met if every seed meets it.",
        "All figures, mean and half of the 95% interval over seeds. *First design* is the read "
        "head of the earlier public implementation, as its own log reports it: "
        "below the answers it gave without any tape.",
        columns(
            runs[0]["rows"],
            {
                "": "{metric}",
                "protocol": "{protocol}",
                "first design": lambda row: (
                    f"{FIRST_DESIGN[row['metric']]:.2f}" if row["metric"] in FIRST_DESIGN else NONE
                ),
                "ours": lambda row: shown(values_of(runs, row["metric"])),
                "cases per seed": "{count:,}",
            },
            left=2,
        ),
        _cost(runs[0]["cost"]),
        _specificity([probe for run in runs for probe in run["probes"]]),
        _capacity(runs),
    ]


def shown(values: list[float]) -> str:
    """Mean and half of the interval over seeds."""
    mean = estimate(values)
    half = "" if mean.half_width is None else f" ± {mean.half_width:.4f}"
    return f"{mean.mean:.4f}{half}"


def _cost(cost: dict[str, Any]) -> str:
    return (
        f"`holo_mode` adds {cost['parameters added']:,} parameters to {cost['parameters']:,} "
        f"({cost['parameters added, share']:.2%}; the first design claimed a quarter fewer and had "
        f"{FIRST_DESIGN['parameters added, share']:.0%} more) and "
        f"{cost['flops added per token']:,.0f} operations to {cost['flops per token']:,.0f} per "
        f"token ({cost['flops added per token, share']:.2%}); a question to the tape takes "
        f"{cost['flops per question']:,} more."
    )


def _specificity(probes: list[dict[str, Any]]) -> str:
    def of(setting: str) -> list[dict[str, Any]]:
        mine = [probe for probe in probes if probe["probe"] == "specificity"]
        return [probe for probe in mine if probe["setting"].endswith(setting)]

    alone, whole = of("N = 8, no model"), of("trained model")
    text = (
        '**What "specificity +0.355" was.** The mean cosine of eight superposed random vectors '
        "with what was bound, which is 1/√8 whatever the model does: theory "
        f"{alone[0]['theory']:.4f}, here {shown([p['measured'] for p in alone])}, "
        "no model taking part."
    )
    if whole:
        text += (
            " Measured end to end (exact match when the fact is bound, minus exact match when the "
            f"answers are exchanged), ours is {shown([p['measured'] for p in whole])}."
        )
    return text


def _capacity(runs: list[dict[str, Any]]) -> str:
    """Answers from the tape alone, by size of the tape; empty where it was not probed."""
    rows = [
        probe | {name: [run["probes"][i][name] for run in runs] for name in ("measured", "control")}
        for i, probe in enumerate(runs[0]["probes"])
        if probe["probe"] == "capacity"
    ]
    specs = {
        "tape": "{setting}",
        "answered right, from the tape alone": lambda row: shown(row["measured"]),
        "theory": "{theory:.4f}",
        "absent facts answered": lambda row: shown(row["control"]),
    }
    return columns(rows, specs) if rows else ""
