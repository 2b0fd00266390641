"""``python -m benchmarks.trainer``: overhead of the trainer over the bare step of the model.

The bare step is forward, loss, backward, clipping and the optimizer, on a plain model that carries
its state, on rows that are ready. The trainer's step adds reading the data, sharding, the guard,
counting and measuring. Both take turns on the same rows, each going first every other round; the
overhead is the median over rounds of the ratio of their processor times, less one, which what else
runs on the machine hardly touches. Its 95% interval is that of a median by order statistics:
elements n/2 -+ 0.98 sqrt(n) of the n sorted ratios. Wall times are kept beside. The overhead is a
nearly fixed time per step, so two sizes of step are measured: the trainer's default, and a quarter.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import AdamW

from benchmarks.page.command import parse, parser, provenance, write_json
from prism.data import RowBatch
from prism.data.document import IGNORE
from prism.engine.builders import build_spec
from prism.engine.logs.meter import Meter
from prism.engine.loop.optimizer import BETA1, Roles, learning_rate
from prism.engine.loop.trainer import Trainer, TrainSpec
from prism.engine.parallel.world import world
from prism.engine.settings import Settings
from prism.model.protocol import detach_state
from prism.recipe import own_loss

PROGRAM = "benchmarks.trainer"
LIMIT = 0.03
QUICK = ("d_model=32", "num_layers=2", "num_rates=4")
WARM_UP = 2  # rounds
SIZES = ((4, 512), (8, 1024))  # rows, tokens per row
QUICK_SIZES = ((2, 64), (2, 128))


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser(PROGRAM, __doc__)
    p.add_argument("--rounds", type=int, help="pairs of steps; default 40, quick 2")
    p.add_argument("--threads", type=int, default=1, help="of torch")
    args, given = parse(p, argv, counts=("rounds", "threads"))
    content = {"meta": provenance(PROGRAM, given, args.quick)}
    content["bar"] = LIMIT
    content["sizes"] = []
    for rows, length in QUICK_SIZES if args.quick else SIZES:
        size = {"seq_len": length, "global_batch_size": rows, "eval_tokens": 64}
        s = Settings(set=QUICK if args.quick else (), device="cpu", **size)
        content["sizes"].append(measure(s, args.rounds or (2 if args.quick else 40)))
        write_json(args.out, content)
        print(f"{rows} x {length}: trainer overhead {content['sizes'][-1]['overhead']:+.1%}")
    print(f"limit {LIMIT:.0%}; {args.out}")
    return 0


def measure(s: Settings, rounds: int) -> dict[str, Any]:
    """Seconds of every step of both, and the overhead."""
    with world(s) as w, tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(build_spec(s, w), w, Path(scratch))
        meter = Meter(w, trainer.spec.config.expert_kinds, 0.0, None)
        bare, ready = bare_step(trainer.spec), build_spec(s, w).feed
        steps = {"bare": bare, "trainer": lambda batch: trainer._train_step(meter)}
        wall: dict[str, list[float]] = {name: [] for name in steps}
        busy: dict[str, list[float]] = {name: [] for name in steps}
        for turn in range(rounds + WARM_UP):
            batch = ready.next()
            for name in sorted(steps, reverse=turn % 2 == 1):
                begin, cpu = time.perf_counter(), time.process_time()
                steps[name](batch)
                if turn >= WARM_UP:
                    wall[name].append(time.perf_counter() - begin)
                    busy[name].append(time.process_time() - cpu)
    ratios = sorted(b / a for a, b in zip(busy["bare"], busy["trainer"], strict=True))
    return {
        "settings": s.to_dict(),
        "rows": s.global_batch_size,
        "length": s.seq_len,
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
        "cpu_seconds": busy,
        "seconds": wall,
        "overhead": median(ratios) - 1,
        "interval": [ratio - 1 for ratio in median_interval(ratios)],
    }


def median_interval(ordered: Sequence[float]) -> tuple[float, float]:
    """95% interval of the median of what the sorted values are drawn from; all of them if few."""
    n = len(ordered)
    low = max(math.floor(n / 2 - 0.98 * math.sqrt(n)), 0)
    return ordered[low], ordered[n - 1 - low]


def bare_step(spec: TrainSpec) -> Callable[[RowBatch], None]:
    """A function that takes one step on the rows given, with nothing but torch."""
    model, s = spec.make(), spec.s
    decayed = Roles.of(model).decayed
    groups = [
        {"params": [p for n, p in model.named_parameters() if (n in decayed) == decay],
         "weight_decay": s.weight_decay if decay else 0.0}
        for decay in (True, False)
    ]  # fmt: skip
    optimizer = AdamW(groups, lr=learning_rate(0, s), betas=(BETA1, s.beta2), fused=True)
    state = None

    def step(batch: RowBatch) -> None:
        nonlocal state
        output = model(batch.tokens, state=state, segment_ids=batch.segment_ids)
        state = detach_state(output.state) if spec.carry else None

        def loss(logits: Tensor) -> Tensor:
            flat = logits.flatten(0, 1)
            return cross_entropy(flat, batch.targets.flatten(), ignore_index=IGNORE)

        (loss(output.logits) + own_loss(output, loss) + output.aux_loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), s.grad_clip)
        optimizer.step()
        optimizer.zero_grad()
        model.after_step(output.loads)

    return step


if __name__ == "__main__":
    sys.exit(main())
