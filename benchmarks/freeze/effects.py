"""Effects of the factors of the ablation: what freezes the cloud early, and what keeps it frozen.

Two variants are a pair if their names differ in one word. The effect of that word is the mean of
the differences over all pairs, one number a seed, with the interval over the seeds:

    early     share of the numbers that have moved for the last time by a tenth of the run
    still     share of the numbers that move at a step, over the last tenth of the run
"""

from __future__ import annotations

from statistics import mean
from typing import Any

from benchmarks.page.markdown import interval, table

FACTORS = {
    "rounding of weights: nearest to stochastic": ("near", "stoch"),
    "moments: bf16 to fp32": ("m16", "m32"),
    "weights: bf16 to fp32": ("w16", "w32"),
    "beta2: .999 to .99": ("b2=.999", "b2=.99"),
    "rate: 1e-3 to 3e-4": ("lr=1", "lr=.3"),
    "decay: 0 to .1": ("wd=0", "wd=.1"),
}
EARLY = 0.1


def early(tracers: dict[str, Any], name: str) -> float:
    """Share frozen by a tenth of the run."""
    step = EARLY * (tracers["step"] - tracers["first"])
    at = max(i for i, t in enumerate(tracers["times"]) if t <= step)
    return 1.0 - tracers["variants"][name]["curve"][at]


def still(tracers: dict[str, Any], name: str) -> float:
    """Share that moves at a step of the last tenth."""
    found = tracers["variants"][name]
    causes, numbers = found["causes"], found["freezing"]["numbers"]
    begin = tracers["step"] - tracers["first"] - EARLY * (tracers["step"] - tracers["first"])
    late = [i for i, end in enumerate(tracers["windows"]) if end > begin]
    noted = sum(causes["noted"][i] for i in late)
    return sum(causes["moved"][i] for i in late) / max(noted * numbers, 1)


def pairs(names: list[str], a: str, b: str) -> list[tuple[str, str]]:
    """Names with the word ``a``, and with ``b`` in its place."""
    made = [(n, " ".join(b if word == a else word for word in n.split())) for n in names]
    return [(n, other) for n, other in made if n != other and other in names]


def effects_table(runs: list[dict[str, Any]]) -> str:
    """The effect of each factor on both, over the seeds."""
    rows = []
    for label, (a, b) in FACTORS.items():
        found = pairs(list(runs[0]["tracers"]["variants"]), a, b)
        if not found:
            continue
        cells = []
        for measure in (early, still):
            each = [mean(measure(r["tracers"], y) - measure(r["tracers"], x) for x, y in found)
                    for r in runs]  # fmt: skip
            cells.append(interval(each, "{:+.3f}"))
        rows.append([label, f"{len(found)}", *cells])
    head = ["change", "pairs", "frozen by a tenth of the run", "moving in its last tenth"]
    return table(head, rows)
