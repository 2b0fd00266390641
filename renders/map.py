"""``python -m renders.map``: the packages in the order of their imports, and the flow of data.

The rows of the first picture are the layers of the import contract in pyproject.toml, which
``make lint`` enforces, so the picture cannot show an order that the code does not keep.
"""

from __future__ import annotations

import sys
import tomllib
from itertools import pairwise

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prism.command import Parser
from renders.drawing import (
    BUS,
    GREY,
    HERE,
    MEMORY,
    NEURAL,
    STYLE,
    SYMBOLIC,
    arrow,
    board,
    box,
    folder,
    path,
    save,
    text,
)

CONTRACT = "imports point one way"
COMMANDS = "commands"
# the words under a name, and its colour
NOTES = {
    COMMANDS: (
        "train, run_scale, generate, ingest, ask, kb, chat, serve, report, eval_*, demos",
        GREY,
    ),
    "hf": ("Hugging Face: transformers\nclasses, export, lm_eval", GREY),
    "distill": ("a teacher's distribution: stores,\ntargets, losses", NEURAL),
    "probe": ("training dynamics: every step\nof a matrix, exactly", GREY),
    "studies": ("evaluation protocols: facts, retrieval, modular, mind", GREY),
    "loading": ("prism.load: a model from disk", GREY),
    "compare": ("models on tasks:\nplan, runs, table", NEURAL),
    "engine": ("training at scale: loop,\nparallel, store, levers", NEURAL),
    "mind": ("knowledge base: SQLite\nledger, tape as a view", MEMORY),
    "inject": ("a tape in a language model: attach, facts_for", MEMORY),
    "baselines": ("Transformer,\nMamba-2, DeltaNet", BUS),
    "growth": ("a larger model,\nsame function", BUS),
    "modular": ("experts that are\ntrained apart", BUS),
    "pretrained": ("SmolLM2, frozen", BUS),
    "recipe": ("the one training step: parameter groups, schedules, clipping", NEURAL),
    "data": ("text to rows of tokens,\ntokenizers", SYMBOLIC),
    "model": ("the PRISM model: bus, router,\nthree experts, shared tape, state", BUS),
    "holo": ("HoloTape: facts by binding,\nin an integer accumulator", MEMORY),
    "ops": ("linear-time scans, delta rule, ring: each beside its plain loop", BUS),
    "presets": ("named configs: tiny, 350m, 1b", GREY),
    "record": ("results on disk, resumable, with provenance", GREY),
    "config": ("PrismConfig", GREY),
    "splitmix": ("64-bit hashes", GREY),
    "whole_file": ("atomic writes", GREY),
    "command": ("flags, exit codes", GREY),
    "page": ("look of pages, figures", GREY),
    "former_names": ("config fields as older files spell them", GREY),
}
WIDTH, GAP, LEFT, RIGHT = 900, 11, 64, 884
LINE, PADDING = 14, 34  # pixels of a line of words, and of a box without one


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = Parser(prog="python -m renders.map", description=__doc__)
    p.add_argument("--out", type=folder, default=HERE, metavar="DIR")
    args = p.parse_args(argv)
    with matplotlib.rc_context(STYLE):
        paths = save(packages(layers()), args.out, "packages")
        paths += save(data_flow(), args.out, "data_flow")
    print("\n".join(str(path) for path in paths))
    return 0


def layers() -> list[list[str]]:
    """Packages and modules of ``prism`` by layer, the highest first, as the import contract lists
    them; the commands as one."""
    setting = tomllib.loads((HERE.parent / "pyproject.toml").read_text("utf-8"))
    contracts = setting["tool"]["importlinter"]["contracts"]
    listed = next(c["layers"] for c in contracts if c["name"] == CONTRACT)
    rows = [[name.strip() for name in layer.split("|")] for layer in listed]
    return [[COMMANDS] if "train" in row else row for row in rows]


