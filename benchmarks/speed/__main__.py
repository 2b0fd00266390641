"""``python -m benchmarks.speed``: PRISM in its default routing and the baselines, side by side.

One run, one width, equal parameters (2%), all cores. Measured: time of a training step by length
(models in turns), peak memory of a step (a process each), time of a decoding step by context, and
what the neural kind costs in sparse mode. Writes a JSON and draws it; the bars are printed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.page import bars
from benchmarks.page.command import RESULTS, at_least, provenance, write_json
from benchmarks.page.figure import draw
from benchmarks.speed import memory
from benchmarks.speed.bars import speed_bars
from benchmarks.speed.neural_share import neural_share
from benchmarks.speed.plot import speed_figure
from benchmarks.speed.timing import Shape, decode_times, step_times
from prism.baselines import build
from prism.command import Parser
from prism.compare.protocol import MODELS
from prism.config import PrismConfig
from prism.record import cpu_count

PROGRAM = "benchmarks.speed"
LONG_RUNNERS = ("prism", "transformer")  # measured for memory and decoding


@dataclass(frozen=True)
class Size:
    """What is measured. Contexts ascend; ``share_rows`` tokens pass the sparse router."""

    profile: str
    d_model: int
    num_layers: int
    shapes: Sequence[Shape]
    memory_lengths: Sequence[int]
    contexts: Sequence[int]
    decode_rounds: int
    share_widths: Sequence[int]
    share_rows: int
    share_rounds: int


FULL = Size(
    profile="full",
    d_model=256,
    num_layers=4,
    shapes=(Shape(16, 64, 21), Shape(1, 2048, 9), Shape(1, 8192, 5), Shape(1, 16384, 3)),
    memory_lengths=(1024, 2048, 4096, 8192, 16384),
    contexts=(1024, 4096, 16384, 65536),
    decode_rounds=100,
    share_widths=(256, 1024),
    share_rows=8192,
    share_rounds=9,
)
QUICK = Size(
    profile="quick",
    d_model=32,
    num_layers=2,
    shapes=(Shape(2, 16, 2), Shape(1, 64, 2)),
    memory_lengths=(256,),
    contexts=(16, 64),
    decode_rounds=2,
    share_widths=(32,),
    share_rows=128,
    share_rounds=2,
)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    p = Parser(prog=f"python -m {PROGRAM}", description=__doc__)
    p.add_argument("--out", type=Path, default=RESULTS / "speed.json", help="the JSON to write")
    p.add_argument("--quick", action="store_true", help="tiny sizes: shows that it works, no more")
    p.add_argument("--threads", type=int, help="of torch; default all cores")
    args = p.parse_args(argv)
    try:
        at_least(1, "--threads", args.threads)
    except ValueError as error:
        p.error(str(error))
    torch.set_num_threads(args.threads or cpu_count())
    console = Console(soft_wrap=True)
    content = {"meta": provenance(PROGRAM, argv, "quick" if args.quick else "full")}
    content |= measure(QUICK if args.quick else FULL, console)
    write_json(args.out, content)
    drawings = draw(speed_figure, content, args.out)
    console.print(_table(content))
    console.print(f"{args.out}, {', '.join(str(path) for path in drawings)}", highlight=False)
    return 0


def measure(size: Size, console: Console) -> dict[str, Any]:
    """Everything but ``meta`` of speed.json."""
    config = PrismConfig(vocab_size=256, d_model=size.d_model, num_layers=size.num_layers)
    models = {name: build(name, config) for name in MODELS}
    console.print(f"step time, {len(models)} models in turns", highlight=False)
    steps = step_times(models, size.shapes, config.vocab_size)
    decode = []
    for name in LONG_RUNNERS:
        console.print(f"decoding, {name}", highlight=False)
        rows = decode_times(models[name], size.contexts, size.decode_rounds, config.vocab_size)
        decode += [{"model": name, **row} for row in rows]
    parameters = {name: model.num_parameters() for name, model in models.items()}
    del models
    console.print("peak memory", highlight=False)
    peaks = [
        memory.peak_memory(config, name, length)
        for name in LONG_RUNNERS
        for length in (size.memory_lengths if memory.available() else ())
    ]
    console.print("share of the neural kind", highlight=False)
    share = neural_share((1, 2), size.share_widths, size.share_rows, size.share_rounds)
    return {
        "config": config.to_dict(),
        "parameters": parameters,
        "steps": steps,
        "memory": peaks,
        "decode": decode,
        "neural_share": share,
    }


def _table(content: dict[str, Any]) -> Table:
    table = Table(*bars.HEAD, title="Speed", title_justify="left", box=None, pad_edge=False)
    for bar in speed_bars(content):
        table.add_row(*bar.cells)
    return table


if __name__ == "__main__":
    sys.exit(main())
