"""Arms of the baselines: how each is parametrised, by name.

A baseline is compared in two arms. *Plain* has its reference's own initialisation and structure.
*Strong* has whatever PRISM has in parametrisation that is not its architecture: fan-in
initialisation, PRISM's embedding and logit scale, a token shift in the MLP's value branch, a short
convolution on queries, keys and values. With *lookup* it has, beside that, one part of PRISM's
architecture, the suffix lookup: how much of a lead is that part's alone. What :class:`Arm` says is
one idea per field; the defaults are those of a GPT-2 or Llama stack (torchtitan, arXiv 2410.06511).

    gpt2      all N(0, .02), outputs divided by sqrt(number of branches)
    torch     linear layers as PyTorch leaves them, U(+-fan_in^(-1/2)), outputs divided likewise;
              embedding N(0, .02): the Mamba-2 reference (``mixer_seq_simple.py``)
    fan_in    all N(0, fan_in^(-1/2)), outputs divided likewise

A scaled embedding is that of PRISM: N(0, sigma), normalised into the stream, with logits
``tau E norm(x)`` (:mod:`prism.model.scale`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import nn

from prism.model.scale import EMBEDDING_STD, logit_scale

INIT_STD = 0.02
STARTS = ("gpt2", "torch", "fan_in")


@dataclass(frozen=True)
class Arm:
    """Parametrisation of a baseline.

    Attributes:
        start: initialisation of the matrices, one of ``STARTS``.
        scaled_embedding: embedding and logits of PRISM's scale, and a norm behind the embedding.
        shift: per-channel token shift in the MLP's value branch, as in PRISM's neural expert.
        conv: convolution of width 4 on queries, keys and values (attention only; the recurrent
            mixers have one of their own).
        mlp: a SwiGLU in every block. Without, the size is matched by depth and expansion.
        lookup: PRISM's suffix lookup, added to the embeddings.
    """

    start: str = "gpt2"
    scaled_embedding: bool = False
    shift: bool = False
    conv: bool = False
    mlp: bool = True
    lookup: bool = False


PLAIN = Arm()
STRONG = Arm(start="fan_in", scaled_embedding=True, shift=True)
STRONG_ATTENTION = Arm(start="fan_in", scaled_embedding=True, shift=True, conv=True)
LOOKUP = replace(STRONG, lookup=True)
LOOKUP_ATTENTION = replace(STRONG_ATTENTION, lookup=True)
BARE = Arm(start="torch", mlp=False)
BARE_STRONG = Arm(start="fan_in", scaled_embedding=True, mlp=False)

# of each baseline, the arms that are compared: the plain one first
ARMS: dict[str, tuple[str, ...]] = {
    "transformer": ("transformer", "transformer-strong"),
    "ssm": ("ssm-plain", "ssm-strong", "ssm-mlp-strong"),
    "gdn": ("gdn", "gdn-strong"),
}
_FAMILY = {arm: name for name, arms in ARMS.items() for arm in arms}


def family(model: str) -> str:
    """The baseline that ``model`` is an arm of; a model without arms is its own."""
    return _FAMILY.get(model, model)


def plain_arm(model: str) -> str:
    """The plain arm of the baseline that ``model`` belongs to."""
    return ARMS[family(model)][0] if family(model) in ARMS else model


def temper(arm: Arm, d_model: int) -> float:
    """Factor tau on the logits."""
    if not arm.scaled_embedding:
        return 1.0
    return logit_scale(d_model)


@torch.no_grad()
def initialise(model: nn.Module, arm: Arm) -> None:
    """Draw the matrices of a residual stack as ``arm`` says.

    Args:
        model: with ``blocks`` whose ``branches()`` end in ``out_proj``, ``embedding`` and ``head``.
    """
    ends = {id(model.embedding), id(model.head)}
    for module in model.modules():
        if not isinstance(module, nn.Linear | nn.Embedding):
            continue
        if id(module) in ends and arm.scaled_embedding:
            module.weight.normal_(0.0, EMBEDDING_STD)
        elif arm.start == "fan_in" and id(module) not in ends:
            module.weight.normal_(0.0, module.weight.shape[1] ** -0.5)
        elif arm.start == "torch" and id(module) not in ends:
            nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5))
        else:
            module.weight.normal_(0.0, INIT_STD)
    branches = [branch for block in model.blocks for branch in block.branches()]
    for branch in branches:
        branch.out_proj.weight.div_(math.sqrt(len(branches)))
