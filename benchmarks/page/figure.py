"""A figure beside the JSON that it shows: as SVG and PNG, the same bytes every time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from prism.compare.page import plot_style


def draw(
    make: Callable[[dict[str, Any]], Figure], content: dict[str, Any], json_path: Path
) -> list[Path]:
    """Write what ``make`` draws of ``content`` beside ``json_path``; the paths."""
    with plot_style(**{"svg.fonttype": "path", "svg.hashsalt": "prism"}):
        figure = make(content)
        paths = [json_path.with_suffix(suffix) for suffix in (".svg", ".png")]
        figure.savefig(paths[0], metadata={"Date": None})
        figure.savefig(paths[1], dpi=110)
    return paths
