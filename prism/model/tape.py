"""The memory expert: read and write heads on a fast-weight tape that all layers share.

Content heads are addressed by what was read. Query and key come from one encoder E and the key
is (mostly) the token *before*, so "what followed this token last time?" can be answered almost
from initialisation:

    e(t) = E x(t),  q(t) = unit(e(t)),  k(t) = unit((1 - mix) e(t-1) + mix e(t)),
    k(t) = 0 at the first token of a document, which follows nothing
    u(t) = beta(t) (v(t) - seen(t)^T k(t)),    o(t) = P(t)^T q(t)          (ops/delta.py)

Position heads are addressed by how long ago, with a learned offset (ops/ring.py). Every real
token may write, its gate beta in (0, 2) decides; the router gates only the read. The output
projection starts as the transpose of the value projection: what is read comes back as it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from prism.config import TapeConfig
from prism.model.norm import as_type, promote, unit
from prism.model.state import Leaf, State
from prism.ops.decay import chunk_on
from prism.ops.delta import ChunkFrame, Written, chunk_frame, delta_rule
from prism.ops.documents import RowEnds, last_real, shift_right
from prism.ops.ring import offset_query, phases, ring_read


@dataclass
class TapeState(State):
    """Fast-weight state of one memory layer. Hc content heads, Hp position heads.

    Attributes:
        fast_weights: ``[B, Hc, S, M]`` sum of this layer's own writes (content heads).
        code: ``[B, Hc, S]`` code of the last token, from which the next key is made.
        ring: ``[B, S - 1, Hp, M]`` contents of the last tokens in the ring (position heads).
    """

    fast_weights: Tensor
    code: Tensor
    ring: Tensor


@dataclass
class TapeFrame:
    """Constants of one call: ``chunks`` of the content heads, and the phases ``turn [S, S]`` of the
    position heads; None without heads of the kind."""

    chunks: ChunkFrame | None
    turn: Tensor | None


class TapeHeads(nn.Module):
    """The heads of one memory layer.

    Args:
        dim: width D.
        config: the tape.
        chunk: tokens per chunk of the delta rule.
    """

    def __init__(self, dim: int, config: TapeConfig, chunk: int) -> None:
        super().__init__()
        self.config, self.chunk = config, chunk
        content, position = config.content_heads, config.position_heads
        slots, width = config.num_slots, config.d_mem
        self.value = nn.Linear(dim, config.heads * width, bias=False)
        self.beta = nn.Linear(dim, config.heads, bias=False)
        self.write = nn.Linear(config.heads * width, dim, bias=False)
        nn.init.normal_(self.value.weight, std=dim**-0.5)
        nn.init.normal_(self.beta.weight, std=0.1 * dim**-0.5)
        with torch.no_grad():
            self.write.weight.copy_(self.value.weight.T)
        if content:
            self.encode = nn.Linear(dim, content * slots, bias=False)
            nn.init.normal_(self.encode.weight, std=dim**-0.5)
            self.mix = nn.Parameter(torch.zeros(content))
        if position:
            self.steer = nn.Linear(dim, position * slots, bias=False)
            nn.init.normal_(self.steer.weight, std=0.1 * dim**-0.5)
            offsets = [offset_query(slots, (1 + i) % slots) for i in range(position)]
            self.offset = nn.Parameter(torch.stack(offsets).to(self.value.weight))
            self.turn = phases(slots)

    @property
    def like(self) -> TapeState:
        """Shapes of the state; a kind of head that is not there leaves an empty tensor."""
        content, position = self.config.content_heads, self.config.position_heads
        slots, width = self.config.num_slots, self.config.d_mem
        return TapeState(
            Leaf((content, slots, width) if content else (0,)),
            Leaf((content, slots) if content else (0,)),
            Leaf((slots - 1, position, width) if position else (0,)),
        )

    def frame(self, x: Tensor, doc_index: Tensor | None, ends: RowEnds | None = None) -> TapeFrame:
        """Constants of a call on ``x [B, T, D]``, the same for all layers."""
        x = promote(x)
        chunks = None
        if self.config.content_heads:
            real = None if ends is None else ends.count
            retentions, chunk = self.config.retentions, chunk_on(x, self.chunk)
            chunks = chunk_frame(x.shape[1], retentions, doc_index, chunk, x, real)
        return TapeFrame(chunks, self.turn.to(x) if self.config.position_heads else None)

    def forward(
        self,
        x: Tensor,
        state: TapeState | None,
        doc_index: Tensor | None,
        valid: Tensor | None,
        frame: TapeFrame,
        below: Written | None,
        ends: RowEnds | None = None,
    ) -> tuple[Tensor, TapeState, Written | None, Tensor]:
        """Write and read.

        Args:
            x: ``[B, T, D]``.
            state: this layer's part of the tape before the call.
            doc_index: ``[B, T]`` document index of each token or None.
            valid: ``[B, T]`` False at padding, or None.
            frame: :meth:`frame` of this call.
            below: writes of the layers below in this call; None = nothing.
            ends: where the real tokens of each row end; None = at T.

        Returns:
            Reads ``[B, T, H * M]``, the new state, what was written so far, and the write gates
            ``[B, T, H]``.
        """
        content, heads = self.config.content_heads, self.config.heads
        value = promote(self.value(x)).unflatten(-1, (heads, -1))  # [B, T, H, M]
        beta = 2 * torch.sigmoid(promote(self.beta(x)))
        if valid is not None:
            beta = beta * valid[..., None]
        sizes, reads = [content, heads - content], []
        to_content, to_position = value.split(sizes, dim=2)
        beta_content, beta_position = beta.split(sizes, dim=2)
        code = fast_weights = ring = value.new_zeros(x.shape[0], 0)
        if content:
            query, key, code = self._codes(x, state, doc_index, ends)
            o, fast_weights, below = delta_rule(
                query,
                key,
                to_content,
                beta_content,
                frame.chunks,
                None if state is None else state.fast_weights,
                below,
            )
            reads.append(o)
        if self.config.position_heads:
            o, ring = ring_read(
                self._taps(x, frame.turn),
                to_position * beta_position[..., None],
                None if state is None else state.ring,
                doc_index,
                ends,
            )
            reads.append(o)
        read = torch.cat(reads, dim=2).flatten(2)
        return read, TapeState(fast_weights, code, ring), below, beta

    def emit(self, read: Tensor) -> Tensor:
        """Reads ``[n, H * M]`` to the stream ``[n, D]``."""
        return self.write(as_type(read, self.write.weight.dtype))

    def _codes(
        self,
        x: Tensor,
        state: TapeState | None,
        doc_index: Tensor | None,
        ends: RowEnds | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Unit queries and keys ``[B, T, Hc, S]``, and the last code ``[B, Hc, S]``."""
        heads = self.config.content_heads
        code = promote(self.encode(x)).unflatten(-1, (heads, -1))
        if x.shape[1] == 1 and doc_index is None and state is not None:
            before = state.code[:, None]
        else:
            last = None if state is None else state.code.flatten(1)
            before = shift_right(code.flatten(2), last, doc_index).view_as(code)
        mix = as_type(self.mix[:, None], code.dtype)
        # A zero vector over eps would give mix a gradient of 1 / eps.
        first = (before == 0).all(dim=-1, keepdim=True)
        linked = torch.lerp(before, code, mix).masked_fill(first, 0.0)
        query, key = unit(torch.stack([code, linked]))
        return query, key, last_real(code, None if state is None else state.code, ends)

    def _taps(self, x: Tensor, turn: Tensor) -> Tensor:
        """Weight of each lag, ``[B, T, Hp, S]``.

        The phases could be folded into the weights of ``steer``, but whatever wraps it or hooks
        into it, as an adapter does, would then never be called.
        """
        steered = promote(self.steer(x)).unflatten(-1, (self.config.position_heads, -1))
        return (steered + as_type(self.offset, steered.dtype)) @ turn
