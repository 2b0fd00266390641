"""``python -m benchmarks.trainer``: what the trainer adds to the bare step of the model.

The bare step is forward, loss, backward, clipping and the optimizer, on a plain model that carries
its state, on rows that are ready. The trainer's step adds reading the data, sharding, the guard,
counting and measuring. Both take turns on the same rows, each going first every other round; the
overhead is the median over rounds of the ratio of their processor times, less one, which what else
runs on the machine hardly touches. Wall times are kept beside.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.command import RESULTS, at_least, provenance, write_json
from prism.command import Parser
from prism.data import LaneBatch
from prism.engine.lanes_state import LaneStates
from prism.engine.meter import Meter
from prism.engine.optimizer import Optimizers, Roles
from prism.engine.parallel import world
from prism.engine.run import open_job
from prism.engine.schedule import learning_rate
from prism.engine.settings import Settings
from prism.engine.step import IGNORE, row_losses
from prism.engine.trainer import Job, Trainer

PROGRAM = "benchmarks.trainer"
BAR = 0.03
QUICK = ("d_model=32", "num_layers=2", "num_rates=4")
WARM_UP = 2  # rounds


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    p = Parser(prog=f"python -m {PROGRAM}", description=__doc__)
    p.add_argument("--out", type=Path, default=RESULTS / "trainer.json", help="the JSON to write")
    p.add_argument("--quick", action="store_true", help="tiny sizes: shows that it works, no more")
    p.add_argument("--rounds", type=int, help="pairs of steps; default 40, quick 2")
    p.add_argument("--threads", type=int, default=1, help="of torch")
    args = p.parse_args(argv)
    try:
        at_least(1, "--rounds", args.rounds)
        at_least(1, "--threads", args.threads)
    except ValueError as error:
        p.error(str(error))
    torch.set_num_threads(args.threads)
    s = Settings(
        preset="tiny",
        set=QUICK if args.quick else (),
        seq_len=64 if args.quick else 512,
        global_batch_size=2 if args.quick else 4,
        eval_tokens=64,
        device="cpu",
    )
    content = {"meta": provenance(PROGRAM, argv, "quick" if args.quick else "full")}
    content |= measure(s, args.rounds or (2 if args.quick else 40))
    write_json(args.out, content)
    print(f"trainer overhead {content['overhead']:+.1%} (bar {BAR:.0%}); {args.out}")
    return 0


def measure(s: Settings, rounds: int) -> dict[str, Any]:
    """Seconds of every step of both, and the overhead."""
    with world(s) as w, tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(open_job(s, w), w, Path(scratch))
        meter = Meter(w, trainer.job.config.expert_kinds, 0.0, None)
        bare, ready = bare_step(trainer.job), open_job(s, w).feed
        wall: dict[str, list[float]] = {"bare": [], "trainer": []}
        busy: dict[str, list[float]] = {"bare": [], "trainer": []}
        for turn in range(rounds + WARM_UP):
            batch = ready.next()
            steps = {"bare": lambda: bare(batch), "trainer": lambda: trainer._train_step(meter)}
            for name in sorted(steps, reverse=turn % 2 == 1):
                begin, cpu = time.perf_counter(), time.process_time()
                steps[name]()
                if turn >= WARM_UP:
                    wall[name].append(time.perf_counter() - begin)
                    busy[name].append(time.process_time() - cpu)
    return {
        "settings": s.to_dict(),
        "cpu_seconds": busy,
        "seconds": wall,
        "overhead": _overhead(busy),
        "overhead_wall": _overhead(wall),
    }


def _overhead(times: dict[str, list[float]]) -> float:
    return median(b / a for a, b in zip(times["bare"], times["trainer"], strict=True)) - 1


def bare_step(job: Job) -> Callable[[LaneBatch], None]:
    """A function that takes one step on the rows given."""
    model = job.make()
    roles = Roles.of(model)
    optimizers = Optimizers(model, roles, job.s)
    optimizers.set_rate(learning_rate(0, job.s))
    rows = job.s.global_batch_size
    states = LaneStates(range(rows), rows, job.carry)

    def step(batch: LaneBatch) -> None:
        output = model(batch.tokens, state=states.states[0], segment_ids=batch.segment_ids)
        states.keep(0, output.state)
        valid = (batch.targets != IGNORE).sum()
        loss = row_losses(output.logits, batch.targets).sum() / valid
        (loss + output.aux_loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), job.s.grad_clip)
        optimizers.step()
        optimizers.zero_grad()
        model.after_step(output.loads)

    return step


if __name__ == "__main__":
    sys.exit(main())
