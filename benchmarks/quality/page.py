"""Chapters on quality and length: protocol, scores, differences, what was run."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from benchmarks.page.markdown import NONE, listed, table
from benchmarks.quality.thin import task_origins
from prism.compare.summary import (
    OURS,
    TaskSummary,
    cell,
    label,
    markdown_table,
    model_names,
    number,
    recipe_text,
    remarks,
    summarise,
    unit,
)


def quality_sections(content: dict[str, Any]) -> list[str]:
    """Paragraphs and tables, from the content of compare.json."""
    summaries = summarise(content["runs"])
    return [
        headline(content),
        "### Protocol",
        protocol(content["runs"], summaries),
        "### PRISM minus baseline, seed by seed",
        "An interval that excludes 0 is a difference that the seeds support: above 0 in PRISM's "
        "favour for accuracy, below 0 for bits per byte.",
        differences(summaries),
        "### What was run",
        details(summaries),
        "## Length",
        "Test scores on longer sequences than those trained on, without retraining.",
        *(lengths(summary) for summary in summaries if len(summary.lengths) > 1),
    ]


def headline(content: dict[str, Any]) -> str:
    """The table of scores with what a reader must know beside it."""
    meta, summaries = content["meta"], summarise(content["runs"])
    notes = "\n".join(f"- {line}" for line in remarks(summaries))
    where = f"Test scores ({label(meta, summaries)}; {_commits(content)}). Winners are bold."
    return f"{where}\n\n{markdown_table(summaries)}\n{notes}"


def _commits(content: dict[str, Any]) -> str:
    """The commit of all tasks, or which tasks are of which."""
    of: dict[str, list[str]] = {}
    for task, origin in task_origins(content).items():
        of.setdefault(origin["commit"] or "unknown", []).append(task)
    if len(of) == 1:
        return f"commit {next(iter(of))}"
    return "; ".join(f"{', '.join(tasks)}: commit {commit}" for commit, tasks in of.items())


def protocol(runs: list[dict[str, Any]], summaries: list[TaskSummary]) -> str:
    """Description of the training, as far as it differs between comparisons from the runs."""
    batches = sorted({s.run["batch_size"] for s in summaries})
    tested = sorted({s.run["evaluation"] for s in summaries})
    return (
        "Every model has the same number of parameters (within 2%, by the width of its MLP), reads "
        "the same batches in the same order and takes the same number of steps: AdamW, linear "
        "warm-up, cosine decay, weight decay 0.1 on matrices, gradients clipped at norm 1.\n\n"
        f"- {recipes(runs)}\n"
        f"- sequences per step: {listed(batches, '{:,}')}; test sequences at the training length: "
        f"{listed(tested, '{:,}')}\n"
        "- ± is half of a 95% t interval over seeds; a score is bold where its interval touches "
        "no other and it is the better one; failed runs are listed, not dropped"
    )


def recipes(runs: list[dict[str, Any]]) -> str:
    """Sentence on the choice of each model's recipe: by a search, or on a grid of rates."""
    if all(run["phase"] == "final" for run in runs):
        return (
            "learning rate, warm-up and, where the training data repeats, dropout: searched for "
            "each model and task at a third of the steps, until every neighbour was worse on "
            "validation"
        )
    rates: dict[tuple[str, str], set[float]] = {}
    for run in runs:
        rates.setdefault((run["task"], run["model"]), set()).add(run["lr"])
    grids = sorted({tuple(sorted(tried)) for tried in rates.values()})
    tried = " or ".join("{" + listed(grid, "{:g}") + "}" for grid in grids)
    seeds = {run["seed"] for run in runs if run["phase"] == "sweep"}
    chosen = f" The best on validation over {len(seeds)} seeds is the one shown." if seeds else ""
    if seeds and len(grids) > 1:
        chosen += " A sweep is short where a rate answered all of validation right on every seed."
    return f"learning rates tried: {tried}.{chosen}"


def differences(summaries: list[TaskSummary]) -> str:
    """PRISM minus each other model, paired by seed; empty with nothing to compare."""
    others = [name for name in model_names(summaries) if name != OURS]
    rows = [
        [s.title, str(length), unit(s.metric)]
        + [number(gaps[o], sign="+") if o in gaps else NONE for o in others]
        for s in summaries
        for length in s.headline_lengths
        if (gaps := s.differences(length))
    ]
    head = ["task", "T", "metric", *(f"{OURS} − {name}" for name in others)]
    return table(head, rows, left=3) if rows else ""


def lengths(summary: TaskSummary) -> str:
    """Scores of one task at every length, one line per model; the winner of a length is bold."""
    rows = []
    for name in summary.models:
        cells = [(cell(summary, name, t), summary.winner(t) == name) for t in summary.lengths]
        rows.append([name, *(f"**{text}**" if won else text for text, won in cells)])
    scores = table([unit(summary.metric), *(f"T={t:,}" for t in summary.lengths)], rows)
    return f"### {summary.title}, trained at T={summary.train_length}\n\n{scores}"


def details(summaries: list[TaskSummary]) -> str:
    """Seeds, steps, learning rate, size, state and speed of every model on every task."""
    rows = []
    for summary in summaries:
        for i, model in enumerate(summary.models.values()):
            run = model.first
            if run["parameters"] is None:
                size = [NONE] * 3
            else:
                speeds = [r["tokens_per_second"] for r in model.good or [run]]
                size = [f"{run['parameters']:,}", f"{run['state_bytes']:,}"]
                size += [f"{fmean(speeds):,.0f}"]
            seeds = f"{len(model.good)} of {len(model.runs)}"
            title = summary.title if i == 0 else ""
            row = [title, model.model, seeds, f"{run['steps']:,}", recipe_text(run)]
            rows.append([*row, *size])
    head = ["task", "model", "seeds", "steps", "learning rate", "parameters", "state bytes"]
    return table([*head, "training tokens/s"], rows, left=2)
