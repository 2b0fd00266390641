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
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from prism.baselines import BASELINES
from prism.config import PrismConfig
from prism.engine.build import model_config
from prism.engine.settings import Settings
from prism.growth import METHODS, layer_mapping, related

JUMP = "jump"
JUMP_AT, JUMP_DEPTH = 0.5, 4
# Growth never shrinks: the smallest stage has the depth of the next one (its preset has more
# blocks) and makes up for it in the width of its neural kind.
NAMED = {"seed": "350m:num_layers=20:neural_hidden=3992@0.4,700m@0.75,1b@1.0"}
GROWTH = "growth="  # how a stage grows, beside its overrides


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


def stages(s: Settings, vocab_size: int) -> tuple[Stage, ...]:
    """The stages of a run, smallest first; a single one without ``--progressive``.

    Raises:
        ValueError: the schedule cannot be read, a preset or an override is bad, or a stage cannot
            grow into the next; names the stage, the value and what is allowed.
    """
    if s.progressive is None:
        return (Stage(s.preset, s.preset, s.set, model_config(s, vocab_size), s.steps),)
    if s.model in BASELINES:
        raise ValueError(f"--progressive: --model {s.model} does not grow; must be a prism")
    texts, fractions = _read(_schedule(s, vocab_size))
    ends = _ends(fractions, s.steps)
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


def _read(text: str) -> tuple[list[str], list[float]]:
    """``"a@0.3,b@1.0"``: its stages, and their fractions; commas inside lists are left alone."""
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
    return [stage.strip() for stage in parts[:-1:2]], fractions


def _ends(fractions: Sequence[float], steps: int) -> list[int]:
    """Steps after which the stages end."""
    asked = ", ".join(f"{f:g}" for f in fractions)
    rising = all(a < b for a, b in pairwise((0.0, *fractions)))
    if not rising or fractions[-1] != 1:
        raise ValueError(f"--progressive: fractions {asked}: must rise from above 0 to 1 at last")
    ends = [round(f * steps) for f in fractions]
    if any(a == b for a, b in pairwise((0, *ends))):
        raise ValueError(
            f"--progressive: fractions {asked} of --steps {steps}: every stage must have a step"
        )
    return ends


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