def packages(rows: list[list[str]]) -> Figure:
    """One box per package, one row per layer; a package imports from rows below its own only."""
    lines = [max(NOTES[name][0].count("\n") + 1 for name in row) for row in rows]
    heights = [PADDING + LINE * n for n in lines]
    y = height = sum(heights) + GAP * (len(rows) + 1)
    figure, ax = board(WIDTH, height)
    for row, tall in zip(rows, heights, strict=True):
        y -= tall + GAP
        width = (RIGHT - LEFT - GAP * (len(row) - 1)) / len(row)
        for i, name in enumerate(row):
            x = LEFT + i * (width + GAP)
            box(ax, x, y, width, tall, NOTES[name][1])
            _named(ax, x + width / 2, y + tall / 2, name, *NOTES[name])
    arrow(ax, (34, height - GAP), (34, GAP), GREY, 2.0)
    text(ax, 18, height / 2, "imports point down", colour=GREY)
    ax.texts[-1].set_rotation(90)
    return figure


def _named(ax: Axes, x: float, y: float, name: str, note: str, colour: str) -> None:
    """A name and the lines of words under it, centred at (x, y)."""
    lines = note.split("\n")
    text(ax, x, y + 8 * len(lines), name, 9.5, colour, bold=True)
    for i, line in enumerate(lines):
        text(ax, x, y + 8 * len(lines) - 17 - 14 * i, line, 8)


def data_flow() -> Figure:
    """Text to weights in the upper row, facts to answers in the lower, the model between them."""
    figure, ax = board(WIDTH, 388)
    train = [
        ("text", "files, hub,\npackages", GREY),
        ("data", "mix, tokenizer,\nrow streams", SYMBOLIC),
        ("engine.loop", "forward, Loss,\nbackward, AdamW", NEURAL),
        ("engine.store", "checkpoint,\nexact resume", NEURAL),
        ("prism.load", "weights,\nconfig, tokenizer", GREY),
    ]
    facts = [
        ("facts", "tape.bind, CSV,\nJSON lines", GREY),
        ("holo", "accumulator,\nledger", MEMORY),
        ("inject", "is a fact asked for,\nand which", MEMORY),
        ("read", "best token, chance\nthat it is noise", MEMORY),
        ("mixture", "(1 - g) p + g [token]\nin probabilities", MEMORY),
    ]
    _chain(ax, 308, train)
    _chain(ax, 22, facts)
    _model(ax)
    return figure


def _chain(ax: Axes, y: float, steps: list[tuple[str, str, str]]) -> None:
    """Boxes from left to right with arrows between them."""
    width, height, between = 150, 62, 31
    corners = [16 + i * (width + between) for i in range(len(steps))]
    for x, (name, note, colour) in zip(corners, steps, strict=True):
        box(ax, x, y, width, height, colour)
        _named(ax, x + width / 2, y + height / 2, name, note, colour)
    for a, b in pairwise(corners):
        arrow(ax, (a + width, y + height / 2), (b, y + height / 2))


def _model(ax: Axes) -> None:
    """The model between training and facts: tokens and state in, logits and state out."""
    y, height = 158, 76
    box(ax, 197, y, 512, height, BUS)
    text(ax, 453, y + 58, "model", 9.5, BUS, bold=True)
    parts = "embedding   >   L x ( bus,  router over neural, memory, symbolic )   >   norm, head"
    text(ax, 453, y + 38, parts.replace(">", "→"), 8)
    text(ax, 453, y + 18, "model(tokens, state, segment_ids)  →  logits, state, auxiliary loss", 8)
    arrow(ax, (104, y + 38), (197, y + 38))
    text(ax, 60, y + 45, "tokens [B, T]", 8.5)
    text(ax, 60, y + 30, "PrismState", 8.5, GREY)
    arrow(ax, (709, y + 38), (776, y + 38))
    text(ax, 836, y + 45, "logits [B, T, V]", 8.5)
    text(ax, 836, y + 30, "PrismState", 8.5, GREY)
    arrow(ax, (440, 308), (440, y + height), NEURAL)
    arrow(ax, (466, y + height), (466, 308), NEURAL)
    text(ax, 424, 272, "rows", 8, NEURAL, align="right")
    text(ax, 480, 272, "logits, hidden states", 8, NEURAL, align="left")
    path(ax, [(815, 308), (815, 271), (667, 271), (667, y + height)], GREY)
    arrow(ax, (453, y), (453, 84), MEMORY)
    text(ax, 468, 122, "hidden states, attention", 8, MEMORY, align="left")
    path(ax, [(815, 84), (815, y + 20)], MEMORY)
    text(ax, 800, 122, "where a fact is asked for", 8, MEMORY, align="right")


if __name__ == "__main__":
    sys.exit(main())
