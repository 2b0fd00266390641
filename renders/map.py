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
# one line and one colour per package; modules of the root that no layer names are not drawn
NOTES = {
    COMMANDS: ("train, run_scale, generate, ingest, ask, tokenizer, report, eval_*, demos", GREY),
    "studies": ("evaluation protocols:\nfacts, retrieval, modular", GREY),
    "compare": ("models on tasks:\nplan, runs, table", NEURAL),
    "engine": ("training at scale: loop,\nparallel, store, levers", NEURAL),
    "inject": ("a tape in a language model: attach, facts_for", MEMORY),
    "baselines": ("Transformer,\nMamba-2, GDN", BUS),
    "growth": ("larger models,\nsame function", BUS),
    "modular": ("experts trained\napart", BUS),
    "pretrained": ("SmolLM2,\nfrozen", BUS),
    "holo": ("HoloTape:\nfacts by binding", MEMORY),
    "data": ("text to rows,\ntokenizers", SYMBOLIC),
    "model": ("the PRISM model: bus, router, three experts, shared tape, state", BUS),
    "ops": ("linear-time scans, delta rule, ring: each beside its plain loop", BUS),
    "config": ("PrismConfig and the presets", GREY),
}
WIDTH, ROW, GAP, LEFT, RIGHT = 900, 58, 14, 64, 884


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
    """Packages of ``prism`` by layer, the highest first, as the import contract lists them.

    Commands, and the modules of studies, are shown as one box each; a package without a line in
    ``NOTES`` is a module of the root and is left out.
    """
    setting = tomllib.loads((HERE.parent / "pyproject.toml").read_text("utf-8"))
    contracts = setting["tool"]["importlinter"]["contracts"]
    listed = next(c["layers"] for c in contracts if c["name"] == CONTRACT)
    rows = []
    for layer in listed:
        names = [name.strip().removeprefix("prism.") for name in layer.split("|")]
        if "train" in names:
            names = [COMMANDS]
        row = dict.fromkeys(name.split(".")[0] for name in names)
        if shown := [name for name in row if name in NOTES]:
            rows.append(shown)
    return rows


def packages(rows: list[list[str]]) -> Figure:
    """One box per package, one row per layer; a package imports from rows below its own only."""
    height = len(rows) * (ROW + GAP) + 34
    figure, ax = board(WIDTH, height)
    for i, row in enumerate(rows):
        y = height - 12 - (i + 1) * (ROW + GAP)
        width = (RIGHT - LEFT - GAP * (len(row) - 1)) / len(row)
        for j, name in enumerate(row):
            note, colour = NOTES[name]
            x = LEFT + j * (width + GAP)
            box(ax, x, y, width, ROW, colour)
            _named(ax, x + width / 2, y + ROW / 2, name, note, colour)
    arrow(ax, (34, height - 26), (34, 30), GREY, 2.0)
    text(ax, 18, height / 2, "imports point down", colour=GREY)
    ax.texts[-1].set_rotation(90)
    return figure


def _named(ax: Axes, x: float, y: float, name: str, note: str, colour: str) -> None:
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
        ("inject", "who and what is\nasked: trigger", MEMORY),
        ("read", "best token, and\nits error rate", MEMORY),
        ("mixture", "(1 - g) p + g [token],\none function", MEMORY),
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
    text(ax, 482, 272, "logits, hidden states", 8, NEURAL, align="left")
    arrow(ax, (815, 308), (700, y + height), GREY)
    arrow(ax, (453, y), (453, 84), MEMORY)
    text(ax, 468, 122, "hidden states, attention", 8, MEMORY, align="left")
    path(ax, [(815, 84), (815, y + 20)], MEMORY)
    text(ax, 826, 122, "at a fact's token", 8, MEMORY, align="left")
    ax.texts[-1].set_ha("center")
    ax.texts[-1].set_x(752)


if __name__ == "__main__":
    sys.exit(main())
