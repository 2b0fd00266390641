"""``python -m benchmarks.speed.against CHECKOUT``: step times here and in another checkout.

Is a change slower? Each checkout runs in a process of its own with the same interpreter, and the
two take one step each, turn and turn about, so that a machine whose speed drifts is no fault of
either. A row is one model at one size: the ratio of its step here to its step there, pair by pair,
as median and 95% bootstrap interval of the median. A training step is forward and backward; a step
of decoding is 32 single tokens after a context.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.table import Table

from prism.command import Parser, output

ROOT = Path(__file__).resolve().parents[2]
MODELS = ("prism", "transformer", "ssm", "gdn")
# kind of step, batch, length, pairs
SHAPES = (
    ("train", 16, 64, 41),
    ("train", 1, 2048, 31),
    ("train", 1, 8192, 9),
    ("decode", 1, 1024, 41),
)
QUICK = (("train", 2, 16, 2), ("decode", 1, 16, 2))
SLOWER = 1.03  # a ratio above this is called slower
WORKER = """
import json, sys, time
import torch
from pathlib import Path
import prism
from prism.baselines import build
from prism.config import PrismConfig

root, threads = sys.argv[1:]
assert Path(prism.__file__).resolve().is_relative_to(Path(root).resolve()), prism.__file__
torch.set_num_threads(int(threads))
config = PrismConfig(vocab_size=256, d_model=256, num_layers=4)
models = {}


def train(model, tokens):
    model.zero_grad(set_to_none=True)
    begin = time.perf_counter()
    out = model(tokens)
    target = tokens.roll(-1, dims=1).flatten()
    own = getattr(out, "own", None)  # an older checkout has none
    # a checkout of before has them in one tensor
    answers = own.unbind(-2) if isinstance(own, torch.Tensor) else own or ()
    flat = [x.flatten(0, 1).float() for x in (out.logits, *answers)]
    loss = sum(torch.nn.functional.cross_entropy(x, target) for x in flat)
    (loss + out.aux_loss).backward()
    return time.perf_counter() - begin, loss.item()


@torch.inference_mode()
def decode(model, tokens):
    state = model(tokens).state
    begin = time.perf_counter()
    for _ in range(32):
        out = model(tokens[:, :1], state=state)
        state = out.state
    return time.perf_counter() - begin, out.logits.double().sum().item()


for line in sys.stdin:
    kind, name, batch, length = json.loads(line)
    if name not in models:
        models[name] = build(name, config).train()
    draw = torch.Generator().manual_seed(0)
    tokens = torch.randint(256, (batch, length), generator=draw)
    print(json.dumps({"train": train, "decode": decode}[kind](models[name], tokens)), flush=True)
"""


class Checkout:
    """A process that takes training steps with the models of the checkout at ``root``."""

    def __init__(self, root: Path, threads: int) -> None:
        environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": str(threads)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(root), str(threads)],
            cwd=root,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def step(self, kind: str, model: str, batch: int, length: int) -> tuple[float, float]:
        """Seconds of one step, and a number that it computed: a training step's loss, the sum of
        the last logits of decoding.

        Raises:
            RuntimeError: the process has ended; its own words are on stderr.
        """
        self._process.stdin.write(json.dumps([kind, model, batch, length]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of the other checkout ended, step of {model}")
        seconds, number = json.loads(line)
        return seconds, number

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def main(argv: list[str] | None = None) -> int:
    """Run the command line; 1 if a model is slower here at some size."""
    p = Parser(prog="python -m benchmarks.speed.against", description=__doc__)
    p.add_argument("checkout", type=Path, help="root of the other checkout")
    p.add_argument("--threads", type=int, default=os.cpu_count(), help="of torch")
    p.add_argument("--out", type=Path, help="JSON of all pairs")
    p.add_argument("--quick", action="store_true", help="two pairs of the smallest size")
    args = p.parse_args(argv)
    if not (args.checkout / "prism").is_dir():
        p.error(f"{args.checkout}: must be a checkout that holds prism/")
    rows = compare(args.checkout, QUICK if args.quick else SHAPES, args.threads)
    output().print(_table(rows))
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps({"rows": rows}, indent=1) + "\n", "utf-8")
    return int(any(row["ratio"] > SLOWER for row in rows))


def compare(
    other: Path, shapes: Sequence[tuple[str, int, int, int]], threads: int
) -> list[dict[str, Any]]:
    """One row per model and shape: ``ratio`` here over there, its interval, both medians, and
    whether both computed the same number, to the bit."""
    here, there = Checkout(ROOT, threads), Checkout(other.resolve(), threads)
    rows = []
    try:
        for kind, batch, length, pairs in shapes:
            for model in MODELS:
                for side in (here, there):  # warm-up
                    side.step(kind, model, batch, length)
                rows.append(_paired(here, there, (kind, model, batch, length), pairs))
    finally:
        here.close()
        there.close()
    return rows


def _paired(
    here: Checkout, there: Checkout, step: tuple[str, str, int, int], pairs: int
) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {"here": [], "there": []}
    numbers = set()
    for pair in range(pairs):
        sides = [("here", here), ("there", there)]
        for name, side in sides if pair % 2 else reversed(sides):
            spent, number = side.step(*step)
            seconds[name].append(spent)
            numbers.add(number)
    ratios = np.array(seconds["here"]) / np.array(seconds["there"])
    draws = np.random.default_rng(0).choice(ratios, (2000, len(ratios)))
    low, high = np.quantile(np.median(draws, axis=1), (0.025, 0.975))
    return dict(zip(("kind", "model", "batch", "length"), step, strict=True)) | {
        "ratio": float(np.median(ratios)),
        "interval": [float(low), float(high)],
        "here": median(seconds["here"]),
        "there": median(seconds["there"]),
        "same": len(numbers) == 1,
    }


def _table(rows: list[Mapping[str, Any]]) -> Table:
    table = Table("step", "model", "batch × length", "here", "there", "ratio", "95%", "same")
    for row in rows:
        low, high = row["interval"]
        table.add_row(
            row["kind"],
            row["model"],
            f"{row['batch']} × {row['length']:,}",
            f"{1e3 * row['here']:.0f} ms",
            f"{1e3 * row['there']:.0f} ms",
            f"{row['ratio']:.3f}",
            f"{low:.3f} to {high:.3f}",
            "yes" if row["same"] else "no",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
