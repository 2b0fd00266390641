"""``python -m benchmarks.speed``: PRISM in its default routing beside its baselines.

One run, one width, equal parameters (2%), all cores. Measured: time of a training step by length
(models in turns), peak memory of a step (a process each), time of a decoding step by context, and
what the neural kind costs in sparse mode. Writes a JSON and draws it; the criteria are printed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from benchmarks.page.command import parse, parser, provenance, write_json
from benchmarks.page.criterion import console_table, judge
from benchmarks.speed import memory
from benchmarks.speed.criteria import speed_criteria
from benchmarks.speed.neural_share import neural_share
from benchmarks.speed.plot import speed_figure
from benchmarks.speed.timing import Shape, decode_times, step_times
from prism.baselines import build
from prism.compare.protocol import MODELS
from prism.config import PrismConfig

PROGRAM = "benchmarks.speed"
LONG_RUNNERS = ("prism", "transformer")  # measured for memory and decoding


@dataclass(frozen=True)
class SpeedSizes:
    """Sizes to measure at. Contexts ascend; ``share_rows`` tokens pass the sparse router."""

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


FULL = SpeedSizes(
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
QUICK = SpeedSizes(
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
    p = parser(PROGRAM, __doc__)
    p.add_argument("--threads", type=int, help="of torch; default all cores")
    args, given = parse(p, argv, counts=("threads",))
    console = Console(soft_wrap=True, highlight=False)
    content = {"meta": provenance(PROGRAM, given, args.quick)}
    content |= measure(QUICK if args.quick else FULL, console)
    paths = write_json(args.out, content, speed_figure)
    console.print(console_table("Speed", judge(speed_criteria, content)))
    console.print(", ".join(str(path) for path in paths))
    return 0


def measure(size: SpeedSizes, console: Console) -> dict[str, Any]:
    """Everything but ``meta`` of speed.json."""
    config = PrismConfig(vocab_size=256, d_model=size.d_model, num_layers=size.num_layers)
    models = {name: build(name, config) for name in MODELS}
    console.print(f"step time, {len(models)} models in turns")
    steps = step_times(models, size.shapes, config.vocab_size)
    decode = []
    for name in LONG_RUNNERS:
        console.print(f"decoding, {name}")
        rows = decode_times(models[name], size.contexts, size.decode_rounds, config.vocab_size)
        decode += [{"model": name, **row} for row in rows]
    parameters = {name: model.num_parameters() for name, model in models.items()}
    del models
    console.print("peak memory")
    peaks = [
        memory.peak_memory(config, name, length)
        for name in LONG_RUNNERS
        for length in (size.memory_lengths if memory.STATUS.exists() else ())
    ]
    console.print("share of the neural kind")
    share = neural_share((1, 2), size.share_widths, size.share_rows, size.share_rounds)
    return {
        "config": config.to_dict(),
        "parameters": parameters,
        "steps": steps,
        "memory": peaks,
        "decode": decode,
        "neural_share": share,
    }


if __name__ == "__main__":
    sys.exit(main())
