"""Float algebra: key and value vectors bound to an accumulator of one float bank.

    bind(k, v):  H = H + k * v          unbind(q) = q * H

With bipolar vectors ``unbind(k) = v + cross-talk``; the cross-talk of N pairs has variance N - 1
per number (MAP; Gayler 1998, and Plate 2003 for holographic memories in general). Gradients flow to
keys, values and queries; :func:`sign_ste` makes real vectors bipolar on the way.
"""

from __future__ import annotations

import torch
from torch import Tensor

from prism.holo.algebra.accumulator import Accumulator


def bind_vectors(accumulator: Accumulator, key: Tensor, value: Tensor, sign: int = 1) -> int:
    """Add ``sign * key * value`` of one pair of vectors [D] or of N pairs [N, D]; returns N.

    Raises:
        ValueError: an accumulator of several banks or of integers, vectors of another length or
            number, or a number that is not finite.
    """
    require_one_bank(accumulator, "bind with vectors")
    if not accumulator.numbers.dtype.is_floating_point:
        raise ValueError(
            f"dtype {accumulator.dtype}: binding vectors needs a float tape, "
            "HoloTape(dim=..., dtype='float32')"
        )
    key, value = _checked(accumulator, "key", key), _checked(accumulator, "value", value)
    if key.ndim != value.ndim:
        shapes = f"key {tuple(key.shape)} and value {tuple(value.shape)}"
        raise ValueError(f"{shapes}: must be one vector each, or as many of both")
    product = (key * value).reshape(-1, accumulator.dim)
    accumulator.numbers = accumulator.numbers + sign * product.sum(0)
    return len(product)


def unbind(accumulator: Accumulator, query: Tensor) -> Tensor:
    """``query * H``, [D] or [N, D] as the query.

    Raises:
        ValueError: more than one bank, another length, or a number that is not finite.
    """
    require_one_bank(accumulator, "unbind")
    return _checked(accumulator, "query", query) * accumulator.numbers[0]


def require_one_bank(accumulator: Accumulator, what: str) -> None:
    """Raises:
    ValueError: the accumulator has several banks, and only a hash chooses among them."""
    if accumulator.banks != 1:
        raise ValueError(f"{what}: a vector names no bank; this tape has {accumulator.banks}")


def sign_ste(x: Tensor) -> Tensor:
    """Signs +-1 of x (0 counts as +1) with the gradient of the identity where |x| <= 1: the
    straight-through estimator (Bengio et al. 2013, arXiv 1308.3432)."""
    hard = torch.where(x >= 0, 1.0, -1.0).to(x.dtype)
    soft = x.clamp(-1, 1)
    return hard.detach() + (soft - soft.detach())


def _checked(accumulator: Accumulator, name: str, x: Tensor) -> Tensor:
    dim, like = accumulator.dim, accumulator.numbers
    if x.ndim not in (1, 2) or x.shape[-1] != dim:
        raise ValueError(f"{name} of shape {tuple(x.shape)}: must be [{dim}] or [N, {dim}]")
    if not bool(torch.isfinite(x).all()):
        raise ValueError(f"{name}: must be finite, but holds NaN or infinity")
    return x.to(like.device, like.dtype) if like.dtype.is_floating_point else x
