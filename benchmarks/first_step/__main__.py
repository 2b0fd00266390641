"""``python -m benchmarks.first_step``: gradients of step 1 and training, before and after a fix.

A document's first token follows nothing, so the key that links it to the token before is zero.
Divided by eps, that key once gave the tape's ``mix`` a gradient tens of thousands of times the
others', and clipping scaled the whole first step away. It is left out now
(``prism.model.tape``). Both ways are run here on the same weights and data: the norm of every
parameter's gradient at step 1, and the scores of a training run of ``--steps``. Asked for is that
no norm is more than a hundred times the median one, of the parameters with which it shares a loss:
parts that do not are clipped apart (:meth:`prism.model.protocol.LanguageModel.trained_apart`). The
file is written after each run, and the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from rich.console import Console
from torch import Tensor
from torch.nn import functional

from benchmarks.page.command import parse, parser, provenance
from prism.compare.protocol import BATCH_SIZE, Recipe, open_task, toy_config
from prism.compare.training import TrainingPlan, scored_loss, train
from prism.model.norm import promote
from prism.model.prism import Prism
from prism.model.tape import TapeHeads
from prism.ops.documents import RowEnds, last_real, shift_right
from prism.recipe import own_loss
from prism.record import ResultsFile, code_fingerprint
from tasks import TASKS
from tasks.task import Task

PROGRAM = "benchmarks.first_step"
BEFORE, AFTER = "before", "after"
OVER_MEDIAN = 100  # the largest norm may be this many times the median one
TRAINED = ("mini_lm", "induction")
RECIPE = Recipe(lr=0.01, dropout=0.0)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code is 1 where a norm is too large now."""
    p = parser(PROGRAM, __doc__)
    p.add_argument("--tasks", nargs="+", default=list(TRAINED), metavar="NAME")
    p.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N")
    p.add_argument("--steps", type=int, default=200, help="of training; 0 = the gradients alone")
    p.add_argument("--evaluation", type=int, default=256, help="sequences")
    p.add_argument("--threads", type=int, default=1, help="of torch; default 1")
    args, given = parse(p, argv, counts=("evaluation", "threads"), check=_check)
    file = ResultsFile(args.out, provenance(PROGRAM, given, args.quick))
    console = Console(soft_wrap=True, highlight=False)
    seeds, steps = (args.seeds[:1], min(args.steps, 2)) if args.quick else (args.seeds, args.steps)
    good = True
    for task in args.tasks:
        for seed in seeds:
            for way in (BEFORE, AFTER):
                key = {"task": task, "seed": seed, "way": way, "steps": steps}
                key |= {"evaluation": args.evaluation, "code": code_fingerprint()}
                run = file.once(key, lambda key=key: measured(key))
                console.print(_line(run))
                good = good and (way == BEFORE or run["over_median"] <= OVER_MEDIAN)
    console.print(str(args.out))
    return 0 if good else 1


def measured(key: dict[str, Any]) -> dict[str, Any]:
    """The norms of step 1 and the scores of the run of ``key``."""
    task = open_task(key["task"], None)
    config = toy_config(task, key["seed"], RECIPE.dropout)
    with zero_key_normalised(key["way"] == BEFORE):
        parts = gradient_norms(Prism(config).train(), task, key["seed"])
        run = max((_largest(norms) for norms in parts), key=lambda found: found["over_median"])
        run["parameters_with_gradient"] = sum(len(norms) for norms in parts)
        if key["steps"] == 0:
            return run
        plan = TrainingPlan(
            steps=key["steps"],
            batch_size=BATCH_SIZE,
            lr=RECIPE.lr,
            seed=key["seed"],
            evaluation=key["evaluation"],
        )
        result = dataclasses.asdict(train(Prism(config), task, plan))
    result.pop("curve")
    return run | {"metric": task.metric} | result


def _largest(norms: dict[str, float]) -> dict[str, Any]:
    """The largest norm of a part, and the median one."""
    found = sorted(norms.values())
    median, name = found[len(found) // 2], max(norms, key=norms.__getitem__)
    over = norms[name] / median
    return {"largest": name, "norm": norms[name], "median": median, "over_median": over}


def gradient_norms(model: Prism, task: Task, seed: int) -> list[dict[str, float]]:
    """Norm of the gradient of every parameter that has one, at step 1 of a run, by parts that share
    no loss."""
    batch = task.batch("train", seed, 0, BATCH_SIZE)
    output = model(batch.tokens)
    loss = scored_loss(output.logits, batch.targets) + output.aux_loss
    (loss + own_loss(output, lambda logits: scored_loss(logits, batch.targets))).backward()
    names = {id(p): name for name, p in model.named_parameters()}
    parts = []
    for part in model.trained_apart():
        norms = {names[id(p)]: p.grad.norm().item() for p in part if p.grad is not None}
        parts.append({name: norm for name, norm in norms.items() if norm > 0})
    return parts


@contextmanager
def zero_key_normalised(before: bool) -> Iterator[None]:
    """Inside, with ``before``, keys are made as they once were."""
    if not before:
        yield
        return
    with patch.object(TapeHeads, "_codes", _codes_before):
        yield


def _codes_before(
    heads: TapeHeads, x: Tensor, state: Any, doc_index: Tensor | None, ends: RowEnds | None
) -> tuple[Tensor, Tensor, Tensor]:
    """:meth:`TapeHeads._codes`, with the key of a first token over eps."""
    code = promote(heads.encode(x)).unflatten(-1, (heads.config.content_heads, -1))
    last = None if state is None else state.code.flatten(1)
    before = shift_right(code.flatten(2), last, doc_index).view_as(code)
    linked = torch.lerp(before, code, heads.mix[:, None].to(code.dtype))
    query, key = (functional.normalize(each, dim=-1, eps=1e-6) for each in (code, linked))
    return query, key, last_real(code, None if state is None else state.code, ends)


def _check(args: argparse.Namespace) -> None:
    for name in args.tasks:
        if name not in TASKS:
            raise ValueError(f"--tasks {name!r}: must be of {', '.join(TASKS)}")
    if args.steps < 0:
        raise ValueError(f"--steps {args.steps}: must be >= 0")


def _line(run: dict[str, Any]) -> str:
    line = f"{run['task']}, seed {run['seed']}, {run['way']}: largest {run['norm']:.3g} "
    line += f"({run['largest']}), {run['over_median']:.3g} times the median"
    if run.get("error") is not None:
        return f"{line}; {run['error']}"
    if run.get("test") is None:
        return line
    lengths = ", ".join(f"{k}: {v:.4f}" for k, v in run["test"]["by_length"].items())
    return f"{line}; validation {run['val'][run['metric']]:.4f}, test {lengths}"


if __name__ == "__main__":
    sys.exit(main())
