"""State of a PRISM model: explicit tensors that continue a sequence exactly.

Their size does not depend on the number of tokens read. Every entry has a batch axis first, so
states can be sliced, stacked and moved like data.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from prism.model.holo_read import HoloState


@dataclass
class TapeState:
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
class SymbolicState:
    """State of one symbolic expert.

    Attributes:
        gate: ``[B, U]`` last token's input b2, which gates the step of the next.
        primitives: ``[B, U]`` per causal primitive, by name.
    """

    gate: Tensor
    primitives: dict[str, Tensor]


@dataclass
class BlockState:
    """State of one block: the bus ``[B, K, G]``, the last token's features ``[B, D]`` for the token
    shift of the neural expert, and the states of the other experts; None for one it lacks."""

    bus: Tensor
    last: Tensor | None
    tape: TapeState | None
    symbolic: SymbolicState | None


@dataclass
class PrismState:
    """States of all blocks; ``segment [B]``, the segment id of the last token (None when the call
    had no ``segment_ids``); ``holo``, the state of the fact query, with ``holo_mode``."""

    blocks: tuple[BlockState, ...]
    segment: Tensor | None
    holo: HoloState | None = None
