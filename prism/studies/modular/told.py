"""The study in a table and in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from prism.studies.modular.domains import DOMAINS, OWN

BARS = {
    "worst_interference": 0.05,
    "closed": 0.9,
    "critical_path": 0.5,
    "total": 1.1,
}
MODELS = {
    "trunk": "trunk",
    **{kind: f"trunk + {kind}" for kind in OWN.values()},
    "assembled": "assembled",
    "calibrated": "assembled + calibrated",
    "joint": "joint training",
}


def losses_table(result: Mapping[str, Any]) -> Table:
    """One row per model: nats by domain, and what its phase cost."""
    shown = Table(title="nats per scored token on text that no model was trained on")
    for name, side in [("", "left"), *((d, "right") for d in (*DOMAINS, "mean"))]:
        shown.add_column(name, justify=side)
    shown.add_column("parameters", justify="right")
    shown.add_column("tokens", justify="right")
    shown.add_column("TFLOPs", justify="right")
    for name, words in MODELS.items():
        losses, cost = result["losses"][name], result["cost"].get(name)
        cells = [f"{losses[d]:.3f}" for d in DOMAINS]
        spent = ["", ""] if cost is None else [f"{cost['tokens']:,}", f"{cost['flops'] / 1e12:.3f}"]
        mean = result["measures"]["mean"][name]
        shown.add_row(words, *cells, f"{mean:.3f}", f"{result['parameters'][name]:,}", *spent)
    return shown


def sentences(result: Mapping[str, Any]) -> list[str]:
    """What it says, each figure beside its bar."""
    found = result["measures"]
    worst = max(DOMAINS, key=found["interference"].__getitem__)
    gap = found["mean"]["assembled"] - found["mean"]["joint"]
    way, total = found["critical_path"], found["total"]["flops"]
    lines = [
        f"Put together without any training in common, the parts are at most "
        f"{found['worst_interference']:+.3f} nats from the best single part, on {worst} "
        f"{_verdict(found['worst_interference'] <= BARS['worst_interference'], '<= 0.05')}.",
        f"Calibrating gates on {found['calibration_tokens']:.1%} of the tokens moves the mean from "
        f"{found['mean']['assembled']:.3f} to {found['mean']['calibrated']:.3f}; joint training "
        f"reaches {found['mean']['joint']:.3f}.",
    ]
    if gap > 0:
        met = found["closed"] >= BARS["closed"]
        lines.append(
            f"The calibration closes {found['closed']:.0%} of what is left to the joint run "
            f"{_verdict(met, '>= 90%')}; from the trunk on, "
            f"{found['closed_of_trunk']:.1%} of the way is gone."
        )
    else:
        lines.append("Nothing is left between the assembled model and the joint run.")
    lines.append(
        f"Trunk, longest part and calibration take {way['seconds']:.2f} of the joint run's CPU "
        f"seconds {_verdict(way['seconds'] <= BARS['critical_path'], '<= 0.5')} and "
        f"{way['flops']:.2f} of its FLOPs, all phases together {total:.2f} of its FLOPs "
        f"{_verdict(total <= BARS['total'], '<= 1.1')}."
    )
    return lines


def _verdict(met: bool, bar: str) -> str:
    return f"(bar {bar}: {'met' if met else 'MISSED'})"
