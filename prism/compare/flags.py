"""Flags of ``python -m prism.train`` as a plan, checked before anything is done."""

from __future__ import annotations

import argparse

from prism.baselines import ARMS
from prism.baselines import MODELS as ALL_MODELS
from prism.compare.protocol import (
    FULL_SEEDS,
    MODELS,
    SEARCH_SEEDS,
    ComparisonPlan,
    open_task,
)
from tasks import SUITES, TASKS

# what is searched and compared at full length: PRISM and every arm, the plain one of each first
FULL_MODELS = ("prism", *(arms[0] for arms in ARMS.values()))
FULL_MODELS += tuple(arm for arms in ARMS.values() for arm in arms[1:])


def plan_of(args: argparse.Namespace) -> tuple[ComparisonPlan, str]:
    """The plan that the flags ask for, and its mode: "full", "sweep", "quick" or "single".

    Raises:
        ValueError: a bad value, in one line.
    """
    comparing = args.compare or args.sweep or args.full
    if comparing == (args.model is not None):
        raise ValueError("give --compare, --sweep or --full, or else --model NAME, or --report DIR")
    mode = "full" if args.full else "sweep" if args.sweep else "quick" if comparing else "single"
    _check_numbers(args, mode)
    models = _models(args, mode) if comparing else [args.model]
    if args.corpus is not None and not args.corpus.strip():
        raise ValueError(f"--corpus {args.corpus!r}: must not be empty")
    default = ("mini_lm",) if args.corpus is not None and args.suite is None else None
    tasks = args.task or list(default or SUITES[args.suite or "core"])
    of_models = "--models" if comparing else "--model"
    for flag, names, known in ((of_models, models, ALL_MODELS), ("--task", tasks, TASKS)):
        for name in names:
            if name not in known:
                raise ValueError(f"{flag} {name!r}: must be one of {', '.join(known)}")
    if args.corpus is not None:
        if "mini_lm" not in tasks:
            raise ValueError(f"--corpus {args.corpus}: only mini_lm reads it; add it to --task")
        open_task("mini_lm", args.corpus)
    plan = ComparisonPlan(
        tasks=tuple(dict.fromkeys(tasks)),
        models=tuple(dict.fromkeys(models)),
        seeds=args.seeds or (FULL_SEEDS if mode == "full" else 1),
        first_seed=args.seed,
        steps=args.steps,
        lr=args.lr,
        warm_up=args.warm_up,
        dropout=args.dropout,
        search_seeds=args.search_seeds or SEARCH_SEEDS,
        batch_size=args.batch_size,
        corpus=args.corpus,
        quick=mode == "quick",
    )
    return plan, mode


def _models(args: argparse.Namespace, mode: str) -> list[str]:
    if args.models is None:
        return list(FULL_MODELS if mode in ("full", "sweep") else MODELS)
    return args.models.split(",")


def _check_numbers(args: argparse.Namespace, mode: str) -> None:
    """Nothing if every number is allowed, and none is given that the mode finds itself."""
    searches = mode in ("full", "sweep")
    for name, what in (("lr", "learning rate"), ("warm_up", "warm-up"), ("dropout", "dropout")):
        value = getattr(args, name)
        if value is not None and searches:
            flag = f"--{name.replace('_', '-')} {value:g}"
            raise ValueError(f"{flag}: --{mode} chooses the {what} itself")
    if args.seeds is not None and mode == "sweep":
        raise ValueError(f"--seeds {args.seeds}: --sweep takes the seeds of --search-seeds")
    if args.search_seeds is not None and not searches:
        raise ValueError(f"--search-seeds {args.search_seeds}: only --sweep and --full search")
    for name in ("steps", "seeds", "search_seeds", "batch_size", "workers"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise ValueError(f"--{name.replace('_', '-')} {value}: must be >= 1")
    if args.lr is not None and not 0 < args.lr < float("inf"):
        raise ValueError(f"--lr {args.lr:g}: must be > 0")
    if args.warm_up is not None and not 0 <= args.warm_up <= 1:
        raise ValueError(f"--warm-up {args.warm_up:g}: must be in 0..1, a share of the steps")
    if args.dropout is not None and not 0 <= args.dropout < 1:
        raise ValueError(f"--dropout {args.dropout:g}: must be >= 0 and below 1")
    most = max(FULL_SEEDS, args.seeds or 0, args.search_seeds or 0)
    if not 0 <= args.seed < 2**32 - most:
        raise ValueError(f"--seed {args.seed}: must be >= 0 and below 2**32 - {most}")
