"""Chapter on speed: step time, memory, decoding, and the neural kind in sparse mode."""

from __future__ import annotations

from typing import Any

from benchmarks.page.criterion import find
from benchmarks.page.markdown import columns, listed, pivot, seconds


def speed_sections(speed: dict[str, Any]) -> list[str]:
    """Paragraphs and tables, from the content of speed.json."""
    config, meta = speed["config"], speed["meta"]
    sizes = listed(f"{name} {count:,}" for name, count in speed["parameters"].items())
    memory = pivot(speed["memory"], "{model}", "T={length:,}", _peak, "peak memory")
    return [
        "![Step time, memory and decoding](benchmarks/results/speed.png)",
        f"d_model {config['d_model']}, {config['num_layers']} layers, vocabulary "
        f"{config['vocab_size']}; parameters: {sizes}. {meta['cpu']}, {meta['cpus']} cores, "
        f"torch {meta['torch']}, threads: {meta['threads']}. Forward and backward, median over "
        "rounds in which the models take turns; in brackets relative to the Transformer.",
        step_table(speed),
        pivot(
            [row for row in speed["steps"] if row["batch"] == 1],
            "{model}",
            "T={length:,}",
            lambda rows: f"{1e6 * rows[0]['median'] / rows[0]['length']:.0f} µs",
            "per token",
        ),
        "Peak memory of a step on one sequence, above that of the idle process:",
        memory if speed["memory"] else "Not measured on this system.",
        "Decoding, one sequence, one token at a time:",
        pivot(
            speed["decode"],
            "{model}",
            "{context:,}",
            lambda rows: seconds(rows[0]["median"]),
            "per token after",
        ),
        "The neural kind in sparse mode, forward and backward:",
        columns(
            speed["neural_share"],
            {
                "d_model": "{d_model}",
                "top-k": "{topk}",
                "share of tokens": "{share:.3f}",
                "time / (share × all)": "{cost:.2f}",
                "FLOPs / (share × all)": "{flops_cost:.3f}",
                "rows run / rows chosen": "{rows_per_choice:.3f}",
            },
            left=0,
        ),
    ]


def step_table(speed: dict[str, Any]) -> str:
    """Step time per shape and model, in brackets over the Transformer's."""

    def cell(rows: list[Any]) -> str:
        mine = rows[0]
        shape = {"batch": mine["batch"], "length": mine["length"]}
        base = find(speed["steps"], model="transformer", **shape)
        return f"{seconds(mine['median'])} ({mine['median'] / base['median']:.2f})"

    return pivot(speed["steps"], "{model}", "{batch} × {length:,}", cell, "model")


def _peak(rows: list[Any]) -> str:
    """Peak memory, or why it could not be measured."""
    size = rows[0]["bytes"]
    return f"{size / 2**20:,.0f} MiB" if size else rows[0]["error"]
