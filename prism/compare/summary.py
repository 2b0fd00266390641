"""Summary of runs: per task, model and test length an estimate over seeds, and the winner.

Tables for the terminal and as Markdown have one line per task and length. Everything that is
printed, plotted or written to a report comes from here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from prism.baselines import family
from prism.compare.protocol import FULL_STEPS, MODELS, Recipe, recipe_of
from prism.compare.results import grouped, shown_runs
from prism.compare.search import rank
from prism.compare.statistics import Estimate, estimate, paired_difference, winner
from prism.compare.training import HIGHER_IS_BETTER
from prism.record import Run

OURS = "prism"
UNITS = {"accuracy": "accuracy", "bits_per_byte": "bits/byte"}


@dataclass(frozen=True)
class ModelSummary:
    """The shown runs of one model on one task, by seed; ``good`` are those that did not fail.

    Attributes:
        model: its name, of a baseline that of the arm.
        arms: the arms that it is the better one of.
    """

    model: str
    runs: list[Run]
    arms: tuple[str, ...] = ()

    @property
    def good(self) -> list[Run]:
        return [run for run in self.runs if run["error"] is None]

    @property
    def first(self) -> Run:
        """A run to read the constants from: parameters, learning rate and the like."""
        return (self.good or self.runs)[0]

    def scores(self, length: int) -> dict[int, float]:
        """Test metric by seed at a length; seeds that failed there are missing."""
        by_seed = {run["seed"]: run["test"]["by_length"].get(str(length)) for run in self.good}
        return {seed: score for seed, score in by_seed.items() if score is not None}

    def estimate(self, length: int) -> Estimate | None:
        """Test metric at a length; None when every seed failed."""
        scores = self.scores(length)
        return estimate(list(scores.values())) if scores else None


@dataclass(frozen=True)
class TaskSummary:
    """One task in one setting: all models, by name, of a baseline without that of the arm.
    ``title`` also tells settings of one task apart."""

    title: str
    run: Run
    models: dict[str, ModelSummary]

    @property
    def metric(self) -> str:
        return self.run["metric"]

    @property
    def train_length(self) -> int:
        return self.run["train_length"]

    @property
    def seeds(self) -> int:
        """Most seeds that any model has."""
        return max(len(m.runs) for m in self.models.values())

    @property
    def lengths(self) -> list[int]:
        """Every length that was measured."""
        good = [run for m in self.models.values() for run in m.good]
        return sorted({int(x) for run in good for x in run["test"]["by_length"]})

    @property
    def headline_lengths(self) -> list[int]:
        """The training length and the longest one."""
        return sorted({self.train_length, *self.lengths[-1:]})

    def estimates(self, length: int) -> dict[str, Estimate]:
        """By model, those that have any score at ``length``."""
        by_model = {name: m.estimate(length) for name, m in self.models.items()}
        return {name: e for name, e in by_model.items() if e is not None}

    def winner(self, length: int) -> str | None:
        """The model whose interval is disjoint from all others on the better side; a model of
        which a seed failed does not win."""
        best = winner(self.estimates(length), HIGHER_IS_BETTER[self.metric])
        if best is None or len(self.models[best].scores(length)) < len(self.models[best].runs):
            return None
        return best

    def differences(self, length: int) -> dict[str, Estimate]:
        """PRISM minus each other model, paired by seed."""
        if OURS not in self.models:
            return {}
        ours = self.models[OURS].scores(length)
        by_model = {
            name: paired_difference(ours, m.scores(length))
            for name, m in self.models.items()
            if name != OURS
        }
        return {name: e for name, e in by_model.items() if e is not None}


def summarise(runs: Iterable[Run], all_arms: bool = False) -> list[TaskSummary]:
    """The shown runs by task; tasks and models in the usual order, whatever finished first.

    Args:
        all_arms: show every arm of a baseline, not only the one that is better on validation.
    """
    usual = list(FULL_STEPS)
    ordered = sorted(runs, key=lambda run: (usual.index(run["task"]), run["steps"]))
    groups = grouped(shown_runs(ordered))
    names = [setting[0] for setting in groups]
    summaries = []
    for setting, by_model in groups.items():
        models = {name: ModelSummary(name, runs) for name, runs in by_model.items()}
        models = models if all_arms else better_arms(models)
        models = {name: models[name] for name in _in_order(models)}
        run = next(iter(models.values())).runs[0]
        title = run["task"]
        if run["corpus"] is not None:
            title += f" ({Path(run['corpus']).name})"
        if names.count(setting[0]) > 1:
            title += f", {run['steps']} steps of {run['batch_size']}"
        summaries.append(TaskSummary(title, run, models))
    return summaries


def better_arms(models: dict[str, ModelSummary]) -> dict[str, ModelSummary]:
    """Of every baseline the arm that is best on validation, under the baseline's name."""
    groups: dict[str, list[ModelSummary]] = {}
    for summary in models.values():
        groups.setdefault(family(summary.model), []).append(summary)
    better = {}
    for name, arms in groups.items():
        best = min(arms, key=lambda arm: rank(arm.runs))
        better[name] = replace(best, arms=tuple(arm.model for arm in arms))
    return better


