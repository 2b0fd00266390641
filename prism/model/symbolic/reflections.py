"""Reflection registers: orthogonal matrices that tokens multiply, and so track any finite group.

    R(t) = ( (1 - w(t)) c R(t-1) + w(t) I ) H_1(t) H_2(t) H_3(t) H_4(t)
    H_i  = I - 2 v_i v_i^T,      v_i = unit(V_i x(t)),      w = sigmoid(w_0 + W x(t))

``R`` starts as the identity in every document and the features are its entries. Four reflections
in five dimensions make any permutation of five things, so the word problem of S5 is within reach,
which no recurrence with diagonal factors solves at every length (arXiv 2404.08819; products of
reflections as state transitions: DeltaProduct, arXiv 2502.10297). ``x`` is the token's normalised
embedding, nothing of its context. ``w`` lets a token start anew.

The contraction c of each register is learned and starts small. What many uncertain products have
made is noise, and a readout that must be sure of the first token and unsure of the tenth has no
gradient left for either; with c small the features of long products are small, so the first
products are learned first, and c grows as far as they hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor, nn

from prism.model.norm import promote, unit
from prism.model.state import Leaf, State
from prism.model.symbolic.codes import EACH_TOKEN, Spread
from prism.ops.documents import RowEnds, last_real, previous_index
from prism.ops.matrix_scan import matrix_scan

REFLECTIONS = 4
FIRST_CONTRACTION = -2.0  # in logits
FIRST_ANEW = -4.0  # in logits
SNAP = 0.03


@dataclass
class ReflectionState(State):
    """State of U registers: ``matrix [B, U, S, S]``."""

    matrix: Tensor


class Reflections(nn.Module):
    """Args: ``dim`` D; ``count`` U; ``size`` S."""

    def __init__(self, dim: int, count: int, size: int) -> None:
        super().__init__()
        self.count, self.size = count, size
        self.read = nn.Linear(dim, count * REFLECTIONS * size, bias=False)
        self.anew = nn.Linear(dim, count)
        self.contraction = nn.Parameter(torch.full((count,), FIRST_CONTRACTION))
        self.write = nn.Linear(count * size * size, dim, bias=False)
        nn.init.normal_(self.read.weight, std=dim**-0.5)
        nn.init.normal_(self.anew.weight, std=0.1 * dim**-0.5)
        nn.init.constant_(self.anew.bias, FIRST_ANEW)
        nn.init.normal_(self.write.weight, std=(count * size) ** -0.5)

    @property
    def like(self) -> ReflectionState:
        """Shapes of the state."""
        return ReflectionState(Leaf((self.count, self.size, self.size)))

    def forward(
        self,
        x: Tensor,
        state: ReflectionState | None,
        doc_index: Tensor | None,
        ends: RowEnds | None = None,
        spread: Spread = EACH_TOKEN,
    ) -> tuple[Tensor, ReflectionState]:
        """Output ``[B, T, D]`` on ``x``, and the state after the last token.

        Args:
            x: ``[B, T, D]``, or ``[V, D]`` that ``spread`` takes to the tokens.
        """
        turn = self.turns(x)
        anew = _snapped(torch.sigmoid(promote(self.anew(x))), 0.0)[..., None, None]
        contraction = _snapped(torch.sigmoid(promote(self.contraction)), 1.0)
        going_on, anew = spread((1 - anew) * contraction[:, None, None] * turn, anew * turn)
        one = torch.eye(self.size, dtype=turn.dtype, device=turn.device)
        start = one.expand(anew.shape[0], self.count, -1, -1) if state is None else state.matrix
        if doc_index is not None:  # a document's first token finds the identity
            fresh = (doc_index != previous_index(doc_index))[..., None, None, None]
            anew = torch.where(fresh, anew + going_on, anew)
            going_on = going_on.masked_fill(fresh, 0.0)
        matrix = matrix_scan(going_on, anew, start)
        output = self.write(matrix.flatten(2).to(self.write.weight.dtype))
        return output, ReflectionState(last_real(matrix, start, ends))

    def turns(self, x: Tensor) -> Tensor:
        """Product of the reflections of each token, ``[.., U, S, S]`` of ``x [.., D]``."""
        v = promote(self.read(x)).unflatten(-1, (self.count, REFLECTIONS, self.size))
        v = unit(v)
        one = torch.eye(self.size, dtype=v.dtype, device=v.device)
        if x.shape[-2] == 1:  # of one token: fewer operations, more products
            first, *others = (one - 2 * v[..., :, None] * v[..., None, :]).unbind(-3)
            return reduce(torch.matmul, others, first)
        first, *others = v.unbind(-2)
        product = one - 2 * first[..., :, None] * first[..., None, :]
        for each in others:
            along = (product * each[..., None, :]).sum(dim=-1, keepdim=True)
            product = product - 2 * along * each[..., None, :]
        return product


def _snapped(x: Tensor, end: float) -> Tensor:
    """``x``, and ``end`` where it is nearer than ``SNAP``; with the gradient of ``x``."""
    near = (x - end).abs() < SNAP
    return x + torch.where(near, end - x, 0.0).detach()
