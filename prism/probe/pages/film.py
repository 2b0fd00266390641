"""Film of a cloud of tokens: its rows in the frame of the dead ones, step by step, as a GIF.

Left, the rows along the two directions in which the unseen rows of the last step differ most,
from their mean (float64): dead tokens in colour, the others grey. In the middle, the dead ones
alone at their own scale, as the cloud of the others grows many times larger than theirs. Right, the
movements of the unseen rows by one lattice step and by more, up to the moment. Moments are spread
evenly over the logarithm of the step.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from prism import whole_file
from prism.page import plot_style
from prism.probe.readings.history import numbers
from prism.probe.store.events import applied
from prism.probe.store.log import Log

FRAMES, SIZE, DOTS, PAUSE = 72, (12.0, 4.2), 80, 90  # inches, dots an inch, milliseconds
DEAD, LIVE, MORE = "#c2410c", "#b8b8b0", "#3b6ea5"
MANY = 3000  # rows drawn at most


def write_film(
    path: Path, log: Log, dead: NDArray[np.int64], series: dict[str, NDArray[np.float64]]
) -> int:
    """Write the GIF; the number of frames.

    Args:
        dead: indices of the unseen rows among those recorded.
        series: :func:`prism.probe.readings.motion.lattice` of the unseen rows.
    """
    from PIL import Image

    others = np.setdiff1d(np.arange(len(log.rows)), dead)
    others = others[np.linspace(0, len(others) - 1, min(MANY, len(others))).astype(int)]
    axes = directions(numbers(log, log.bits(log.last)[dead]))
    steps = shown_steps(log.first, log.last)
    clouds = list(_clouds(log, steps, dead, others, axes))
    limits = [max(_reach(cloud) for cloud in clouds), max(_reach(c[:1]) for c in clouds)]
    frames = []
    for step, cloud in zip(steps, clouds, strict=True):
        raw = io.BytesIO()
        figure = frame(step, cloud, limits, series)
        FigureCanvasAgg(figure).print_png(raw)
        frames.append(Image.open(raw).convert("P", palette=Image.Palette.ADAPTIVE))
    with whole_file.replacing(path) as beside:
        frames[0].save(beside, "GIF", save_all=True, append_images=frames[1:],
                       duration=[PAUSE] * (len(frames) - 1) + [2500], loop=0)  # fmt: skip
    return len(frames)


def _reach(groups: Sequence[NDArray[np.float64]]) -> float:
    """Half the side of a square that holds nearly all points."""
    return 1.1 * max(float(np.quantile(np.abs(x), 0.998)) for x in groups if x.size)


def shown_steps(first: int, last: int) -> list[int]:
    """Steps of the frames."""
    away = np.unique(np.geomspace(1, max(last - first, 1), FRAMES).astype(int))
    return [first, *(first + int(x) for x in away if x <= last - first)]


def directions(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """``[D, 2]`` principal directions of rows about their mean."""
    centred = rows - rows.mean(axis=0)
    return np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :2]


def _clouds(
    log: Log,
    steps: list[int],
    dead: NDArray[np.int64],
    others: NDArray[np.int64],
    axes: NDArray[np.float64],
) -> Any:
    """``(dead [n, 2], others [m, 2])`` at each of ``steps``."""
    bits = log.start()
    flat, movements, at = bits.reshape(-1), log.movements(), log.first
    for step in steps:
        while at < step:
            at, movement = next(movements)
            applied(flat, movement)
        rows = numbers(log, bits[dead])
        centre = rows.mean(axis=0)
        yield (rows - centre) @ axes, (numbers(log, bits[others]) - centre) @ axes


def frame(
    step: int,
    cloud: tuple[NDArray[np.float64], NDArray[np.float64]],
    limits: Sequence[float],
    series: dict[str, NDArray[np.float64]],
) -> Figure:
    """One picture; ``limits`` are half the sides of the two squares."""
    with plot_style():
        figure = Figure(figsize=SIZE, dpi=DOTS, layout="constrained")
        *squares, right = figure.subplots(1, 3)
        dead, others = cloud
        squares[0].scatter(others[:, 0], others[:, 1], s=2, c=LIVE, linewidths=0, label="seen")
        for ax, limit in zip(squares, limits, strict=True):
            ax.scatter(dead[:, 0], dead[:, 1], s=3, c=DEAD, linewidths=0, label="never seen")
            ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
            ax.locator_params(nbins=5)
            ax.legend(loc="upper right", markerscale=3, fontsize=7)
        squares[0].set_title(f"Rows, step {step:,}")
        squares[1].set_title("The dead ones alone")
        _movements(right, step, series)
    return figure


def _movements(ax: Any, step: int, series: dict[str, NDArray[np.float64]]) -> None:
    done = series["step"] <= step
    time = series["step"] - series["step"][0] + 1
    ax.set_xscale("log")
    ax.set_yscale("symlog", linthresh=1)
    for name, colour, label in (("more", MORE, "by more"), ("single", DEAD, "by one step")):
        ax.plot(time[done], series[name][done], color=colour, lw=1.2, label=label)
    top = max(series["more"].max(), series["single"].max(), 1)
    ax.set(xlim=(1, max(time[-1], 2)), ylim=(0, 30 * top), xlabel="step")
    ax.set_title("Numbers of dead rows that move")
    ax.legend(loc="upper right", fontsize=7, ncols=2)
