"""``--progressive``: the sizes that a run grows through, and when.

    tiny@0.3,350m@1.0                                30% of the tokens as tiny, the rest as 350m
    tiny:d_model=64:num_layers=2@0.4,tiny@1.0        a preset with overrides, KEY=VALUE after colons
    tiny:num_layers=2@0.4,tiny:growth=stack@1.0      the second stage begins with copies of blocks
    jump                                             --preset, with a quarter of its blocks at first
    seed                                             the three stages of the first recipe

A fraction is the share of the run's tokens *up to which* a stage lasts; the last one is 1. A stage
is grown from the one before (``prism.growth``) by the method ``exact``, or by that of its own
``growth=``. ``--set`` holds for every stage, a stage's own overrides win. What growth cannot change
(half-lives, slots, kinds) the earlier stages take from the last one, unless they say themselves.

A stage once begun stays, whatever ``--steps`` a resume asks for; only the ends ahead move.

    checkpoint of the small model -> weights, moments, states of the row streams, all grown
                                  -> checkpoint of the large one, for every rank to resume from

A growth point is a resume by construction, so it does not matter whether a run goes through it, is
stopped there or is killed on either side: the checkpoint before it and the two configs decide all.
Counters, data, random generators and router biases go on. What is known about the norms of the
small model's gradients does not (``--skip-outliers`` collects anew). One process holds both models
with their moments on the CPU, unsharded; the ranks read their shards from the file.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from prism.baselines import BASELINES
from prism.config import PrismConfig
from prism.data import open_tokenizer
from prism.engine.loop.optimizer import Optimizers, Roles
from prism.engine.loop.stream_states import StreamStates, template
from prism.engine.models import make_model, model_config
from prism.engine.settings import Settings
from prism.engine.store import checkpoint
from prism.engine.store.export import load_checkpoint
from prism.growth import METHODS, GrowResult, grow, layer_mapping, related
from prism.growth.moments import grown_state
from prism.record import write_json

JUMP = "jump"
JUMP_AT, JUMP_DEPTH = 0.5, 4
# Growth never shrinks: the smallest stage has the depth of the next one (its preset has more
# blocks) and makes up for it in the width of its neural kind.
NAMED = {"seed": "350m:num_layers=20:neural_hidden=3979@0.4,700m@0.75,1b@1.0"}
GROWTH = "growth="  # how a stage grows, beside its overrides
MODEL, OPTIMIZER, STREAM = "model.", "optimizer.", "lane"  # names of tensors in a checkpoint


@dataclass(frozen=True)
class Stage:
    """One size of a run.

    Attributes:
        name: as it was asked for.
        preset, set: the flags that give its model to a run without stages.
        config: of its model.
        end: steps of the run after which the next stage begins, or the run ends.
        method: how it grows from the stage before.
        taken: fields that it has from the last stage, as overrides.
    """

    name: str
    preset: str
    set: tuple[str, ...]
    config: PrismConfig
    end: int
    method: str = "exact"
    taken: tuple[str, ...] = ()


def stages(s: Settings, vocab_size: int | None = None) -> tuple[Stage, ...]:
    """The stages of a run, smallest first; a single one without ``--progressive``.

    Args:
        vocab_size: of the models; None = that of the run's tokenizer.

    Raises:
        ValueError: the schedule cannot be read, a preset or an override is bad, or a stage cannot
            grow into the next; names the stage, the value and what is allowed.
    """
    vocab_size = vocab_size or open_tokenizer(s.tokenizer).vocab_size
    if s.progressive is None:
        return (Stage(s.preset, s.preset, s.set, model_config(s, vocab_size), s.steps),)
    if s.model in BASELINES:
        raise ValueError(f"--progressive: --model {s.model} does not grow; must be a prism")
    texts, ends = _read(_schedule(s, vocab_size), s.steps)
    last = _stage(s, texts[-1], s.steps, vocab_size, None)
    plan = [_stage(s, t, e, vocab_size, last) for t, e in zip(texts[:-1], ends, strict=False)]
    plan.append(last)
    for small, large in pairwise(plan):
        with _about(f"{small.name} to {large.name}"):
            layer_mapping(small.config, large.config, large.method)
            if small.config == large.config:
                raise ValueError("both have the same config: must differ")
    return tuple(plan)


def stage_of(plan: Sequence[Stage], config: PrismConfig) -> int:
    """Number of the stage whose model has ``config``.

    Raises:
        ValueError: there is none.
    """
    for number, stage in enumerate(plan):
        if stage.config == config:
            return number
    names = ", ".join(stage.name for stage in plan)
    raise ValueError(f"the checkpoint's model is not of this run's sizes, {names}")


def _schedule(s: Settings, vocab_size: int) -> str:
    """The text of the schedule, a named one spelled out."""
    if s.progressive != JUMP:
        return NAMED.get(s.progressive, s.progressive)
    full = model_config(s, vocab_size)
    depth = max(1, full.num_layers // JUMP_DEPTH)
    small = f"{s.preset}:num_layers={depth}"
    if full.memory_layers is not None:
        count = min(len(full.memory_layers), depth)
        small += f":memory_layers={[(2 * i + 1) * depth // (2 * count) for i in range(count)]}"
    return f"{small}@{JUMP_AT},{s.preset}@1.0"


def _read(text: str, steps: int) -> tuple[list[str], list[int]]:
    """``"a@0.3,b@1.0"``: its stages, and the steps after which they end; commas inside lists are
    left alone."""
    parts = re.split(r"@([^,@]*)(?:,|$)", text)
    if len(parts) < 3 or parts[-1]:
        named = ", ".join((JUMP, *NAMED))
        allowed = f"STAGE@FRACTION,... such as tiny@0.3,350m@1.0, or one of {named}"
        raise ValueError(f"--progressive {text}: must be {allowed}")
    fractions = []
    for stage, fraction in zip(parts[:-1:2], parts[1::2], strict=True):
        try:
            fractions.append(float(fraction))
        except ValueError:
            raise ValueError(
                f"--progressive {stage}@{fraction}: the fraction must be a number"
            ) from None
    asked = ", ".join(f"{f:g}" for f in fractions)
    rising = all(a < b for a, b in pairwise((0.0, *fractions)))
    if not rising or fractions[-1] != 1:
        raise ValueError(f"--progressive: fractions {asked}: must rise from above 0 to 1 at last")
    ends = [round(f * steps) for f in fractions]
    if any(a == b for a, b in pairwise((0, *ends))):
        raise ValueError(
            f"--progressive: fractions {asked} of --steps {steps}: every stage must have a step"
        )
    return [stage.strip() for stage in parts[:-1:2]], ends


def _stage(s: Settings, text: str, end: int, vocab_size: int, last: Stage | None) -> Stage:
    """One stage from its text; ``last`` is the stage that it will grow into."""
    preset, *said = text.split(":")
    methods = [pair.removeprefix(GROWTH) for pair in said if pair.startswith(GROWTH)]
    own = [pair for pair in said if not pair.startswith(GROWTH)]
    with _about(text):
        for method in methods:
            if method not in METHODS:
                raise ValueError(f"{GROWTH}{method}: must be {' or '.join(METHODS)}")
        pairs = (*s.set, *own)
        config = model_config(dataclasses.replace(s, preset=preset, set=pairs), vocab_size)
        taken: tuple[str, ...] = ()
        if last is not None:
            fields = [pair.partition("=")[0] for pair in own]
            config, changed = related(config, last.config, fields)
            taken = tuple(f"{path}={json.dumps(value)}" for path, value in changed.items())
    method = methods[-1] if methods else "exact"
    return Stage(text, preset, (*pairs, *taken), config, end, method, taken)


@contextmanager
def _about(stage: str) -> Iterator[None]:
    """Errors inside name the stage that they are about."""
    try:
        yield
    except ValueError as error:
        reason = str(error).removeprefix("--set ")
        raise ValueError(f"--progressive {stage}: {reason}") from None


def grown_checkpoint(start: Path, target: Path, s: Settings, stage: Stage) -> GrowResult:
    """Write the checkpoint ``start``, grown to ``stage``, to the folder ``target``.

    For one process. ``target`` is not marked as complete: it is there to be read once.
    """
    small = load_checkpoint(start).train()
    # a variant of PRISM changes the config that it is given
    result = grow(small, make_model(s.model, stage.config).config, method=stage.method)
    saved, values = checkpoint.read_tensors(start), checkpoint.read_run(start)
    shaped = (MODEL, OPTIMIZER, STREAM)  # as the model is
    tensors = {k: x for k, x in saved.items() if not k.startswith(shaped)}
    tensors |= checkpoint.persistent(result.model) | _moments(result, s, saved)
    if values["carries"]:
        streams = StreamStates(range(s.global_batch_size), s.global_batch_size, carry=True)
        streams.load(saved, template(small, torch.device("cpu")))
        streams.states = [result.state(streams.states[0])]
        tensors |= streams.tensors()
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    checkpoint.write_tensors(target, tensors)
    values |= {"config": stage.config.to_dict(), "norms": []}
    write_json(target / checkpoint.RUN, values)
    for file in start.glob("rank*.json"):
        shutil.copy(file, target)
    return result


def _moments(result: GrowResult, s: Settings, saved: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All moments of the grown model; 0, at step 0, for a tensor that is wholly new or that never
    had a gradient."""
    optimizers = Optimizers(result.model, Roles.of(result.model), s)
    optimizers.prepare()
    moments = optimizers.tensors()
    for key, value in moments.items():
        name, _, moment = key.rpartition(".")
        growth = result.tensors[name]
        old = saved.get(f"{OPTIMIZER}{growth.source}.{moment}")
        if old is None:
            value.zero_()
        else:
            old = old.view(()) if value.dim() == 0 else old
            value.copy_(grown_state(growth, {moment: old})[moment])
    return {f"{OPTIMIZER}{key}": value for key, value in moments.items()}
