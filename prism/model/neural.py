"""The neural expert: SwiGLU whose hidden units are filtered over the last tokens.

    [g, v] = W_1 x,     g~(t) = sum_{j < W} a_j * g(t-j),     v~(t) = sum_{j < W} b_j * v(t-j)
    y = W_2 ( silu(g~) * v~ )

SwiGLU is arXiv 2002.05202; the filter is the short depthwise convolution of Mamba and Gated
DeltaNet, inside the expert: the product of the two branches sees pairs of neighbouring tokens at
once, for 2 W H parameters more and no more matrix work. It starts as the token shift of RWKV (arXiv
2305.13048) on the value branch: ``a = (1, 0, ..)``, ``b = (1 - m, m, 0, ..)`` with m uniform in
[0, 1], spread so that both tokens can be told apart.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from prism.model.norm import as_type, promote
from prism.model.state import Leaf
from prism.ops.causal_filter import causal_filter
from prism.ops.documents import RowEnds


class NeuralExpert(nn.Module):
    """Args: ``dim`` D; ``hidden`` width H; ``taps`` W, 1 = no filter; ``out_std`` of the output
    projection at the start."""

    def __init__(self, dim: int, hidden: int, taps: int, out_std: float) -> None:
        super().__init__()
        self.read = nn.Linear(dim, 2 * hidden, bias=False)
        self.write = nn.Linear(hidden, dim, bias=False)
        nn.init.normal_(self.read.weight, std=dim**-0.5)
        nn.init.normal_(self.write.weight, std=out_std)
        self.taps = nn.Parameter(_first_taps(taps, hidden)) if taps > 1 else None

    @property
    def like(self) -> Leaf | None:
        """Shape of the state, the units of the last tokens; None without a filter."""
        return None if self.taps is None else Leaf((len(self.taps) - 1, self.taps.shape[1]))

    def forward(
        self,
        x: Tensor,
        before: Tensor | None,
        doc_index: Tensor | None,
        ends: RowEnds | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Filtered units ``[B, T, 2 H]`` of ``x [B, T, D]``, and those ``[B, W - 1, 2 H]`` that the
        next call needs, unfiltered.

        Args:
            before: what the call before gave; None at the start.
            doc_index: ``[B, T]`` document index of each token or None.
            ends: where the real tokens of each row end; None = at T.
        """
        units = self.read(x)
        if self.taps is None:
            return units, None
        wide = promote(units)
        taps = as_type(self.taps, wide.dtype)
        filtered, after = causal_filter(wide, taps, before, doc_index, ends)
        return as_type(filtered, units.dtype), after

    def emit(self, units: Tensor) -> Tensor:
        """Filtered units ``[.., 2 H]`` to the stream ``[.., D]``."""
        gate, value = units.chunk(2, dim=-1)
        return self.write(nn.functional.silu(gate) * value)


def _first_taps(taps: int, hidden: int) -> Tensor:
    """``[W, 2 H]``: nothing on the gates, a token shift on the values."""
    first, shift = torch.zeros(taps, 2 * hidden), torch.rand(hidden)
    first[0, :hidden] = 1.0
    first[0, hidden:], first[1, hidden:] = 1 - shift, shift
    return first
