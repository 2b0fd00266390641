"""A small backbone and branches of it that have learned something."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from prism import Prism, PrismConfig
from prism.model.symbolic import answer
from prism.modular import KINDS, backbone_config, branch_of
from prism.recipe import own_loss
from tests.model.families import VARIANTS, VOCAB, shrunk, tokens_of

BESIDE = dataclasses.replace(VARIANTS["answers"].symbolic, answers=False)
FULL = shrunk("tiny", memory_layers=(0, 2), symbolic=BESIDE)
ANSWERS = shrunk("tiny", memory_layers=(0, 2), symbolic=VARIANTS["answers"].symbolic)


def backbone_of(config: PrismConfig = FULL) -> Prism:
    """A backbone that is not as it was drawn."""
    return moved(Prism(backbone_config(config)), 1)


def moved(model: Prism, seed: int) -> Prism:
    """``model`` after everything in it that learns has moved at random."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p.add_(0.3 * torch.randn(p.shape, generator=g))
    return model


def branches_of(backbone: Prism, config: PrismConfig = FULL) -> dict[str, Prism]:
    """One branch of every kind, moved."""
    return {kind: moved(branch_of(backbone, kind, config), i) for i, kind in enumerate(KINDS)}


def loss_of(model: Prism, seed: int = 0) -> torch.Tensor:
    """Next-token loss on random tokens, of the symbolic expert alone too, and what the gates
    cost."""
    tokens = tokens_of(seed, 4, 24)

    def words(logits: torch.Tensor) -> torch.Tensor:
        flat = logits[:, :-1].flatten(0, 1)
        return torch.nn.functional.cross_entropy(flat, tokens[:, 1:].flatten())

    output = model(tokens)
    return words(output.logits) + own_loss(output, words) + output.aux_loss


def answers(model: Prism) -> bool:
    """True for a model whose symbolic machines answer by themselves."""
    return "symbolic" in model.config.expert_kinds and model.config.symbolic.answers


def unheard(patch: pytest.MonkeyPatch) -> None:
    """Let no machine be sure enough to answer."""
    patch.setattr(answer, "DOUBT", math.inf)


__all__ = ["ANSWERS", "FULL", "VOCAB", "answers", "backbone_of", "branches_of", "loss_of", "moved"]
__all__ += ["unheard"]
