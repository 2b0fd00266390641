"""What one seed says, as few numbers.

    interference     assembled - best single part, by domain, nats        bar: at most 0.05
    closed           (assembled - calibrated) / (assembled - joint)       bar: at least 0.9
    closed_of_trunk  (trunk - calibrated) / (trunk - joint)               the same from where the
                                                                          parts began
    critical_path    trunk + longest part + calibration, over joint       bar: at most 0.5 of the
                                                                          seconds
    total            all phases over joint                                bar: at most 1.1 of the
                                                                          FLOPs

Losses without a domain are means over the domains. Where there is no gap (the joint run is no
better than what is measured) it counts as closed.
"""

from __future__ import annotations

from collections.abc import Mapping

from prism.studies.modular.domains import DOMAINS, OWN

KINDS = tuple(OWN.values())


def measures(
    losses: Mapping[str, Mapping[str, float]], cost: Mapping[str, Mapping[str, float]]
) -> dict[str, object]:
    """The numbers above from ``losses`` (model, domain: nats) and ``cost`` (model: tokens, flops,
    seconds)."""
    mean = {name: sum(each.values()) / len(each) for name, each in losses.items()}
    interference = {d: _above_best(losses, "assembled", d) for d in DOMAINS}
    return {
        "interference": interference,
        "worst_interference": max(interference.values()),
        "interference_calibrated": {d: _above_best(losses, "calibrated", d) for d in DOMAINS},
        "mean": mean,
        "closed": _share(mean["assembled"], mean["calibrated"], mean["joint"]),
        "closed_of_trunk": _share(mean["trunk"], mean["calibrated"], mean["joint"]),
        "critical_path": {unit: _critical(cost, unit) for unit in ("flops", "seconds")},
        "total": {unit: _total(cost, unit) for unit in ("flops", "seconds")},
        "calibration_tokens": cost["calibrated"]["tokens"]
        / (cost["trunk"]["tokens"] + sum(cost[kind]["tokens"] for kind in KINDS)),
    }


def _above_best(losses: Mapping[str, Mapping[str, float]], name: str, domain: str) -> float:
    return losses[name][domain] - min(losses[kind][domain] for kind in KINDS)


def _share(start: float, end: float, goal: float) -> float:
    """How much of the way from ``start`` down to ``goal`` ends at ``end``; 1 without a way, and
    past it."""
    return 1.0 if start <= goal else min(1.0, (start - end) / (start - goal))


def _critical(cost: Mapping[str, Mapping[str, float]], unit: str) -> float:
    longest = max(cost[kind][unit] for kind in KINDS)
    way = cost["trunk"][unit] + longest + cost["calibrated"][unit]
    return way / cost["joint"][unit]


def _total(cost: Mapping[str, Mapping[str, float]], unit: str) -> float:
    phases = ("trunk", *KINDS, "calibrated")
    return sum(cost[name][unit] for name in phases) / cost["joint"][unit]
