"""Variants of an optimizer, by name: what the passive tracers compare.

A name is a list of words, of which those left out are as in the live run:

    w16 w32     weights in bf16, fp32            m16 m32    moments in bf16, fp32
    near stoch kahan                             rounding of the weights
    b2=.99      second-moment decay              lr=.3      learning rate, times that of the run
    wd=.1       weight decay                     sigma=1e-5 rows start from N(0, sigma)
    fused plain                                  torch's kernel, or operation by operation
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import torch

from prism.engine.loop.rounding import RoundedAdamW
from prism.probe.glass import torch_adamw

WORDS = {
    "w16": ("weights", torch.bfloat16),
    "w32": ("weights", torch.float32),
    "m16": ("moments", torch.bfloat16),
    "m32": ("moments", torch.float32),
    "near": ("rounding", "nearest"),
    "stoch": ("rounding", "stochastic"),
    "kahan": ("rounding", "kahan"),
    "fused": ("fused", True),
    "plain": ("fused", False),
}
NUMBERS = {"b2": "beta2", "lr": "rate", "wd": "weight_decay", "sigma": "sigma"}
CAUSES = ("w16 m16 near", "w16 m32 near", "w16 m16 stoch", "w32 m32 near")


@dataclass(frozen=True)
class Variant:
    """An optimizer of the dead rows.

    Attributes:
        name: its words.
        weights: dtype of the weights.
        moments: dtype of the moments.
        rounding: of updates to bf16 weights.
        beta2: second-moment decay.
        rate: times the learning rate of the run.
        weight_decay: of AdamW.
        fused: torch's fused kernel; where the dtypes of weights and moments are one, and rounding
            is to nearest.
        sigma: standard deviation of the rows at the start; None = as in the live run.
    """

    name: str
    weights: torch.dtype
    moments: torch.dtype
    rounding: str
    beta2: float
    weight_decay: float
    rate: float = 1.0
    fused: bool = True
    sigma: float | None = None

    @property
    def of_torch(self) -> bool:
        """True where torch's own kernel takes the steps."""
        return self.weights == self.moments and self.rounding == "nearest"

    def optimizer(self, lr: float, seed: int) -> Any:
        """Maker of the optimizer, for :class:`prism.probe.glass.Glass`."""
        betas = (0.9, self.beta2)
        if self.of_torch:
            return torch_adamw(lr, betas, self.weight_decay, self.fused)
        return lambda parameters: RoundedAdamW(
            parameters, lr, betas, self.rounding, self.moments, seed, weight_decay=self.weight_decay
        )


def parsed(name: str, live: Variant) -> Variant:
    """The variant of a name.

    Raises:
        ValueError: a word that there is not.
    """
    changes: dict[str, Any] = {"name": name}
    for word in name.split():
        key, equals, text = word.partition("=")
        try:
            if equals:
                changes[NUMBERS[key]] = float(text)
            else:
                field, value = WORDS[word]
                changes[field] = value
        except (KeyError, ValueError):
            known = ", ".join([*WORDS, *(f"{x}=NUMBER" for x in NUMBERS)])
            raise ValueError(f"tracer {name!r}: {word!r} must be one of {known}") from None
    found = replace(live, **changes)
    if found.weights == torch.float32 and found.rounding != "nearest":
        raise ValueError(f"tracer {name!r}: fp32 weights are rounded to nearest only")
    return found


def names_of(plan: str) -> list[str]:
    """Names of a plan: ``causes`` (4), ``ablation`` (the factorial), ``starts`` (initial sigmas).

    Raises:
        ValueError: another plan.
    """
    if plan == "causes":
        return list(CAUSES)
    if plan == "starts":
        return [f"sigma={s}" for s in ("0", "1e-6", "1e-5", "1e-4", "1e-3", "5e-3", "2e-2")]
    if plan == "ablation":
        forms = [f"{w} {m} {r}" for w in ("w16", "w32") for m in ("m16", "m32")
                 for r in ("near", "stoch") if w == "w16" or r == "near"]  # fmt: skip
        rest = itertools.product(("b2=.999", "b2=.99"), ("lr=1", "lr=.3"), ("wd=0", "wd=.1"))
        found = [f"{form} {' '.join(more)}" for form, more in itertools.product(forms, rest)]
        plain = itertools.product(("w16 m16 near", "w32 m32 near"), ("wd=0", "wd=.1"))
        return found + [f"{form} plain b2=.999 lr=1 {decay}" for form, decay in plain]
    raise ValueError(f"tracers {plan}: must be causes, ablation or starts")
