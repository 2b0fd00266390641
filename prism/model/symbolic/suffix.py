"""Suffix lookup: what followed the last time that the last n tokens stood here.

    s_suffix(t) = sum_n  g_n * e(y_n(t))        y_n: prism.ops.suffix,  e: normalised embedding

``y_n(t)`` is the token that followed the last earlier occurrence of x(t-n+1) .. x(t) in the
document, and e(none) = 0. Long contexts are seldom found and mostly right, short ones the other
way round; g_n is a learned gain by channel, and the network learns from the sum how far to trust
it. Fixed n-gram heads improve Transformers and recurrent models alike (arXiv 2401.12973);
compressors have the same part as a match model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from prism.model.state import Leaf, State
from prism.ops.documents import RowEnds
from prism.ops.suffix import SuffixTable, empty_table, suffix_lookup

FIRST_GAIN = 0.5


@dataclass
class SuffixState(State):
    """State of a lookup: ``key, token [B, K, S]``, its tables; ``recent [B, W]``, the last tokens;
    ``document [B]``, how many have begun (:class:`prism.ops.suffix.SuffixTable`)."""

    key: Tensor
    token: Tensor
    recent: Tensor
    document: Tensor


class SuffixLookup(nn.Module):
    """Args: ``dim`` D; ``lengths`` n of the K tables; ``slots`` S of each."""

    def __init__(self, dim: int, lengths: tuple[int, ...], slots: int) -> None:
        super().__init__()
        self.lengths, self.slots = lengths, slots
        self.gain = nn.Parameter(torch.full((len(lengths), dim), FIRST_GAIN))

    @property
    def like(self) -> SuffixState:
        """Shapes of the state."""
        table = Leaf((len(self.lengths), self.slots), "index")
        return SuffixState(table, table, Leaf((max(self.lengths),), "index"), Leaf((), "index"))

    def forward(
        self,
        tokens: Tensor,
        embed: Callable[[Tensor], Tensor],
        state: SuffixState | None,
        doc_index: Tensor | None,
        ends: RowEnds | None = None,
    ) -> tuple[Tensor, SuffixState]:
        """Output ``[B, T, D]`` on ``tokens [B, T]``, and the state after the last real token.

        Args:
            embed: normalised embeddings ``[.., D]`` of ids.
        """
        if state is None:
            table = empty_table(len(tokens), self.lengths, self.slots, tokens.device)
        else:
            table = SuffixTable(state.key, state.token, state.recent, state.document)
        found, after = suffix_lookup(tokens, table, self.lengths, doc_index, ends)
        followed = embed(found.clamp(min=0)) * (found >= 0)[..., None]
        return (followed * self.gain.to(followed.dtype)).sum(dim=-2), SuffixState(*after)
