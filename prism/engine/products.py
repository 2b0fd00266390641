"""Precision of matrix products: float32 in full or as TF32, and bf16 on any CPU.

A product of bf16 matrices is summed in fp32 and rounded once, on every device:

    C_ij = bf16(sum_k A_ik B_kj)

On a CPU without AVX-512 torch computes that in a plain loop, tens of times slower than in fp32.
There :func:`products` converts the operands, which is exact, multiplies them with the kernel of
fp32 and rounds: the same definition, and only the order of the sum is another. CPUs with bf16
kernels and GPUs keep torch's own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.library import Library, get_kernel

THROUGH_FP32 = ("mm", "addmm", "bmm", "baddbmm")  # what every product of matrices comes down to


@contextmanager
def products(dtype: str, device: torch.device) -> Iterator[None]:
    """Inside, products of ``dtype`` are taken as above: float32 in full, or with ``tf32`` rounded
    to 10 bits of mantissa.

    Raises:
        ValueError: ``tf32`` on a CPU, where it would change nothing.
    """
    if dtype == "tf32" and device.type == "cpu":
        raise ValueError("--dtype tf32: is of GPUs; must be fp32, bf16 or fp64 on a CPU")
    kernels = None
    if dtype == "bf16" and device.type == "cpu" and not has_bf16_kernels():
        kernels = bf16_through_fp32()
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if dtype == "tf32" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
        del kernels


def has_bf16_kernels() -> bool:
    """True if torch multiplies bf16 matrices with instructions of this CPU."""
    if not torch.backends.mkldnn.is_available():  # the build has no kernels but the plain loop
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def bf16_through_fp32() -> Library:
    """Kernels for the CPU that multiply bf16 through fp32; torch's own are back when the result is
    deleted."""
    library = Library("aten", "IMPL")
    with warnings.catch_warnings():  # torch warns of any kernel that takes the place of its own
        warnings.filterwarnings("ignore", "Warning only once for all operators", UserWarning)
        for name in THROUGH_FP32:
            kernel = _through_fp32(get_kernel(f"aten::{name}", "CPU"))
            library.impl(name, kernel, "CPU", with_keyset=True, allow_override=True)
    return library


def _through_fp32(kernel: Any) -> Callable[..., Tensor]:
    def product(keys: Any, *operands: Any, **scales: Any) -> Tensor:
        tensors = [x for x in operands if isinstance(x, Tensor)]
        if any(x.dtype != torch.bfloat16 for x in tensors):
            return kernel.call_boxed(keys, *operands, **scales)
        wide = [x.float() if isinstance(x, Tensor) else x for x in operands]
        return kernel.call_boxed(keys, *wide, **scales).bfloat16()

    return product
