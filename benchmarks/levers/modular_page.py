"""The part of RESULTS_LEVERS.md about modular phases."""

from __future__ import annotations

from typing import Any

from benchmarks.levers.modular import AGAIN, with_better_joint
from benchmarks.levers.summary import mean_of
from benchmarks.page.markdown import table

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
        f"`prism.studies.modular`, {study['steps']} steps of {study['rows']} × {study['length']} "
        f"tokens for the joint run, seeds: {len(rows)}. Rates: joint {_joint_rates(part)}, "
        f"trunk {first['trunk_lr']:g}, parts {first['part_lr']:g}; each ends at a tenth of its "
        f"peak. {_search(part)} Losses in nats, cost of each phase alone:",
        table(["model", *domains, "FLOPs", "CPU seconds"], lines),
        _beyond(rows),
        "Reported at scale: experts trained apart against a frozen trunk and an anchor, then "
        "merged, at 7 billion parameters ([2507.07024](https://arxiv.org/abs/2507.07024)).",
    ]


def _joint_rates(part: Row) -> str:
    return " and ".join(f"{rate:g}" for rate in sorted(_rates(part, "final", AGAIN)))


def _search(part: Row) -> str:
    """How the rates came about."""
    tried = ", ".join(f"{rate:g}" for rate in sorted(_rates(part, "tuning")))
    again = any(row["phase"] == AGAIN for row in part["runs"])
    two = " Of the two joint runs of a seed the better one counts." if again else ""
    return (
        f"Tried: {tried} on tuning seeds, everything at one rate at a time; the joint run's is "
        f"best by its own loss, the trunk's by its own, the parts' by that of their assembly.{two}"
    )


def _rates(part: Row, *phases: str) -> set[float]:
    return {row["lr"] for row in part["runs"] if row["phase"] in phases}


def _beyond(rows: dict[int, Row]) -> str:
    """What the bars leave out."""
    seen = [run["measures"] for run in rows.values()]

    def mean(*path: str) -> float:
        return mean_of(rows, "measures", *path)

    def worst(name: str) -> str:
        return ", ".join(f"{max(each[name].values()):+.3f}".replace("-", "−") for each in seen)

    past = sum(each["mean"]["joint"] >= each["mean"]["calibrated"] for each in seen)
    return (
        f"The worst disturbance of a domain by seed is {worst('interference')}, calibrated "
        f"{worst('interference_calibrated')}. {_best_parts(rows)} From the trunk on, trained "
        f"parts, assembly and calibration go {mean('closed_of_trunk'):.0%} of the way to the joint "
        f"run. The critical path is {mean('critical_path', 'seconds'):.2f} of the joint run's CPU "
        f"seconds and {mean('critical_path', 'flops'):.2f} of its FLOPs. Only gates are "
        "calibrated, so the calibration can take back what parts do to each other and little else; "
        "where the joint run is ahead of the best part, a gap is left. The calibrated model is as "
        f"good as the joint run in {past} of {len(rows)} seeds."
    )


def _best_parts(rows: dict[int, Row]) -> str:
    """By domain and seed, the loss of the best single part, which assemblies are compared with."""
    domains = next(iter(rows.values()))["measures"]["interference"]
    shown = [
        f"{domain} "
        + ", ".join(
            f"{run['losses']['assembled'][domain] - run['measures']['interference'][domain]:.3f}"
            for run in rows.values()
        )
        for domain in domains
    ]
    return f"The best single part of each seed: {'; '.join(shown)}."
