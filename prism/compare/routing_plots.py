"""Figures of what a trained PRISM does inside: routing, bus gates, tape load.

All are drawn from the record that :mod:`prism.compare.example` made. One colour per kind of
computation; layers are numbered from the input, 0 first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from prism.compare.plots import WIDTH

Example = dict[str, Any]

_HEAT = LinearSegmentedColormap.from_list("heat", ["#fbfaf6", "#e9b9a0", "#b8322a", "#4a0f14"])
_LAYER_COLOURS = ("#b9c7d6", "#6d92b5", "#2b5c8a", "#123150")
_READABLE = 140  # tokens that can be printed under a heat map


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
        ax.bar(places, layer["bus_gates"], width, color=_colour(index), label=f"layer {index}")
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
    """How strongly the tape answers at each token; None without content heads."""
    loads = [(i, x["tape_load"]) for i, x in enumerate(example["layers"]) if x["tape_load"]]
    if not loads:
        return None
    figure = Figure(figsize=(WIDTH / 2 - 0.1, 2.5), layout="constrained")
    ax = figure.subplots()
    for index, load in loads:
        ax.plot(load, color=_colour(index), label=f"layer {index}", linewidth=1.6)
    ax.set_xlabel("token")
    ax.set_ylabel("load")
    ax.set_ylim(bottom=0)
    _layer_legend(ax, len(loads))
    return figure


def text_of(token: int, metric: str) -> str:
    """How a token is printed: text tasks as characters, the others as numbers."""
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


def _colour(layer: int) -> str:
    return _LAYER_COLOURS[layer % len(_LAYER_COLOURS)]


def _layer_legend(ax: Axes, layers: int) -> None:
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=layers, borderaxespad=0.2)
