"""Figures of a comparison: learning curves, scores against length, and the inside of a PRISM.

Each function returns a matplotlib figure, or None when there is nothing to draw. Models keep their
colour and dash pattern in every figure; with several seeds a band shows the 95% interval. Routing,
bus gates and tape load come from an example (:func:`prism.compare.results.record_example`); layers
are numbered from the input, 0 first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from prism.compare.statistics import Estimate, estimate
from prism.compare.summary import TaskSummary, model_names, unit

WIDTH = 11.0  # inches: 1056 px at 96 dpi
COLOURS = {
    "prism": "#b8322a",
    "transformer": "#2b5c8a",
    "ssm": "#3f7f56",
    "gdn": "#8a6d1d",
    "gdn-neg": "#6b4c8f",
}
DASHES = {
    "prism": "-",
    "transformer": (0, (5, 1.5)),
    "ssm": (0, (1.2, 1.2)),
    "gdn": (0, (5, 1.2, 1.2, 1.2)),
    "gdn-neg": (0, (3, 1, 1, 1, 1, 1)),
}
Example = dict[str, Any]

_HEAT = LinearSegmentedColormap.from_list("heat", ["#fbfaf6", "#e9b9a0", "#b8322a", "#4a0f14"])
_LAYER_COLOURS = ("#b9c7d6", "#6d92b5", "#2b5c8a", "#123150")
_READABLE = 140  # tokens that can be printed under a heat map


def learning_curves(summaries: Sequence[TaskSummary]) -> Figure | None:
    """Validation metric against step, one panel per task."""
    panels = [s for s in summaries if any(m.good for m in s.models.values())]
    if not panels:
        return None
    figure, axes = _panels(len(panels))
    for ax, summary in zip(axes, panels, strict=True):
        for name, model in summary.models.items():
            steps = [point["step"] for point in model.first["curve"]]
            curves = [[point["val_metric"] for point in run["curve"]] for run in model.good]
            if curves:
                values = [estimate(at_step) for at_step in zip(*curves, strict=True)]
                _line(ax, name, steps, values)
        _finish(ax, summary, f"{summary.title}, T = {summary.train_length}", "step")
        ax.set_xlim(left=0)
    _legend(figure, summaries)
    return figure


def length_curves(summaries: Sequence[TaskSummary]) -> Figure | None:
    """Test metric against sequence length, for tasks measured at several lengths."""
    panels = [s for s in summaries if len(s.lengths) > 1]
    if not panels:
        return None
    figure, axes = _panels(len(panels))
    for ax, summary in zip(axes, panels, strict=True):
        ax.set_xscale("log", base=2)
        for name, model in summary.models.items():
            estimates = {length: model.estimate(length) for length in summary.lengths}
            known = {length: value for length, value in estimates.items() if value is not None}
            if known:
                _line(ax, name, list(known), list(known.values()), marker="o")
        ax.axvline(summary.train_length, color="#999999", linewidth=0.8, zorder=0)
        ax.set_xticks(summary.lengths, [str(length) for length in summary.lengths])
        ax.xaxis.set_minor_locator(NullLocator())
        _finish(ax, summary, summary.title, "length T (line: training length)")
    _legend(figure, summaries)
    return figure


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    columns = min(3, count)
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(WIDTH * max(columns, 2) / 3, 2.5 * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flatten().tolist()
    for ax in axes[count:]:
        ax.set_visible(False)
    return figure, axes[:count]


def _line(
    ax: Axes, model: str, xs: Sequence[float], values: Sequence[Estimate], marker: str | None = None
) -> None:
    colour = COLOURS.get(model, "#333333")
    style = {"color": colour, "linestyle": DASHES.get(model, "-"), "label": model}
    width = 2.0 if model == "prism" else 1.5
    means = [value.mean for value in values]
    ax.plot(xs, means, linewidth=width, marker=marker, markersize=3.5, **style)
    if any(value.half_width for value in values):
        low, high = [value.low for value in values], [value.high for value in values]
        ax.fill_between(xs, low, high, color=colour, alpha=0.15, linewidth=0)


def _finish(ax: Axes, summary: TaskSummary, title: str, xlabel: str) -> None:
    ax.set_title(title)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(unit(summary.metric))
    if summary.metric == "accuracy":
        chance = summary.run["chance"]
        ax.axhline(chance, color="#999999", linewidth=0.8, linestyle=":", zorder=0)
        ax.set_ylim(-0.02, 1.04)


def _legend(figure: Figure, summaries: Sequence[TaskSummary]) -> None:
    """One legend above all panels, in the usual order of the models."""
    handles = {}
    for ax in figure.axes:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    names = [name for name in model_names(summaries) if name in handles]
    figure.legend(
        [handles[name] for name in names], names, loc="outside upper left", ncols=len(names)
    )


def routing_map(example: Example) -> Figure:
    """Probability of each kind per token, one band per layer, the sequence below."""
    layers = example["layers"]
    rows = sum(len(layer["kinds"]) for layer in layers)
    figure = Figure(figsize=(WIDTH, 0.19 * rows + 0.35 * len(layers) + 0.55), layout="constrained")
    ratios = [len(layer["kinds"]) for layer in layers]
    axes = figure.subplots(len(layers), 1, squeeze=False, height_ratios=ratios)[:, 0]
    for index, (ax, layer) in enumerate(zip(axes, layers, strict=True)):
        values = np.array(layer["probability"]).T
        image = ax.imshow(
            values, aspect="auto", cmap=_HEAT, vmin=0, vmax=1, interpolation="nearest"
        )
        ax.set_yticks(range(len(layer["kinds"])), layer["kinds"])
        ax.set_ylabel(f"layer {index}", rotation=0, ha="right", va="center")
        ax.set_xticks([])
        ax.tick_params(length=0)
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)
    _print_tokens(axes[-1], example)
    figure.colorbar(image, ax=list(axes), label="probability", aspect=12, pad=0.01)
    return figure


def bus_gates(example: Example) -> Figure:
    """Mean gate of each rate of the bus, per layer."""
    figure = Figure(figsize=(WIDTH / 2 - 0.1, 2.5), layout="constrained")
    ax = figure.subplots()
    lives, layers = example["half_lives"], example["layers"]
    width = 0.8 / len(layers)
    for index, layer in enumerate(layers):
        places = np.arange(len(lives)) + (index - (len(layers) - 1) / 2) * width
        colour = _LAYER_COLOURS[index % len(_LAYER_COLOURS)]
        ax.bar(places, layer["bus_gates"], width, color=colour, label=f"layer {index}")
    ax.axhline(1.0, color="#999999", linewidth=0.8)
    ax.set_xticks(
        range(len(lives)), [f"{life:.3g}" if life < 1000 else f"{life:.0f}" for life in lives]
    )
    ax.set_xlabel("half-life (tokens)")
    ax.set_ylabel("mean gate")
    ax.grid(visible=False, axis="x")
    _layer_legend(ax, len(layers))
    return figure


def tape_load(example: Example) -> Figure | None:
    """Root mean square of the tape's answer at each token; None without content heads."""
    loads = [(i, x["tape_load"]) for i, x in enumerate(example["layers"]) if x["tape_load"]]
    if not loads:
        return None
    figure = Figure(figsize=(WIDTH / 2 - 0.1, 2.5), layout="constrained")
    ax = figure.subplots()
    for index, load in loads:
        colour = _LAYER_COLOURS[index % len(_LAYER_COLOURS)]
        ax.plot(load, color=colour, label=f"layer {index}", linewidth=1.6)
    ax.set_xlabel("token")
    ax.set_ylabel("load")
    ax.set_ylim(bottom=0)
    _layer_legend(ax, len(loads))
    return figure


def text_of(token: int, metric: str) -> str:
    """Label of a token: text tasks as characters, the others as numbers."""
    if metric != "bits_per_byte":
        return str(token)
    if token == ord("\n"):
        return "↵"
    return chr(token) if 32 < token < 127 else "␣" if token == 32 else "·"


def _print_tokens(ax: Axes, example: Example) -> None:
    """The sequence under the last band; scored positions dark, wrong predictions marked."""
    tokens, targets = example["tokens"], example["targets"]
    if len(tokens) > _READABLE:
        ax.set_xlabel(f"{len(tokens)} tokens")
        return
    size = 8 if len(tokens) <= 64 else 6
    texts = [text_of(token, example["metric"]) for token in tokens]
    ax.set_xticks(range(len(tokens)), texts, fontsize=size, family="monospace")
    for tick, target, guess in zip(
        ax.get_xticklabels(), targets, example["predictions"], strict=True
    ):
        scored, right = target >= 0, target == guess
        tick.set_color("#b0b0b0" if not scored else "#1c6b34" if right else "#b8322a")
        tick.set_fontweight("bold" if scored else "normal")


def _layer_legend(ax: Axes, layers: int) -> None:
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=layers, borderaxespad=0.2)
