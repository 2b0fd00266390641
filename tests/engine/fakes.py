"""A small run on ragged made-up documents, and a pool of processes that form a group."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from prism.data import RowBatch
from prism.engine.levers.token_weights import weighted_loss
from prism.engine.logs.meter import Meter
from prism.engine.loop.guard import Stop
from prism.engine.loop.loss import CrossEntropy, ModelPenalties, OwnAnswer
from prism.engine.loop.observer import Observer
from prism.engine.loop.trainer import Trainer, TrainSpec
from prism.engine.models import carries, make_model, model_config
from prism.engine.parallel import fsdp
from prism.engine.parallel.world import World, world
from prism.engine.settings import Settings
from prism.modular.output_penalty import OUT_OF_DOMAIN_FACTOR

VOCAB = 17
SMALL = ("d_model=16", "num_layers=3", "num_rates=4", "half_life_max=32", "chunk_size=8",
         "tape.num_slots=8", "tape.d_mem=4", "symbolic.units=4", "neural_hidden=96")  # fmt: skip
TOP2 = (*SMALL, "router_topk=2")
# gates and prices of a modular part
APART = (*SMALL, 'router_gates="independent"', "anchor_hidden=24", "z_loss=0.5")

# every symbolic machine has an embedding and an answer of its own
ANSWERS = (*SMALL, "symbolic.answers=true", "symbolic.width=8", "symbolic.dials=2",
           "symbolic.reflections=1")  # fmt: skip


def small(**values: Any) -> Settings:
    """Settings of a run that takes a moment."""
    usual: dict[str, Any] = {
        "set": SMALL,
        "seq_len": 24,
        "global_batch_size": 4,
        "steps": 6,
        "save_every": 3,
        "eval_every": 0,
        "log_every": 1,
        "lr": 3e-3,
        "device": "cpu",
    }
    return Settings(**{**usual, **values})


def ragged_row(lane: int, step: int, length: int) -> tuple[torch.Tensor, ...]:
    """Tokens, targets and segments of one lane: documents of 3 to 14 tokens, some padding."""
    g = torch.Generator().manual_seed(1000 * lane + step)
    tokens = torch.randint(VOCAB, (length,), generator=g)
    ends = torch.rand(length, generator=g) < 0.12
    segments = 1000 * step + ends.long().cumsum(0) - ends.long()
    if step > 0 and lane % 2:  # the first document goes on from the row before
        before = ragged_row(lane, step - 1, length)[2]
        segments[segments == 1000 * step] = before.max()
    targets = torch.where(ends | (tokens == 3), -100, tokens.roll(-1))
    targets[-1] = -100
    padding = int(torch.randint(0, 1 + 5 * (lane % 3), (1,), generator=g))
    if padding:
        targets[-padding - 1 :] = -100
        segments[-padding:] = -1
    return tokens, targets, segments


class RaggedFeed:
    """The lanes ``mine`` of :func:`ragged_row`."""

    def __init__(self, mine: Sequence[int], length: int) -> None:
        self.mine, self.length, self.step = tuple(mine), length, 0

    def next(self) -> RowBatch:
        rows = [ragged_row(lane, self.step, self.length) for lane in self.mine]
        self.step += 1
        tokens, targets, segments = (torch.stack(part) for part in zip(*rows, strict=True))
        names = [f"source {lane}" for lane in self.mine]
        guests = (segments % 3 == 0) | (segments < 0)  # whole documents, and padding
        document = torch.where(
            segments < 0, 0, 10_000 * torch.tensor(self.mine)[:, None] + segments
        )
        offset = torch.arange(self.length).expand_as(tokens)
        size = (targets >= 0).sum(dim=1)
        return RowBatch(tokens, targets, segments, names, size, guests, document, offset)

    def state(self) -> dict[str, Any]:
        return {f"lane{lane:04d}": {"step": self.step} for lane in self.mine}

    def passes(self) -> dict[str, float]:
        return {}

    def load(self, state: Mapping[str, Any]) -> None:
        self.step = state[f"lane{self.mine[0]:04d}"]["step"]


def paid(price: torch.Tensor | None, guests: torch.Tensor, segments: torch.Tensor) -> torch.Tensor:
    """What is paid for speaking, by hand: summed over the tokens ``[...]`` that are not padding."""
    if price is None:
        return torch.zeros(())
    times = torch.where(guests, OUT_OF_DOMAIN_FACTOR, 1.0).to(price.dtype)
    return (price * times)[segments >= 0].sum()


def small_spec(s: Settings, w: World) -> TrainSpec:
    """A run on ragged documents; ``--reference NAME`` is a fresh model of that name."""
    config = model_config(s, VOCAB)
    reference = None
    if s.reference is not None:
        reference = make_model(s.reference, config).requires_grad_(False).eval()
        reference.to(torch.float64 if s.dtype == "fp64" else torch.float32)
    mine = w.rows(s.global_batch_size)
    held_out = RaggedFeed([100 + lane for lane in mine], s.seq_len)
    spec = TrainSpec(
        s=s,
        config=config,
        make=lambda: make_model(s.model, config),
        carry=carries(s),
        feed=RaggedFeed(mine, s.seq_len),
        held_out=[held_out.next(), held_out.next()],
        identity={"data": "ragged"},
    )
    main = weighted_loss(spec, w, reference) or CrossEntropy()
    return replace(spec, losses=(main, OwnAnswer(), ModelPenalties()))


@contextmanager
def small_trainer(
    s: Settings,
    run: Path,
    start: Path | None = None,
    resume: bool = False,
    smallest_unit: int = 0,
    observers: Sequence[Observer] = (),
) -> Iterator[Trainer]:
    """A trainer in a group of its own (or the one that there is); every block is a unit, so that
    small models are spread the way that large ones are."""
    with patch.object(fsdp, "SMALLEST_UNIT", smallest_unit), world(s) as w:
        spec = replace(small_spec(s, w), observers=observers)
        yield Trainer(spec, w, run, start, resume)


def fit(trainer: Trainer) -> list[dict[str, Any]]:
    """Train to the end; the records."""
    records: list[dict[str, Any]] = []
    meter = Meter(trainer.w, trainer.spec.config.expert_kinds, 1.0, None)
    trainer.fit(meter, records.append, Stop())
    return records


def whole(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Copies of tensors, put together where they are sharded; every rank must call this."""
    return {
        k: (v.full_tensor() if hasattr(v, "full_tensor") else v).detach().clone()
        for k, v in tensors.items()
    }


