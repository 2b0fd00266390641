"""Conditions of the long parts: each is a list of flags, run once a seed.

ablation   weights bf16, moments bf16, nearest, beta2 .999, rate 1e-3, no decay is the live run;
           the factorial of the variants goes with it as passive tracers
starts     the same live run with tracers that start elsewhere, live runs with decay on fp32
           weights, and controls with labels that are shuffled or wrong
rounding   the scores of fp32 masters, and of bf16 alone by kind of rounding, on two texts
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.freeze import texts
from benchmarks.freeze.runs import Memory, tracers_of
from benchmarks.page.scale import gone_on

Work = Iterator[tuple[dict[str, Any], Callable[[], dict[str, Any]]]]
STARTS: dict[str, list[str]] = {
    "right": [],
    "decay": ["--weights", "fp32", "--weight-decay", "1"],
    "shuffled": ["--labels", "shuffled"],
    "wrong": ["--labels", "wrong"],
}
BF16 = ["--dtype", "bf16"]
ROUNDINGS: dict[str, list[str]] = {
    "masters": BF16,
    "nearest": [*BF16, "--weights", "bf16"],
    "stochastic": [*BF16, "--weights", "bf16", "--rounding", "stochastic"],
    "kahan": [*BF16, "--weights", "bf16", "--rounding", "kahan"],
}


def _common(sizes: dict[str, Any], seed: int) -> list[str]:
    return ["--steps", str(sizes["steps"]), "--seq-len", str(sizes["seq_len"]),
            "--global-batch-size", str(sizes["rows"]), "--seed", str(seed), "--device", "cpu",
            "--eval-every", "0", "--log-every", "100", "--keep", "1",
            "--save-every", str(max(1, sizes["steps"] // 10))]  # fmt: skip


def _traced(folder: Path, flags: list[str]) -> dict[str, Any]:
    """A run with tracers: its held-out loss and what they did."""
    held_out = gone_on(folder, flags)
    return {"held_out_loss": held_out["held_out_loss"], "tracers": tracers_of(folder)}


def ablation(scratch: Path, sizes: dict[str, Any], seeds: range) -> Work:
    """One run a seed, with the whole factorial."""
    base = texts.flannel(scratch)
    rows = ["--tracer-rows", "8"] if sizes["quick"] else []
    for seed in seeds:
        flags = [*base, *_common(sizes, seed), "--tracers", "ablation", *rows]
        folder = scratch / f"ablation-{seed}"
        yield (
            {"condition": "ablation", "seed": seed},
            lambda folder=folder, flags=flags: _traced(folder, flags),
        )


def starts(scratch: Path, sizes: dict[str, Any], seeds: range) -> Work:
    """Each condition on each seed, with tracers of every initial spread."""
    base = texts.flannel(scratch)
    rows = ["--tracer-rows", "8"] if sizes["quick"] else []
    for name, more in STARTS.items():
        for seed in seeds:
            flags = [*base, *_common(sizes, seed), "--tracers", "starts", *rows, *more]
            folder = scratch / f"starts-{name}-{seed}"
            yield (
                {"condition": name, "seed": seed},
                lambda folder=folder, flags=flags: _traced(folder, flags),
            )


def rounding(scratch: Path, sizes: dict[str, Any], seeds: range) -> Work:
    """PRISM on the manual of CPython and on English, by kind of rounding."""
    english, _, tokenizer = texts.prepared(scratch)
    small = ["--set", "d_model=64", "num_layers=3"]
    data = {
        "mini_lm": ["--data", "pydoc", *small],
        "text": ["--data", f"file:{english}", "--tokenizer", str(tokenizer), *small],
    }
    for text, where in data.items():
        for name, more in ROUNDINGS.items():
            for seed in seeds:
                flags = [*where, *_common(sizes, seed), *more]
                folder = scratch / f"rounding-{text}-{name}-{seed}"
                yield (
                    {"condition": f"{text} {name}", "seed": seed},
                    lambda folder=folder, flags=flags: _scored(folder, flags),
                )


def _scored(folder: Path, flags: list[str]) -> dict[str, Any]:
    memory = Memory()
    held_out = gone_on(folder, flags, [memory])
    return {
        "held_out_loss": held_out["held_out_loss"],
        "bytes_per_parameter": memory.bytes_per_parameter,
    }
