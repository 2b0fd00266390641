"""Inputs for the tests of the operations, and the comparison of a fast form with its loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from hypothesis import strategies as st
from torch import Tensor

PRECISIONS = ((torch.float64, 1e-10), (torch.float32, 1e-5))


def normal(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Standard normal numbers, the same for every dtype up to rounding."""
    g = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=g, dtype=torch.float64).to(dtype)


@st.composite
def document_indices(draw: st.DrawFn, batch: int, length: int) -> Tensor | None:
    """Document indices ``[B, T]`` of packed rows, or None; one above 0 first has no carry."""
    share = draw(st.sampled_from((0.3, 0.1, 0.6, None)))
    if share is None:
        return None
    g = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    return (torch.rand(batch, length, generator=g) < share).long().cumsum(dim=1)


def assert_same(
    fast: Callable[..., Sequence[Tensor]],
    plain: Callable[..., Sequence[Tensor]],
    inputs: Sequence[Tensor],
    bar: float,
) -> None:
    """Both give the same tensors, and the same gradient of each of ``inputs``."""
    results = []
    for function in (fast, plain):
        leaves = [x.clone().requires_grad_() for x in inputs]
        out = [y for y in function(*leaves) if y.is_floating_point()]
        loss = sum((y * torch.linspace(1, 3, y.numel()).to(y).sin().view_as(y)).sum() for y in out)
        found = torch.autograd.grad(loss, leaves, allow_unused=True)
        grads = [
            torch.zeros_like(x) if g is None else g for x, g in zip(leaves, found, strict=True)
        ]
        results.append([*out, *grads])
    for ours, theirs in zip(*results, strict=True):
        scale = max(1.0, theirs.detach().abs().max().item())
        assert (ours - theirs).abs().max().item() <= bar * scale