class Ranks:
    """Processes that wait for functions to run together."""

    def __init__(self, size: int) -> None:
        self.size, self.jobs = size, 0
        context = mp.get_context("spawn")
        self.pipes, self.processes = [], []
        for rank in range(size):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(rank, size, theirs), daemon=True)
            process.start()
            self.pipes.append(ours)
            self.processes.append(process)

    def run(self, fn: Callable[..., Any], scratch: Path, *args: Any) -> list[Any]:
        """``fn(*args)`` on every rank inside a process group; the results by rank."""
        self.jobs += 1
        store = scratch / f"store{self.size}-{self.jobs}"  # of these processes alone
        for pipe in self.pipes:
            pipe.send((fn, str(store), args))
        answers = [pipe.recv() for pipe in self.pipes]
        for rank, (error, _) in enumerate(answers):
            assert error is None, f"rank {rank}: {error}"
        return [value for _, value in answers]

    def close(self) -> None:
        for pipe, process in zip(self.pipes, self.processes, strict=True):
            pipe.send(None)
            process.join()


def _serve(rank: int, size: int, pipe: Any) -> None:
    torch.set_num_threads(1)
    while (job := pipe.recv()) is not None:
        fn, store, args = job
        dist.init_process_group(
            "gloo",
            init_method=f"file://{store}",
            rank=rank,
            world_size=size,
            timeout=timedelta(seconds=60),  # a rank that fails must not keep the other waiting
        )
        try:
            pipe.send((None, fn(*args)))
        except Exception:  # sent to the test, which fails with it
            pipe.send((traceback.format_exc(), None))
        finally:
            dist.destroy_process_group()
