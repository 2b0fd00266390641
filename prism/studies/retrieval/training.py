"""Training of a model that queries a tape: fresh facts at every step, nothing to memorise.

    loss = CE(next token, logits with the step's tape) + CE(part of each token) + BCE(asks) + aux

The tape of a step holds the facts of that step's episode and is dropped after it. Answers come from
the tape, so the weights learn to predict "unknown" where it refuses. The labels of parts mark the
subject, relation and answer of each fact in the text.

A run on disk continues bit for bit, because batches are a function of seed and step:

    DIR/config.json, model.safetensors     prism.load reads these
    DIR/optimizer.safetensors              first and second moments, by parameter name
    DIR/progress.json                      plan and steps done, written last
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor
from torch.nn import functional as F

from prism import recipe, whole_file
from prism.config import PrismConfig, TapeConfig
from prism.inject.token_facts import TokenFacts
from prism.model.prism import Prism, load_saved
from prism.recipe import StepLoss, exploration, finite, own_loss, train_step
from prism.record import write_json
from tasks.retrieval import STOP, Episode, Retrieval, Triple

TRAINING_DIM = 4096  # of a step's tape: few facts need no more
MOMENTS = ("exp_avg", "exp_avg_sq")
HEARTBEAT = 10.0  # seconds between plain lines
SMOOTHING = 0.9


@dataclass(frozen=True, kw_only=True)
class RetrievalPlan:
    """Sizes of a training run: ``facts`` on the tape of a step, rows of ``length`` tokens."""

    steps: int = 400
    batch_size: int = 16
    length: int = 64
    lr: float = 3e-3
    facts: int = 24
    seed: int = 0


def default_config(seed: int = 0) -> PrismConfig:
    """A small model for the words of :mod:`tasks.retrieval`."""
    return PrismConfig(
        vocab_size=Retrieval.vocab_size,
        d_model=64,
        num_layers=2,
        tape=TapeConfig(content_heads=1, position_heads=1, num_slots=16, d_mem=16),
        half_life_max=64.0,
        holo_mode=True,
        seed=seed,
    )


def tape_of(facts: Sequence[Triple], dim: int = 32_768, seed: int = 0) -> TokenFacts:
    """A tape that holds just these facts."""
    tape = TokenFacts(Retrieval.vocab_size, stop=STOP, dim=dim, seed=seed, overfill=True)
    tape.bind_many(facts)
    return tape


def loss_of(model: Prism, episode: Episode) -> StepLoss:
    """Training loss of ``model`` on an episode whose facts are on its tape."""
    output = model(episode.tokens, facts=tape_of(episode.facts, TRAINING_DIM))
    queries = output.holo

    def following(logits: Tensor) -> Tensor:
        return F.cross_entropy(logits.flatten(0, 1).float(), episode.following.flatten())

    words = following(output.logits) + own_loss(output, following)
    parts = F.cross_entropy(queries.part_logits.flatten(0, 1), episode.parts.flatten())
    asks = F.binary_cross_entropy_with_logits(
        queries.query_logit, episode.asks.to(queries.query_logit)
    )
    total = words + parts + asks + output.aux_loss
    return StepLoss(total, total.detach(), output.loads)


def train(
    model: Prism,
    plan: RetrievalPlan,
    folder: Path | None = None,
    save_every: int = 100,
    on_progress: Callable[[int, float], None] | None = None,
) -> list[float]:
    """Train ``model`` in place; the loss of every step taken here.

    Args:
        folder: where model and progress are saved every ``save_every`` steps and at the end; a run
            that it holds is continued.
        on_progress: called after each step with the steps done and the loss.

    Raises:
        ValueError: the folder holds a run of another plan.
        FloatingPointError: the loss is not finite.
    """
    optimizer = recipe.adamw(model, plan.lr)
    task, losses, first = Retrieval(plan.facts), [], 0
    if folder is not None:
        first = load_progress(folder, model, optimizer, asdict(plan))
    model.train()
    for step in range(first, plan.steps):
        rate, epsilon = recipe.cosine(step, plan.steps, plan.lr), exploration(step, plan.steps)
        episode = task.episode("train", plan.seed, step, plan.batch_size, plan.length)
        loss = train_step(model, optimizer, partial(loss_of, model, episode), rate, epsilon)
        losses.append(finite(loss, "loss", f" at step {step + 1} of {plan.steps}"))
        if folder is not None and ((step + 1) % save_every == 0 or step + 1 == plan.steps):
            save_progress(folder, model, optimizer, asdict(plan), step + 1)
        if on_progress is not None:
            on_progress(step + 1, losses[-1])
    model.set_exploration(0.0)
    model.eval()
    return losses


def save_progress(
    folder: Path, model: Prism, optimizer: torch.optim.Optimizer, plan: dict[str, Any], step: int
) -> None:
    """Write the run; every file is replaced whole, the progress last."""
    model.save(folder)
    names = {id(p): name for name, p in model.named_parameters()}
    moments = {
        f"{kind}/{names[id(p)]}": values[kind].contiguous()
        for p, values in optimizer.state.items()
        for kind in MOMENTS
    }
    whole_file.write(folder / "optimizer.safetensors", to_bytes(moments))
    write_json(folder / "progress.json", {"step": step, "plan": plan})


def load_progress(
    folder: Path, model: Prism, optimizer: torch.optim.Optimizer, plan: dict[str, Any]
) -> int:
    """Continue the run in ``folder``: the number of steps done, 0 for a new folder.

    Raises:
        ValueError: the run there has another plan or another model.
    """
    path = folder / "progress.json"
    if not path.is_file():
        return 0
    saved = json.loads(path.read_text())
    for name, value in plan.items():
        if saved["plan"].get(name) != value:
            there = saved["plan"].get(name)
            raise ValueError(f"{folder}: holds a run with {name} = {there!r}, not {value!r}")
    before = load_saved(folder)
    if before.config != model.config:
        raise ValueError(f"{folder}: holds a run of another model; give another folder")
    model.load_state_dict(before.state_dict())
    moments = load_file(folder / "optimizer.safetensors")
    for name, p in model.named_parameters():
        if f"exp_avg/{name}" in moments:
            state = {kind: moments[f"{kind}/{name}"] for kind in MOMENTS}
            optimizer.state[p] = {"step": torch.tensor(float(saved["step"])), **state}
    return int(saved["step"])


class ProgressReporter:
    """Progress of ``steps`` steps on a console: a bar in a terminal, a plain line every few seconds
    anywhere else. Called after each step with the steps done and the loss, which it smooths."""

    def __init__(self, steps: int, console: Console) -> None:
        self._steps, self._console = steps, console
        self._loss: float | None = None
        self._last = time.monotonic()
        columns = (TextColumn("training"), BarColumn(), TextColumn("{task.fields[loss]}"))
        self._bar = Progress(*columns, TimeRemainingColumn(), console=console)
        self._task = self._bar.add_task("training", total=steps, loss="")

    def __enter__(self) -> ProgressReporter:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def __call__(self, step: int, loss: float) -> None:
        before = loss if self._loss is None else self._loss
        self._loss = SMOOTHING * before + (1 - SMOOTHING) * loss
        if self._console.is_terminal:
            self._bar.update(self._task, completed=step, loss=f"loss {self._loss:.3f}")
        elif time.monotonic() - self._last > HEARTBEAT or step == self._steps:
            self._last = time.monotonic()
            self._console.print(f"step {step}/{self._steps}  loss {self._loss:.3f}")
