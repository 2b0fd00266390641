"""Floating-point numbers as integers on their own lattice.

The representable numbers of a format, in order, are numbered; zero is 0:

    ord(x) = b                  b = bits of x as an unsigned integer, sign bit clear
           = 2^(n-1) - b        sign bit set, n bits

Neighbours differ by 1 everywhere, across binades and across zero (IEEE 754 orders the magnitudes of
one sign by their bits). Both zeros are 0, so the bits of a zero are kept apart by whoever needs
them. A *lattice step* is the difference of two ordinals: always a whole number, whatever the size
of the numbers, which a quotient by one unit in the last place is not where a binade ends.

Bits are signed integers here (int16, int32), as torch and numpy view them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Bits = NDArray[np.signedinteger]


@dataclass(frozen=True)
class Format:
    """A floating-point format.

    Attributes:
        name: as flags have it.
        torch: dtype of tensors.
        bits: numpy dtype of the bits, signed.
        steps: numpy dtype that holds any lattice step.
        mantissa: stored bits of the significand.
        bias: of the exponent.
    """

    name: str
    torch: torch.dtype
    bits: type[np.signedinteger]
    steps: type[np.signedinteger]
    mantissa: int
    bias: int


FORMATS = {
    "bf16": Format("bf16", torch.bfloat16, np.int16, np.int32, 7, 127),
    "fp16": Format("fp16", torch.float16, np.int16, np.int32, 10, 15),
    "fp32": Format("fp32", torch.float32, np.int32, np.int64, 23, 127),
}


def format_of(dtype: torch.dtype) -> Format:
    """The format of a tensor's dtype.

    Raises:
        ValueError: it is none of bf16, fp16 and fp32.
    """
    for form in FORMATS.values():
        if form.torch == dtype:
            return form
    known = ", ".join(str(form.torch) for form in FORMATS.values())
    raise ValueError(f"weights of dtype {dtype}: must be one of {known}")


def bits_of(x: Tensor) -> Bits:
    """The bits of a tensor on the CPU, without a copy where it is contiguous."""
    form = format_of(x.dtype)
    whole = torch.int16 if form.bits is np.int16 else torch.int32
    return x.detach().contiguous().view(whole).numpy()


def tensor_of(bits: Bits, form: Format) -> Tensor:
    """The numbers that have these bits; a copy."""
    return torch.from_numpy(np.ascontiguousarray(bits, form.bits).copy()).view(form.torch)


def ordinals(bits: Bits) -> Bits:
    """Ordinals of numbers by their bits, in the same integer dtype."""
    top = np.iinfo(bits.dtype).min  # the sign bit alone
    return np.where(bits < 0, top - bits, bits)


def bits_of_ordinals(number: Bits) -> Bits:
    """Bits of the numbers with these ordinals; 0 is the positive zero."""
    top = np.iinfo(number.dtype).min
    return np.where(number < 0, top - number, number)


def values(bits: Bits, form: Format) -> NDArray[np.float64]:
    """The numbers as float64, exactly."""
    return tensor_of(bits, form).double().numpy()


def spacing(bits: Bits, form: Format) -> NDArray[np.float64]:
    """Unit in the last place of each number, ``2^(max(E, 1) - bias - mantissa)`` with E the stored
    exponent: the distance to the next number away from zero. An update below half of it, from a
    number that is no power of two, is lost to rounding to nearest."""
    wide = bits.astype(np.int64)
    top = 1 << (8 * np.dtype(form.bits).itemsize - 1)
    exponent = (wide & (top - 1)) >> form.mantissa
    return np.ldexp(1.0, np.maximum(exponent, 1) - form.bias - form.mantissa)
