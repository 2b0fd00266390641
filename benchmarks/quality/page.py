"""The part of RESULTS.md about quality: protocol, scores, differences, length, what it took."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from benchmarks.page.markdown import table
from prism.compare.protocol import LEARNING_RATES, SWEEP_SEEDS
from prism.compare.summary import (
    OURS,
    TaskSummary,
    cell,
    label,
    markdown_table,
    model_names,
    number,
    remarks,
    unit,
)


def headline(meta: dict[str, Any], summaries: list[TaskSummary]) -> str:
    """The table of scores with what a reader must know beside it."""
    notes = "\n".join(f"- {line}" for line in remarks(summaries))
    where = f"Test scores ({label(meta, summaries)}; commit {meta.get('commit') or 'unknown'})."
    return f"{where} Winners are bold.\n\n{markdown_table(summaries)}\n{notes}"


def protocol(summaries: list[TaskSummary], rates: dict[tuple[str, str], list[float]]) -> str:
    """How the runs were made, from the runs. ``rates``: learning rates tried, by task, model."""
    grids = sorted({tuple(sorted(set(found))) for found in rates.values()})
    batches = sorted({s.run["batch_size"] for s in summaries})
    tested = sorted({s.run["evaluation"] for s in summaries})
    tried = " or ".join("{" + ", ".join(f"{x:g}" for x in grid) + "}" for grid in grids)
    swept = tuple(sorted(LEARNING_RATES)) in grids
    chosen = f" The best on validation over {SWEEP_SEEDS} seeds is the one shown." if swept else ""
    if swept and len(grids) > 1:
        chosen += " A sweep is short where a rate answered all of validation right on every seed."
    return (
        "Every model has the same number of parameters (within 2%, by the width of its MLP), reads "
        "the same batches in the same order and takes the same number of steps: AdamW, linear "
        "warm-up, cosine decay, weight decay 0.1 on matrices, gradients clipped at norm 1.\n\n"
        f"- learning rates tried: {tried}.{chosen}\n"
        f"- sequences per step: {_list(batches)}; test sequences at the training length: "
        f"{_list(tested)}\n"
        "- ± is half of a 95% t interval over seeds; a score is bold where its interval touches "
        "no other and it is the better one; failed runs are listed, not dropped"
    )


def _list(values: list[int]) -> str:
    return ", ".join(f"{value:,}" for value in values)


def differences(summaries: list[TaskSummary]) -> str:
    """PRISM minus each other model, paired by seed; empty with nothing to compare."""
    others = [name for name in model_names(summaries) if name != OURS]
    rows = [
        [s.title, str(length), unit(s.metric)]
        + [number(found[o], sign="+") if o in found else "–" for o in others]
        for s in summaries
        for length in s.headline_lengths
        if (found := s.differences(length))
    ]
    head = ["task", "T", "metric", *(f"{OURS} − {name}" for name in others)]
    return table(head, rows, left=3) if rows else ""


def length_table(summary: TaskSummary) -> str:
    """Scores of one task at every length, one line per model."""
    rows = [
        [name, *(_bold(cell(summary, name, t), summary.winner(t) == name) for t in summary.lengths)]
        for name in summary.models
    ]
    return table([unit(summary.metric), *(f"T={t:,}" for t in summary.lengths)], rows)


def lengths(summaries: list[TaskSummary]) -> str:
    """Every task that was measured at more than its training length."""
    parts = [
        f"### {s.title}, trained at T={s.train_length}\n\n{length_table(s)}"
        for s in summaries
        if len(s.lengths) > 1
    ]
    return "\n\n".join(parts)


def details(summaries: list[TaskSummary]) -> str:
    """Seeds, steps, learning rate, size, state and speed of every model on every task."""
    rows = []
    for summary in summaries:
        for i, (name, model) in enumerate(summary.models.items()):
            run = model.first
            if run["parameters"] is None:
                size = ["–"] * 3
            else:
                speeds = [r["tokens_per_second"] for r in model.good or [run]]
                size = [f"{run['parameters']:,}", f"{run['state_bytes']:,}"]
                size += [f"{fmean(speeds):,.0f}"]
            seeds = f"{len(model.good)} of {len(model.runs)}"
            title = summary.title if i == 0 else ""
            rows.append([title, name, seeds, f"{run['steps']:,}", f"{run['lr']:g}", *size])
    head = ["task", "model", "seeds", "steps", "learning rate", "parameters", "state bytes"]
    return table([*head, "training tokens/s"], rows, left=2)


def _bold(text: str, winner: bool) -> str:
    return f"**{text}**" if winner else text
