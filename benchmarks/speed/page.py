"""The parts of RESULTS.md about speed and about specialisation."""

from __future__ import annotations

from typing import Any

from benchmarks.page.bars import find
from benchmarks.page.markdown import mebibytes, seconds, table
from benchmarks.specialisation.bars import harms


def setting(speed: dict[str, Any]) -> str:
    """Size, machine and threads, in one paragraph."""
    config, meta = speed["config"], speed["meta"]
    sizes = ", ".join(f"{name} {count:,}" for name, count in speed["parameters"].items())
    return (
        f"d_model {config['d_model']}, {config['num_layers']} layers, vocabulary "
        f"{config['vocab_size']}; parameters: {sizes}. {meta['cpu']}, {meta['cpus']} cores, "
        f"torch {meta['torch']}, threads: {meta['threads']}. Forward and backward, median over "
        "rounds in which the models take turns; in brackets relative to the Transformer."
    )


def step_table(speed: dict[str, Any]) -> str:
    """Step time per shape and model."""
    rows = []
    shapes = dict.fromkeys((row["batch"], row["length"]) for row in speed["steps"])
    for name in speed["parameters"]:
        cells = []
        for batch, length in shapes:
            mine = find(speed["steps"], model=name, batch=batch, length=length)
            base = find(speed["steps"], model="transformer", batch=batch, length=length)
            cells.append(f"{seconds(mine['median'])} ({mine['median'] / base['median']:.2f})")
        rows.append([name, *cells])
    return table(["model", *(f"{b} × {t:,}" for b, t in shapes)], rows)


def per_token_table(speed: dict[str, Any]) -> str:
    """Microseconds per token of a step, for single sequences."""
    rows = [row for row in speed["steps"] if row["batch"] == 1]
    lengths = list(dict.fromkeys(row["length"] for row in rows))
    lines = [
        [name] + [f"{1e6 * find(rows, model=name, length=t)['median'] / t:.0f} µs" for t in lengths]
        for name in speed["parameters"]
    ]
    return table(["per token", *(f"T={t:,}" for t in lengths)], lines)


def memory_table(speed: dict[str, Any]) -> str:
    """Peak memory of a step; says which could not be measured."""
    rows = speed["memory"]
    lengths = list(dict.fromkeys(row["length"] for row in rows))
    lines = []
    for name in dict.fromkeys(row["model"] for row in rows):
        found = [find(rows, model=name, length=t) for t in lengths]
        cells = [
            "–" if r is None else mebibytes(r["bytes"]) if r["bytes"] else r["error"] for r in found
        ]
        lines.append([name, *cells])
    return table(["peak memory", *(f"T={t:,}" for t in lengths)], lines)


def decode_table(speed: dict[str, Any]) -> str:
    """Time of one decoding step by context."""
    rows = speed["decode"]
    contexts = list(dict.fromkeys(row["context"] for row in rows))
    lines = [
        [name] + [seconds(find(rows, model=name, context=c)["median"]) for c in contexts]
        for name in dict.fromkeys(row["model"] for row in rows)
    ]
    return table(["per token after", *(f"{c:,}" for c in contexts)], lines)


def share_table(speed: dict[str, Any]) -> str:
    """What the neural kind costs in sparse mode."""
    head = ["d_model", "top-k", "share of tokens", "time / (share × all)"]
    head += ["FLOPs / (share × all)", "rows run / rows chosen"]
    lines = [
        [
            f"{row['d_model']}",
            f"{row['topk']}",
            f"{row['share']:.3f}",
            f"{row['cost']:.2f}",
            f"{row['flops_cost']:.3f}",
            f"{row['rows_per_choice']:.3f}",
        ]
        for row in speed["neural_share"]
    ]
    return table(head, lines, left=0)


def specialisation_table(content: dict[str, Any]) -> str:
    """Wins, harm and ratio per task and kind, over all tokens and over scored ones."""
    found = harms(content)
    scored = {(h.task, h.kind): h for h in found if h.where == "scored"}
    head = ["task", "kind", "wins", "harm where it wins", "harm elsewhere", "ratio"]
    head += ["ratio, scored tokens only", "seeds"]
    rows = [
        [
            h.task,
            h.kind,
            f"{h.wins:.0%}",
            _nats(h.won),
            _nats(h.others),
            h.text,
            scored[h.task, h.kind].text,
            f"{h.seeds} of {h.runs}",
        ]
        for h in found
        if h.where == "all"
    ]
    return table(head, rows, left=2)


def training_notes(content: dict[str, Any]) -> list[str]:
    """One line per run: what the model that was taken apart could do, or why it failed."""
    return [
        f"- {run['task']}, seed {run['seed']}: {run['steps']:,} steps at {run['lr']:g}, "
        + (f"failed: {run['error']}" if run["error"] else f"{run['metric']} {run['test']:.3f}")
        for run in content["runs"]
    ]


def _nats(value: float | None) -> str:
    return "–" if value is None else f"{value:.2g}".replace("-", "−")
