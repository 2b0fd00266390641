"""Codecs of hidden states: a document's ``[n, D]`` states to bytes and back.

    fp16    2 D bytes a token                                the default, about 4e-7 nats from fp32
    int8    D + D / 16: x = scale q, scale fp16 per 32       about 6e-4 nats
    fisher  rotated, rounded and entropy-coded               :mod:`prism.distill.fisher`

What a codec costs is measured in nats of the distribution that the head makes of its states,

    KL(p || p') = sum_v p(v) log(p(v) / p'(v)),     p of the fp32 states, p' of the decoded ones.

fp16 and not bf16: of the same size, and 60 times closer, as the states of a normed stream are far
from fp16's largest number, which is checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

GROUP = 32  # numbers with one scale
LARGEST = 65504.0  # of fp16
States = NDArray[np.float32]  # [n, D]


class Codec(Protocol):
    """States of a document to bytes and back.

    Attributes:
        name: of ``--codec``.
    """

    name: str

    def encode(self, states: States) -> bytes:
        """The bytes of ``[n, D]`` states.

        Raises:
            ValueError: a state cannot be written.
        """

    def decode(self, raw: bytes | memoryview, n: int) -> States:
        """The ``[n, D]`` states of those bytes."""

    def tables(self) -> bytes:
        """Bytes that decoding needs besides, for the store; maybe none."""


@dataclass(frozen=True)
class HalfCodec:
    """fp16."""

    width: int
    name: str = "fp16"

    def encode(self, states: States) -> bytes:
        largest = float(np.abs(states).max(initial=0.0))
        if not largest <= LARGEST:
            raise ValueError(f"codec fp16: a state holds {largest:g}: must be at most {LARGEST:g}")
        return states.astype("<f2").tobytes()

    def decode(self, raw: bytes | memoryview, n: int) -> States:
        return np.frombuffer(raw, "<f2").reshape(n, self.width).astype(np.float32)

    def tables(self) -> bytes:
        return b""


@dataclass(frozen=True)
class ByteCodec:
    """Integers of 8 bits, with an fp16 scale for every 32 of them."""

    width: int
    name: str = "int8"

    @property
    def _groups(self) -> int:
        return -(-self.width // GROUP)

    def encode(self, states: States) -> bytes:
        n = len(states)
        if not np.isfinite(states).all():
            raise ValueError("codec int8: a state is not finite; must be")
        padded = np.zeros((n, self._groups * GROUP), np.float32)
        padded[:, : self.width] = states
        grouped = padded.reshape(n, self._groups, GROUP)
        scale = (np.abs(grouped).max(axis=2) / 127).astype("<f2")
        if not np.isfinite(scale).all():
            raise ValueError(f"codec int8: a state is above {LARGEST * 127:g}; must be below")
        safe = np.maximum(scale.astype(np.float32), np.finfo(np.float32).tiny)
        q = np.rint(grouped / safe[:, :, None]).clip(-127, 127).astype(np.int8)
        return scale.tobytes() + q.reshape(n, -1)[:, : self.width].tobytes()

    def decode(self, raw: bytes | memoryview, n: int) -> States:
        split = n * self._groups * 2
        scale = np.frombuffer(raw[:split], "<f2").astype(np.float32).reshape(n, self._groups)
        q = np.frombuffer(raw[split:], np.int8).astype(np.float32).reshape(n, self.width)
        return q * np.repeat(scale, GROUP, axis=1)[:, : self.width]

    def tables(self) -> bytes:
        return b""


@dataclass(frozen=True)
class Error:
    """Distance between what the head makes of states and of decoded ones, position by position.

    Attributes:
        kl: ``[n]`` nats.
        agrees: ``[n]`` bool, same likeliest token.
        lead: ``[n]`` nats between the two likeliest tokens of the exact states.
    """

    kl: Tensor
    agrees: Tensor
    lead: Tensor


def log_probabilities(states: Tensor, head: Tensor) -> Tensor:
    """``[n, V]`` fp32 log-probabilities of ``states [n, D]``."""
    return torch.log_softmax(states @ head.T, dim=-1)


def measure(exact: States, decoded: States, head: Tensor) -> Error:
    """The error of ``decoded``; KL is summed in fp64, as a small one is lost in fp32."""
    before = log_probabilities(torch.from_numpy(exact), head).double()
    after = log_probabilities(torch.from_numpy(decoded), head).double()
    before = before - before.logsumexp(-1, keepdim=True)
    after = after - after.logsumexp(-1, keepdim=True)
    kl = (before.exp() * (before - after)).sum(dim=-1)
    two = before.topk(2, dim=-1).values
    return Error(kl, before.argmax(-1) == after.argmax(-1), two[:, 0] - two[:, 1])
