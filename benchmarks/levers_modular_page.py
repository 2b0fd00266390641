"""The part of RESULTS_LEVERS.md about modular phases."""

from __future__ import annotations

from typing import Any

from benchmarks.levers_modular import AGAIN, with_better_joint
from benchmarks.levers_summary import mean_of
from benchmarks.markdown import table

Row = dict[str, Any]


def modular(part: Row) -> list[str]:
    """Paragraphs and tables about parts trained apart."""
    rows = with_better_joint(part)
    if not rows:
        return ["Only tuned so far: no seed is over."]
    first = next(iter(rows.values()))
    domains = list(next(iter(first["losses"].values())))
    names = list(first["losses"])
    costs = first["cost"]
    lines = [
        [
            name,
            *(f"{mean_of(rows, 'losses', name, domain):.3f}" for domain in domains),
            f"{mean_of(rows, 'cost', name, 'flops'):.2g}" if name in costs else "0",
            f"{mean_of(rows, 'cost', name, 'seconds'):.0f}" if name in costs else "0",
        ]
        for name in names
    ]
    study = part["sizes"]["study"]
    return [
        f"`prism.modular_study`, {study['steps']} steps of {study['rows']} × {study['length']} "
        f"tokens for the joint run, seeds: {len(rows)}. Rates: joint {_joint_rates(part)}, "
        f"trunk {first['trunk_lr']:g}, parts {first['part_lr']:g}; each ends at a tenth of its "
        "peak. Of two joint runs of a seed the better one counts. "
        "Losses in nats, cost of each phase alone:",
        table(["model", *domains, "FLOPs", "CPU seconds"], lines),
        _beyond(rows),
        "Reported at scale: experts trained apart against a frozen trunk and an anchor, then "
        "merged, at 7 billion parameters ([2507.07024](https://arxiv.org/abs/2507.07024)).",
    ]


def _joint_rates(part: Row) -> str:
    rates = {row["lr"] for row in part["runs"] if row["phase"] in ("final", AGAIN)}
    return " and ".join(f"{rate:g}" for rate in sorted(rates))


def _beyond(rows: dict[int, Row]) -> str:
    """What the bars leave out."""

    def mean(*path: str) -> float:
        return mean_of(rows, "measures", *path)

    behind = [
        run["measures"]["mean"]["joint"] >= run["measures"]["mean"]["assembled"]
        for run in rows.values()
    ]
    unlucky = (
        f" In {sum(behind)} of {len(rows)} seeds the joint run is behind the assembled model, "
        "having failed to learn a domain; there the gap counts as closed."
        if any(behind)
        else ""
    )
    return (
        f"From the trunk on, trained parts, assembly and calibration go "
        f"{mean('closed_of_trunk'):.0%} of the way to the joint run. The critical path is "
        f"{mean('critical_path', 'seconds'):.2f} of the joint run's CPU seconds and "
        f"{mean('critical_path', 'flops'):.2f} of its FLOPs. Only gates are calibrated, so the "
        "calibration can take back what parts do to each other and little else; where the joint "
        "run is ahead of the best part, a gap is left." + unlucky
    )
