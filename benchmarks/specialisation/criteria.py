"""Criterion 6: per task, a kind of expert hurts at least three times as much where it wins."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import Any

from benchmarks.page.criterion import NOT_MEASURED, Criterion
from benchmarks.page.markdown import minus

LIMIT = 3.0
RESOLUTION = 1e-6  # nats; less is rounding, and the ratio of two such numbers means nothing


@dataclass(frozen=True)
class Harm:
    """One kind on one task, means over the seeds where both harms could be measured (``seeds`` of
    ``runs``; None if there is none); ``wins`` is over all runs."""

    task: str
    kind: str
    where: str
    wins: float
    seeds: int
    runs: int
    won: float | None
    others: float | None

    @property
    def ratio(self) -> float | None:
        """Mean harm over mean harm; None if not measured or switching off elsewhere is no harm."""
        if self.won is None or self.others is None or self.others <= 0:
            return None
        return self.won / self.others

    @property
    def met(self) -> bool | None:
        """Whether it hurts ``LIMIT`` times as much where it wins; None if not measured, or if
        it hurts nowhere, so that there is nothing to be specialised in."""
        if self.won is None or self.others is None or self.won == self.others == 0:
            return None
        return self.won > 0 and self.won >= LIMIT * self.others

    @property
    def text(self) -> str:
        """The ratio in words."""
        if self.won is None:
            return "wins too few or too many"
        if self.ratio is None:
            return "no harm elsewhere" if self.won > 0 else "no harm at all"
        return minus(f"{self.ratio:.1f}")


def harms(content: dict[str, Any]) -> list[Harm]:
    """Every task, kind and place of specialisation.json, seeds put together."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for run in content["runs"]:
        for row in run["kinds"]:
            groups.setdefault((run["task"], row["where"], row["kind"]), []).append(row)
    means = []
    for (task, where, kind), rows in groups.items():
        wins = fmean(row["wins"] for row in rows)
        known = sum(row["harm_won"] is not None for row in rows)
        won, others = _mean(rows, "harm_won"), _mean(rows, "harm_others")
        means.append(Harm(task, kind, where, wins, known, len(rows), won, others))
    return means


def _mean(rows: list[dict[str, Any]], field: str) -> float | None:
    """Mean over the seeds that measured it, 0 below the resolution; None if none did."""
    known = [row[field] for row in rows if row[field] is not None]
    if not known:
        return None
    mean = fmean(known)
    return mean if abs(mean) >= RESOLUTION else 0.0


def specialisation_criteria(content: dict[str, Any] | None) -> list[Criterion]:
    """One criterion per task: met if every kind that could be measured meets it."""
    if content is None:
        return [Criterion("6", f"a kind hurts ≥ {LIMIT:g} × as much where it wins")]
    everywhere = [harm for harm in harms(content) if harm.where == "all"]
    criteria = []
    for task in dict.fromkeys(run["task"] for run in content["runs"]):
        mine = [harm for harm in everywhere if harm.task == task]
        known = [harm.met for harm in mine if harm.met is not None]
        reached = ", ".join(f"{harm.kind} {harm.text}" for harm in mine) or NOT_MEASURED
        asks = f"{task}: switching a kind off hurts ≥ {LIMIT:g} × as much where it wins"
        criteria.append(Criterion("6", asks, reached, all(known) if known else None))
    return criteria
