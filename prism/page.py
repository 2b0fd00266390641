"""The look of the project: HTML pages and figures.

A page is one file with everything inside it, no script, nothing fetched. :func:`plot_style` is the
style of every figure.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib

matplotlib.use("svg")

from matplotlib.figure import Figure

STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica Neue", "Helvetica", "Arial", "DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8e8e4",
    "grid.linewidth": 0.7,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "legend.frameon": False,
}
CSS = """
:root { color-scheme: light; }
body { margin: 0; background: #fbfaf7; color: #222; font: 16px/1.55 Georgia, "Times New Roman",
  "DejaVu Serif", serif; }
main { max-width: 1080px; margin: 0 auto; padding: 40px 40px 80px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 6px; font-weight: normal; }
h2 { font-size: 21px; margin: 52px 0 8px; padding-top: 14px; border-top: 1px solid #d9d6cc;
  font-weight: normal; }
h3 { font-size: 16px; margin: 30px 0 2px; }
p { max-width: 46em; margin: 6px 0; }
p.lead { color: #555; font-size: 17px; max-width: none; }
p.note, figcaption, li.note { color: #555; font-size: 14px; max-width: none; }
table { border-collapse: collapse; margin: 16px 0 10px; font: 14px/1.4 "Helvetica Neue", Helvetica,
  Arial, "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
th { text-align: right; font-weight: 600; color: #444; border-bottom: 1.5px solid #444;
  padding: 5px 11px; white-space: nowrap; }
td { text-align: right; padding: 3px 11px; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
tr.first td { border-top: 1px solid #dedacf; padding-top: 5px; }
td.win { font-weight: 700; background: #eef4ea; color: #1c5a2c; }
table.facts td, table.texts td, table.texts th { text-align: left; white-space: normal; }
pre.sample { background: #f3f1e9; padding: 12px 16px; margin: 10px 0;
  font: 13px/1.5 "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; }
figure { margin: 14px 0 4px; }
figure svg { max-width: 100%; height: auto; display: block; }
.pair { display: flex; gap: 16px; flex-wrap: wrap; }
.pair figure { flex: 1 1 480px; }
ul { padding-left: 1.2em; margin: 6px 0; }
nav { font-size: 14px; margin-top: 14px; }
nav a { color: #2b5c8a; margin-right: 16px; text-decoration: none; }
"""


@contextmanager
def plot_style(**more: Any) -> Iterator[None]:
    """Draw in the style of the project; ``more`` are further matplotlib settings, dots as in
    ``**{"svg.hashsalt": "prism"}``."""
    with matplotlib.rc_context({**STYLE, **more}):
        yield


def page(title: str, sections: Iterable[str]) -> str:
    """A whole HTML document."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(sections)
        + "\n</main>\n</body>\n</html>\n"
    )


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    wins: Iterable[tuple[int, int]] = (),
    starts: Iterable[int] = (),
    text: bool = False,
) -> str:
    """A table of plain texts, numbers mostly.

    Args:
        text: words, to be set from the left and broken into lines.
        wins: (row, column) of the cells to mark.
        starts: rows above which a group begins.
    """
    wins, starts = set(wins), set(starts)
    opening = '<table class="texts">' if text else "<table>"
    parts = [
        f"{opening}<thead><tr>",
        *(f"<th>{escape(h)}</th>" for h in head),
        "</tr></thead><tbody>",
    ]
    for i, row in enumerate(rows):
        parts.append('<tr class="first">' if i in starts else "<tr>")
        for j, cell in enumerate(row):
            mark = ' class="win"' if (i, j) in wins else ""
            parts.append(f"<td{mark}>{escape(cell)}</td>")
        parts.append("</tr>")
    return "".join(parts) + "</tbody></table>"


def facts(values: Mapping[str, object]) -> str:
    """A table of names and their values."""
    rows = (
        f'<tr class="first"><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>'
        for name, value in values.items()
    )
    return f'<table class="facts"><tbody>{"".join(rows)}</tbody></table>'


def figure(drawing: Figure, name: str, caption: str) -> str:
    """A figure as inline SVG with its caption; ``name`` keeps the ids of figures apart."""
    return f"<figure>{svg(drawing, name)}<figcaption>{escape(caption)}</figcaption></figure>"


def svg(drawing: Figure, name: str) -> str:
    """SVG element of a figure; HTML needs no XML prolog, metadata or namespace addresses."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with plot_style(**{"svg.hashsalt": name}):
        drawing.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
    prefix = re.sub(r"\W", "-", name)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', text)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", text)
