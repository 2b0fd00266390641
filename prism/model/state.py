"""The state of a PRISM model: all it needs to continue a sequence exactly, as explicit tensors.

Its size does not depend on how much was read. Every entry has a batch axis first, so states can
be sliced, stacked and moved like data.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from prism.model.holo_read import HoloState


@dataclass
class TapeState:
    """One memory layer's own part of the tape. Hc content heads, Hp position heads.

    Attributes:
        register: ``[B, Hc, S, M]`` what this layer has written (content heads).
        code: ``[B, Hc, S]`` code of the last token, which the next key is made of.
        ring: ``[B, S - 1, Hp, M]`` what the last tokens put into the ring (position heads).
    """

    register: Tensor
    code: Tensor
    ring: Tensor


@dataclass
class SymbolicState:
    """One symbolic expert's registers.

    Attributes:
        lane: ``[B, U]`` the last token's gate lane.
        registers: ``[B, U]`` per causal primitive, by name.
    """

    lane: Tensor
    registers: dict[str, Tensor]


@dataclass
class BlockState:
    """One block: the bus ``[B, K, G]``, the last token's features ``[B, D]`` that the neural kind
    needs, and the states of the other kinds; None for a kind that the block lacks."""

    bus: Tensor
    last: Tensor | None
    tape: TapeState | None
    symbolic: SymbolicState | None


@dataclass
class PrismState:
    """All blocks, and ``segment [B]``, the id of the last token's document (None when the call
    had no ``segment_ids``); ``holo``, what a question for a fact is made of, with ``holo_mode``."""

    blocks: tuple[BlockState, ...]
    segment: Tensor | None
    holo: HoloState | None = None
