"""Numbers of one seed: interference, share of the gap that is closed, cost.

    interference     assembled - best single branch, by domain, nats      criterion: at most 0.05
    closed           (assembled - calibrated) / (assembled - joint)       criterion: at least 0.9
    closed_of_trunk  (backbone - calibrated) / (backbone - joint)         the same from where the
                                                                          branches began
    critical_path    backbone + longest branch + calibration, over joint  criterion: at most 0.5 of
                                                                          the seconds
    total            all phases over joint                                criterion: at most 1.1 of
                                                                          the FLOPs

Losses without a domain are means over the domains. Where there is no gap (the joint run is no
better than what is measured) it counts as closed. Results call the backbone "trunk".
"""

from __future__ import annotations

from collections.abc import Mapping

from prism.studies.modular.domains import DOMAINS, OWN

KINDS = tuple(OWN.values())
UNITS = ("flops", "seconds")


def measures(
    losses: Mapping[str, Mapping[str, float]], cost: Mapping[str, Mapping[str, float]]
) -> dict[str, object]:
    """The numbers above from ``losses`` (model, domain: nats) and ``cost`` (model: tokens, flops,
    seconds)."""
    joint, apart = cost["joint"], [cost[name] for name in ("trunk", *KINDS, "calibrated")]
    longest = {unit: max(cost[kind][unit] for kind in KINDS) for unit in UNITS}
    mean = {name: sum(each.values()) / len(each) for name, each in losses.items()}
    interference = {d: _above_best(losses, "assembled", d) for d in DOMAINS}
    return {
        "interference": interference,
        "worst_interference": max(interference.values()),
        "interference_calibrated": {d: _above_best(losses, "calibrated", d) for d in DOMAINS},
        "mean": mean,
        "closed": _share(mean["assembled"], mean["calibrated"], mean["joint"]),
        "closed_of_trunk": _share(mean["trunk"], mean["calibrated"], mean["joint"]),
        "critical_path": {
            u: (cost["trunk"][u] + longest[u] + cost["calibrated"][u]) / joint[u] for u in UNITS
        },
        "total": {u: sum(phase[u] for phase in apart) / joint[u] for u in UNITS},
        "calibration_tokens": cost["calibrated"]["tokens"]
        / (cost["trunk"]["tokens"] + sum(cost[kind]["tokens"] for kind in KINDS)),
    }


def _above_best(losses: Mapping[str, Mapping[str, float]], name: str, domain: str) -> float:
    return losses[name][domain] - min(losses[kind][domain] for kind in KINDS)


def _share(start: float, end: float, goal: float) -> float:
    """How much of the way from ``start`` down to ``goal`` ends at ``end``; 1 without a way, and
    past it."""
    return 1.0 if start <= goal else min(1.0, (start - end) / (start - goal))