def model_names(summaries: Iterable[TaskSummary]) -> list[str]:
    """Every model of any task, in the usual order."""
    return _in_order({name: None for summary in summaries for name in summary.models})


def _in_order(names: Iterable[str]) -> list[str]:
    names = list(names)
    return [m for m in MODELS if m in names] + [m for m in names if m not in MODELS]


def arm_lines(summaries: Iterable[TaskSummary]) -> list[str]:
    """Arm that stands for each baseline, and on which tasks, where there was a choice or the arm
    has another name than the baseline."""
    shown: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for summary in summaries:
        for name, m in summary.models.items():
            if len(m.arms) > 1 or m.model != name:
                shown.setdefault((name, m.model, m.arms), []).append(summary.title)
    return [
        f"{name} is {arm} on {', '.join(titles)}"
        + (f"; the better on validation of {', '.join(arms)}" if len(arms) > 1 else "")
        for (name, arm, arms), titles in shown.items()
    ]


def recipe_text(run: Run) -> str:
    """Learning rate of a run, and warm-up and dropout where they are not the usual."""
    recipe, usual = recipe_of(run), Recipe(run["lr"])
    text = f"{recipe.lr:g}"
    text += f", warm-up {recipe.warm_up:g}" if recipe.warm_up != usual.warm_up else ""
    return text + (f", dropout {recipe.dropout:g}" if recipe.dropout != usual.dropout else "")


def label(meta: dict[str, Any], summaries: list[TaskSummary]) -> str:
    """Kind of evidence, e.g. "quick, one seed"."""
    counts = sorted({m.seeds for m in summaries}) or [0]
    number = {1: "one seed"}.get(counts[-1], f"{counts[-1]} seeds")
    if counts[0] != counts[-1]:
        number = f"{counts[0]} to {number}"
    return f"{meta.get('profile', 'unknown profile')}, {number}"


def remarks(summaries: Iterable[TaskSummary]) -> list[str]:
    """Caveats of the table, one per line: seeds, rates that were not swept, what counting alone
    gives, failed runs."""
    summaries = list(summaries)
    shown = [m for summary in summaries for m in summary.models.values()]
    lines = []
    if any(summary.seeds > 1 for summary in summaries):
        lines.append(
            "mean ± half of the 95% interval over seeds; a winner is marked where its interval "
            "is disjoint from all others"
        )
    else:
        lines.append("one seed: no interval, so no winner")
    default = [f"{m.first['task']}/{m.model}" for m in shown if m.first["rate_source"] == "default"]
    if default:
        where = "all" if len(default) == len(shown) else ", ".join(default)
        rate = f"{next(m.first['lr'] for m in shown if m.first['rate_source'] == 'default'):g}"
        lines.append(f"learning rate not swept yet, {rate} used: {where}")
    lines += arm_lines(summaries)
    lines += [line for summary in summaries for line in ngram_lines(summary)]
    codes = {run["code"] for m in shown for run in m.runs}
    if len(codes) > 1:
        lines.append(f"runs of {len(codes)} versions of the code are mixed here")
    for m in shown:
        for run in m.runs:
            if run["error"] is not None:
                what = f"{run['task']}/{m.model}, seed {run['seed']}, lr {run['lr']:g}"
                lines.append(f"failed: {what}: {run['error']}")
    return lines


