"""Dials: counters that know their state as a distribution over positions, and so can be learned.

A dial has S positions in a row and a distribution p over them. Every token moves it by a step k of
-K .. K, stopping at the ends, or sets it anew; which of these is a soft choice of the token and the
one before it:

    w(t) = softmax( A x(t) + B x(t-1) + c )                   over 2 K + 1 steps and "set"
    p(t) = sum_k w_k(t) p(t-1) M_k + w_set(t) softmax(V x(t))         M_k moves by k, and clamps

The features are ``p - 1/S``. ``x`` is the token's normalised embedding, nothing of its context; at
a document's first token p is uniform and ``B x(t-1)`` a learned vector. It is a probabilistic
automaton (Rabin 1963) whose transitions are tied to steps. A counter that carries a hard count is
exact as well but is not found by gradient descent, as one wrong step early makes all that comes
after meaningless; the soft one is right on average from the start and sharpens as it is trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from prism.model.norm import promote
from prism.model.state import Leaf, State
from prism.model.symbolic.codes import EACH_TOKEN, Spread
from prism.ops.decay import no_autocast
from prism.ops.documents import RowEnds, last_real, previous_index, shift_right
from prism.ops.matrix_scan import step_matrices, step_scan

WRITE_STD = 0.25
FIRST_SET, FIRST_STAY = 3.0, 1.0  # in logits


@dataclass
class DialState(State):
    """State of U dials: ``position [B, U, S]``, the distributions; ``before [B, U (2 K + 2)]``, the
    share of the last token in the next choice."""

    position: Tensor
    before: Tensor


class Dials(nn.Module):
    """Args: ``dim`` D; ``count`` U; ``positions`` S; ``reach`` K, the largest step."""

    def __init__(self, dim: int, count: int, positions: int, reach: int) -> None:
        super().__init__()
        self.count, self.positions, self.reach = count, positions, reach
        choices = count * (2 * reach + 2)
        self.now = nn.Linear(dim, choices)
        self.before = nn.Linear(dim, choices, bias=False)
        self.none_before = nn.Parameter(torch.zeros(choices))
        self.value = nn.Linear(dim, count * positions, bias=False)
        self.write = nn.Linear(count * positions, dim, bias=False)
        for layer in (self.now, self.before, self.value):
            nn.init.normal_(layer.weight, std=dim**-0.5)
        nn.init.zeros_(self.now.bias)
        with torch.no_grad():  # a document's first token sets the dials; most tokens leave them
            self.none_before.view(count, -1)[:, -1] = FIRST_SET
            self.now.bias.view(count, -1)[:, reach] = FIRST_STAY
        nn.init.normal_(self.write.weight, std=WRITE_STD)

    @property
    def like(self) -> DialState:
        """Shapes of the state."""
        return DialState(Leaf((self.count, self.positions)), Leaf(self.none_before.shape))

    def forward(
        self,
        x: Tensor,
        state: DialState | None,
        doc_index: Tensor | None,
        ends: RowEnds | None = None,
        spread: Spread = EACH_TOKEN,
    ) -> tuple[Tensor, DialState]:
        """Output ``[B, T, D]`` on ``x``, and the state after the last token.

        Args:
            x: ``[B, T, D]``, or ``[V, D]`` that ``spread`` takes to the tokens.
        """
        count = self.count
        value = promote(self.value(x)).unflatten(-1, (count, -1)).softmax(dim=-1)
        made = promote(self.now(x)), promote(self.before(x)), value
        now, following, value = spread(*made)
        rows = now.shape[0]
        if state is None:
            none = promote(self.none_before)
            position = none.new_full((rows, count, self.positions), 1 / self.positions)
            state = DialState(position, none.expand(rows, -1))
        earlier = shift_right(following, state.before, doc_index)
        fresh = None
        if doc_index is not None:
            fresh = doc_index != previous_index(doc_index)
            earlier = torch.where(fresh[..., None], self.none_before.to(earlier), earlier)
        choice = (now + earlier).unflatten(-1, (count, -1)).softmax(dim=-1)
        moves, added = choice[..., :-1], choice[..., -1:] * value
        if fresh is not None:  # from a uniform start, whatever was there
            here = fresh[..., None, None]
            added = added + here * self._of_uniform(moves)
            moves = moves.masked_fill(here, 0.0)
        p = step_scan(moves, added, state.position)
        features = (p - 1 / self.positions).flatten(2)
        after = DialState(
            last_real(p, state.position, ends), last_real(following, state.before, ends)
        )
        return self.write(features.to(self.write.weight.dtype)), after

    def _of_uniform(self, moves: Tensor) -> Tensor:
        """A uniform distribution after ``moves [B, T, U, 2 K + 1]``, ``[B, T, U, S]``."""
        with no_autocast(moves):
            return moves @ step_matrices(self.positions, self.reach, moves).mean(dim=1)
