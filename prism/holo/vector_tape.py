"""The bare algebra of a float tape: vectors in, vectors out.

    bind(k, v):  H = H + k * v          unbind(q) = q * H

With bipolar codes ``unbind(k) = v + noise``; the noise has variance N - 1 per number. Gradients
flow to keys, values and queries; :func:`prism.holo.algebra.accumulator.sign_ste` makes real vectors
bipolar on the way. Vectors have no entry in the ledger, so taking one out needs both again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from prism.holo.algebra.codes import sign_codes, signs

if TYPE_CHECKING:
    from prism.holo.tape import HoloTape


class VectorAlgebra:
    """``bind`` and ``unbind`` of vectors, for :class:`prism.holo.tape.HoloTape`."""

    @property
    def H(self: HoloTape) -> Tensor:
        """The accumulator: [D] where there is one bank, else [B, D]."""
        numbers = self.accumulator.numbers
        return numbers[0] if self.config.banks == 1 else numbers

    def unbind(self: HoloTape, query: Tensor) -> Tensor:
        """``query * H``, [D] or [N, D] as the query.

        Raises:
            ValueError: more than one bank, another length, or a number that is not finite.
        """
        self._one_bank("unbind")
        return self._vector("query", query) * self.H

    def key_vectors(self: HoloTape, keys: Any) -> Tensor:
        """Codes float [N, D] of N keys, to be mixed with vectors of one's own."""
        kind = self.H.dtype if self.H.dtype.is_floating_point else torch.float32
        return sign_codes(self.hash(keys), self.config.dim).to(self.H.device, kind)

    def _bind_vectors(self: HoloTape, key: Any, value: Any, sign: int) -> None:
        self._one_bank("bind with vectors")
        if not self.H.dtype.is_floating_point:
            raise ValueError(
                f"dtype {self.config.dtype}: binding vectors needs a float tape, "
                "HoloTape(dim=..., dtype='float32')"
            )
        if not isinstance(key, Tensor):
            key = self.key_vectors([key])[0]
        key = self._vector("key", key)
        if not isinstance(value, Tensor):
            ids = self.vocabulary.ids([value], grow=True)
            value = signs(self.vocabulary.codes.words(ids), self.config.dim)[0].to(key)
        value = self._vector("value", value)
        if key.ndim != value.ndim:
            shapes = f"key {tuple(key.shape)} and value {tuple(value.shape)}"
            raise ValueError(f"{shapes}: must be one vector each, or as many of both")
        product = (key * value).reshape(-1, self.config.dim)
        self.accumulator.numbers = self.accumulator.numbers + sign * product.sum(0)
        self._unlisted += sign * len(product)
        self.revision += 1
        if self.joint is not None:
            self.joint.invalidate(np.zeros(1, np.int64))

    def _vector(self: HoloTape, name: str, x: Tensor) -> Tensor:
        if x.ndim not in (1, 2) or x.shape[-1] != self.config.dim:
            dim = self.config.dim
            raise ValueError(f"{name} of shape {tuple(x.shape)}: must be [{dim}] or [N, {dim}]")
        if not bool(torch.isfinite(x).all()):
            raise ValueError(f"{name}: must be finite, but holds NaN or infinity")
        return x.to(self.H.device, self.H.dtype) if self.H.dtype.is_floating_point else x

    def _one_bank(self: HoloTape, what: str) -> None:
        if self.config.banks != 1:
            raise ValueError(f"{what}: a vector names no bank; this tape has {self.config.banks}")
