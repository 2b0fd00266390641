"""Film of a cloud of tokens: its rows in the frame of the dead ones, step by step, as a GIF.

Left, the rows along the two directions in which the unseen rows of the last step differ most,
from their mean (float64): dead tokens in colour, the others grey. In the middle, the dead ones
alone at their own scale, as the cloud of the others grows many times larger than theirs. Right, the
movements of the unseen rows by one lattice step and by more, up to the moment. Moments are spread
evenly over the logarithm of the step.
"""

from __future__ import annotations

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
from prism.probe.store.ordinal import Bits

FRAMES, SIZE, DOTS, PAUSE = 72, (12.0, 4.2), 80, 90  # inches, dots an inch, milliseconds
DEAD, LIVE, MORE = "#c2410c", "#b8b8b0", "#3b6ea5"
MANY = 3000  # rows drawn at most


def write_film(
    path: Path,
    log: Log,
    dead: NDArray[np.int64],
    last: Bits,
    series: dict[str, NDArray[np.float64]],
) -> int:
    """Write the GIF; the number of frames.

    Args:
        dead: indices of the unseen rows among those recorded.
        last: their bits after the last step.
        series: :func:`prism.probe.readings.motion.lattice` of the unseen rows.
    """
    from PIL import Image

    others = np.setdiff1d(np.arange(len(log.rows)), dead)
    others = others[np.linspace(0, len(others) - 1, min(MANY, len(others))).astype(int)]
    axes = directions(numbers(log, last))
    steps = shown_steps(log.first, log.last)
    clouds = list(_clouds(log, steps, dead, others, axes))
    limits = [max(_reach(cloud) for cloud in clouds), max(_reach(c[:1]) for c in clouds)]
    stage = Stage(limits, series)
    frames = [
        Image.fromarray(stage.drawn(step, cloud)).convert("P", palette=Image.Palette.ADAPTIVE)
        for step, cloud in zip(steps, clouds, strict=True)
    ]
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
    chosen = np.concatenate([dead, others])
    bits = log.start()[chosen]
    flat, movements, at = bits.reshape(-1), log.movements(chosen=chosen), log.first
    for step in steps:
        while at < step:
            at, movement = next(movements)
            applied(flat, movement)
        rows = numbers(log, bits)
        centre = rows[: len(dead)].mean(axis=0)
        rows = (rows - centre) @ axes
        yield rows[: len(dead)], rows[len(dead) :]


class Stage:
    """The picture, made once; from moment to moment its points, lines and title change.

    Args:
        limits: half the sides of the two squares.
        series: of all movements.
    """

    def __init__(self, limits: Sequence[float], series: dict[str, NDArray[np.float64]]) -> None:
        with plot_style():
            self.figure = Figure(figsize=SIZE, dpi=DOTS, layout="constrained")
            self._canvas = FigureCanvasAgg(self.figure)
            *self._squares, right = self.figure.subplots(1, 3)
            nothing = np.zeros((0, 2))
            self._seen = self._squares[0].scatter(*nothing.T, s=2, c=LIVE, lw=0, label="seen")
            self._dead = [
                ax.scatter(*nothing.T, s=3, c=DEAD, lw=0, label="never seen")
                for ax in self._squares
            ]
            for ax, limit in zip(self._squares, limits, strict=True):
                ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
                ax.locator_params(nbins=5)
                ax.legend(loc="upper right", markerscale=3, fontsize=7)
            self._title = self._squares[0].set_title("Rows, step 0")
            self._squares[1].set_title("The dead ones alone")
            self._series, self._lines = series, _movements(right, series)
            self._canvas.draw()  # finds the layout, which then stays
            self.figure.set_layout_engine("none")
        axes = (*self._squares, right)
        legends = [ax.get_legend() for ax in axes]
        self._changing = [
            self._seen, *self._dead, *self._lines.values(), *legends, self._title
        ]  # fmt: skip
        for artist in self._changing:
            artist.set_animated(True)
        self._canvas.draw()
        self._still = self._canvas.copy_from_bbox(self.figure.bbox)

    def drawn(
        self, step: int, cloud: tuple[NDArray[np.float64], NDArray[np.float64]]
    ) -> NDArray[np.uint8]:
        """Pixels ``[height, width, 3]`` of a moment."""
        dead, others = cloud
        for points in self._dead:
            points.set_offsets(dead)
        self._seen.set_offsets(others)
        self._title.set_text(f"Rows, step {step:,}")
        done = self._series["step"] <= step
        time = self._series["step"] - self._series["step"][0] + 1
        for name, line in self._lines.items():
            line.set_data(time[done], self._series[name][done])
        self._canvas.restore_region(self._still)  # a whole drawing takes several times as long
        for artist in self._changing:
            self.figure.draw_artist(artist)
        return np.asarray(self._canvas.buffer_rgba())[..., :3].copy()


def _movements(ax: Any, series: dict[str, NDArray[np.float64]]) -> dict[str, Any]:
    """The axes of the movements; their lines, empty, by name."""
    ax.set_xscale("log")
    ax.set_yscale("symlog", linthresh=1)
    lines = {
        name: ax.plot([], [], color=colour, lw=1.2, label=label)[0]
        for name, colour, label in (("more", MORE, "by more"), ("single", DEAD, "by one step"))
    }
    top = max(series["more"].max(), series["single"].max(), 1)
    last = series["step"][-1] - series["step"][0] + 1
    ax.set(xlim=(1, max(last, 2)), ylim=(0, 30 * top), xlabel="step")
    ax.set_title("Numbers of dead rows that move")
    ax.legend(loc="upper right", fontsize=7, ncols=2)
    return lines
