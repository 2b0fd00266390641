"""Chapters on the study of dead tokens, from the parts of freeze.json."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.freeze.effects import effects_table, valid
from benchmarks.page.criterion import find
from benchmarks.page.markdown import NONE, columns, interval, table

Content = dict[str, Any]


def instrument_sections(content: Content) -> list[str]:
    """Exactness and cost of the recorder and of AdamW under glass."""
    runs, parts = content["runs"], []
    if forms := find(runs, check="adamw"):
        parts.append("AdamW under glass beside torch's:")
        parts.append(columns(forms["forms"], {
            "weights and moments": "{dtype}", "fused": lambda f: "yes" if f["fused"] else "no",
            "steps": "{steps:,}", "equal to the bit": "{equal_steps:,}",
        }))  # fmt: skip
    if planted := find(runs, check="planted"):
        found, noise = planted["found"], planted["noise"]
        parts.append(
            f"A planted structure of {planted['planted']['rows']:,} rows: {found['classes']} "
            f"classes of {found['rows_in_classes']:,} rows, {found['distinct']} distinct rows, "
            f"{found['neighbours']} pairs of neighbours in {found['components']} component were "
            f"found. In noise of the same size: {noise['classes']} classes, "
            f"{noise['neighbours']} neighbours."
        )
    if replay := find(runs, check="replay"):
        parts.append(
            f"A run of {replay['steps']:,} steps: {replay['exact_steps']:,} replayed to the bit."
        )
    logs = [r for r in runs if r["check"] in ("dead", "whole")]
    if logs:
        parts.append(columns(logs, {
            "log": "{check}", "rows": "{rows:,}", "steps": "{since:,} to {steps:,}",
            "bytes": "{bytes:,}", "below raw": "{times_below_raw:.1f}×",
            "processor time of a step": lambda r: f"{r['share_of_step']:.1%}",
        }))  # fmt: skip
    return parts


def tokenizer_sections(content: Content) -> list[str]:
    """The tokenizer over characters beside that of the log book."""
    (run,) = content["runs"]
    share = {k: f"{run[k]:,} ({run[k] / run['ids']:.1%})" for k in ("live", "dead")}
    book = run["log_book"]
    rows = [
        [name, f"{x['live']:,}", f"{x['dead']:,}"]
        for name, x in sorted(run["scripts"].items(), key=lambda i: -sum(i[1].values()))
        if sum(x.values()) >= 10
    ]
    rows.append(["all", share["live"], share["dead"]])
    of_book = (f"{book[k]:,} ({book[k] / book['ids']:.1%})" for k in ("live", "dead"))
    rows.append(["the log book", *of_book])
    return [
        f"{run['ids']:,} ids from {run['bytes']['english']:,} bytes of English and "
        f"{run['bytes']['thai']:,} of Thai in shares of 80 to 20: {run['seconds']['wall']:.0f} "
        f"seconds ({run['seconds']['cpu']:.0f} of processor). "
        f"{run['wrong_lines']} of {run['unseen_lines']:,} unseen lines do not come back.",
        table(["script", "live in English", "dead"], rows),
    ]


def ablation_sections(content: Content) -> list[str]:
    """Median freezing time of every variant, one value a seed."""
    runs = content["runs"]
    good = valid(runs)
    void = [r["seed"] for r in runs if r not in good]
    parts = [_settings(content)]
    if void:
        parts.append(f"Void, as the live copy differed from the run: seeds {void}.")
    names = list(good[0]["tracers"]["variants"]) if good else []
    rows = []
    for name in names:
        found = [r["tracers"]["variants"][name]["freezing"] for r in good]
        rows.append([
            name, ", ".join(_step(f["median"]) for f in found),
            interval([f["frozen"] for f in found], "{:.2f}"),
        ])  # fmt: skip
    if good:
        parts.append("The effect of each change, on the share of the numbers of the dead rows:")
        parts.append(effects_table(good))
        parts.append("![What freezes dead tokens](benchmarks/results/freeze.png)")
    parts.append(table(["optimizer", "half frozen by step, each seed", "share that froze"], rows))
    return parts


def starts_sections(content: Content) -> list[str]:
    """Distinct rows and components of tracers by condition and initial spread."""
    rows = []
    for name in dict.fromkeys(r["condition"] for r in content["runs"]):
        runs = [r for r in content["runs"] if r["condition"] == name]
        for start in runs[0]["tracers"]["variants"]:
            found = [r["tracers"]["variants"][start]["crystal"] for r in runs]
            rows.append([
                name, start, _each(f["distinct"] for f in found),
                _each(max(f["class_sizes"], default=1) for f in found),
                _each(f["components"] for f in found),
            ])  # fmt: skip
    head = ["labels or decay", "start", "distinct rows", "largest class", "components"]
    return [_settings(content), table(head, rows, left=2)]


def rounding_sections(content: Content) -> list[str]:
    """Held-out loss by kind of rounding."""
    rows = []
    for name in dict.fromkeys(r["condition"] for r in content["runs"]):
        runs = [r for r in content["runs"] if r["condition"] == name]
        loss = interval([r["held_out_loss"] for r in runs], "{:.4f}")
        rows.append([name, loss, f"{runs[0]['bytes_per_parameter']:.1f}"])
    head = ["text and weights", "held-out loss, nats", "bytes per parameter"]
    return [_settings(content), table(head, rows)]


def _settings(content: Content) -> str:
    sizes = content["sizes"]
    return f"{sizes['steps']:,} steps of {sizes['rows']} × {sizes['seq_len']} tokens."


def _step(x: int | None) -> str:
    return NONE if x is None else f"{x:,}"


def _each(values: Iterable[int]) -> str:
    return ", ".join(f"{v:,}" for v in values)