def ngram_lines(summary: TaskSummary) -> list[str]:
    """Bits per byte of n-gram counts on the same text by length, and the models above the best."""
    counts = summary.run.get("ngrams")
    if not counts:
        return []
    lines = []
    for length in summary.headline_lengths:
        at = {n: bits[str(length)] for n, bits in counts.items()}
        said = " and ".join(f"{bits:.3f} with n = {n}" for n, bits in at.items())
        above = [m for m, e in summary.estimates(length).items() if e.mean > min(at.values())]
        verdict = f"above it, so undertrained: {', '.join(above)}" if above else "all are below"
        lines.append(f"{summary.title}, T = {length}: counted n-grams give {said}; {verdict}")
    return lines


def unit(metric: str) -> str:
    """The metric and which way is better."""
    return f"{UNITS[metric]} {'↑' if HIGHER_IS_BETTER[metric] else '↓'}"


def cell(summary: TaskSummary, model: str, length: int) -> str:
    """One number as text: mean, half interval, and how many seeds if some failed."""
    shown = summary.models.get(model)
    if shown is None:
        return "–"
    value = shown.estimate(length)
    if value is None:
        return "failed"
    text = number(value)
    return text if value.n == len(shown.runs) else f"{text} ({value.n} of {len(shown.runs)})"


def number(value: Estimate, sign: str = "") -> str:
    """``0.987 ±0.004``."""
    text = f"{value.mean:{sign}.3f}".replace("-", "−")
    return text if value.half_width is None else f"{text} ±{value.half_width:.3f}"


def lines(summaries: list[TaskSummary]) -> list[tuple[TaskSummary, int]]:
    """The (task, length) of each line."""
    return [(summary, length) for summary in summaries for length in summary.headline_lengths]


def terminal_table(meta: dict[str, Any], summaries: list[TaskSummary]) -> Table:
    """A rich table; the winner of a line, if there is one, is bold and marked."""
    title = f"Test results ({label(meta, summaries)})"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("task", "T", "metric", "chance"):
        side = "right" if name in ("T", "chance") else "left"
        table.add_column(name, justify=side, no_wrap=True)
    models = model_names(summaries)
    for model in models:
        table.add_column(model, justify="right")
    for summary, length in lines(summaries):
        best = summary.winner(length)
        first = length == summary.headline_lengths[0]
        texts = [
            Text(f"★ {cell(summary, m, length)}", style="bold green")
            if m == best
            else Text(cell(summary, m, length))
            for m in models
        ]
        table.add_row(
            summary.title if first else "",
            str(length),
            unit(summary.metric),
            f"{summary.run['chance']:.3g}",
            *texts,
        )
    return table


def markdown_table(summaries: list[TaskSummary]) -> str:
    """The same as GitHub Markdown; winners bold."""
    models = model_names(summaries)
    head = ["task", "T", "metric", "chance", *models]
    rows = [head, ["---"] * 4 + ["---:"] * len(models)]
    for summary, length in lines(summaries):
        best = summary.winner(length)
        cells = [cell(summary, m, length) for m in models]
        cells = [f"**{c}**" if m == best else c for m, c in zip(models, cells, strict=True)]
        name, chance = summary.title, f"{summary.run['chance']:.3g}"
        rows.append([name, str(length), unit(summary.metric), chance, *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"
