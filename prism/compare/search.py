"""Search of the recipe of a model: until both neighbours are worse, on every axis.

The same rule and the same start for every model. The axes are grids that extend by themselves as
far as the search goes:

    lr        .016 2^k, from 6e-5 to .26
    warm_up   .02 .05 .1 .2 .4 .6 .8 of the steps
    dropout   0 .05 .1 .15 .2 .3 .4, where training data repeats

From the best recipe so far, the neighbours on the first axis that has some unmeasured are tried;
if one is better, the search goes on from there; else it goes to the next axis. So it ends where no
neighbour on any axis is better, whatever the grids begin with. Recipes are ranked as everywhere, on
validation alone: fewest failed runs, then the best mean metric, then the lowest mean loss
(:func:`rank`).

A model is at its *ceiling* where every seed answers at least ``CEILING`` of validation right: then
nothing more is tried, neither rate nor warm-up; and if it is a plain arm, its baseline's strong
arms are not searched. So the price of strong arms and warm-ups is paid where they can matter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from prism.compare.protocol import Recipe
from prism.compare.training import HIGHER_IS_BETTER
from prism.record import Run

WARM_UPS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
DROPOUTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
START = Recipe(1.6e-2)
SLOWEST, FASTEST = 6e-5, 0.26
CEILING = 0.999

Rank = tuple[int, float, float]
Measured = Mapping[Recipe, Sequence[Run]]


def rank(runs: Sequence[Run]) -> Rank:
    """Sort key of the runs of one recipe, over seeds; lower is better."""
    scored = [run for run in runs if run["error"] is None]
    if not scored:
        return (len(runs) + 1, 0.0, 0.0)
    metric = scored[0]["metric"]
    sign = -1 if HIGHER_IS_BETTER[metric] else 1
    mean = fmean(run["val"][metric] for run in scored)
    return (len(runs) - len(scored), sign * mean, fmean(run["val"]["loss"] for run in scored))


def best_measured(measured: Measured) -> Recipe:
    """The best recipe; among equals the one nearest to the start, so that equals end a search."""

    def key(recipe: Recipe) -> tuple[Rank, float, Recipe]:
        away = abs(math.log2(recipe.lr / START.lr)) + abs(recipe.warm_up - START.warm_up)
        return rank(measured[recipe]), away + recipe.dropout, recipe

    return min(measured, key=key)


def at_ceiling(runs: Iterable[Run]) -> bool:
    """True where every run answers all but nothing of validation wrong."""
    runs = list(runs)
    return bool(runs) and all(
        run["error"] is None and run["metric"] == "accuracy" and run["val"]["accuracy"] >= CEILING
        for run in runs
    )


def neighbours(recipe: Recipe, axis: str) -> list[Recipe]:
    """The recipes one step away on ``axis``, one at an end of it, else two."""
    if axis == "lr":
        rates = (recipe.lr / 2, 2 * recipe.lr)
        return [recipe._replace(lr=r) for r in rates if SLOWEST <= r <= FASTEST]
    grid = WARM_UPS if axis == "warm_up" else DROPOUTS
    here = getattr(recipe, axis)
    below, above = [x for x in grid if x < here], [x for x in grid if x > here]
    return [recipe._replace(**{axis: x}) for x in (*below[-1:], *above[:1])]


def next_recipes(measured: Measured, repeats: bool) -> list[Recipe]:
    """Recipes to be tried next; [] when the search is over.

    Args:
        measured: the runs of every recipe tried so far, over seeds.
        repeats: training data repeats, so that dropout is searched too.
    """
    if not measured:
        return [START]
    best = best_measured(measured)
    if at_ceiling(measured[best]):
        return []
    for axis in ("lr", "warm_up", *(("dropout",) if repeats else ())):
        wanted = [r for r in neighbours(best, axis) if r not in measured]
        if wanted:
            return wanted
    return []
