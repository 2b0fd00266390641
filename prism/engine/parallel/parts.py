"""A rank's own part of sharded tensors, as plain tensors that share their memory.

Every operation on a sharded tensor goes through the dispatch of DTensor in Python, once per
parameter. What works element by element (AdamW, scaling) or sums over elements (a norm, followed by
one sum over the ranks that share a copy of the weights) is exact on the parts and free of it:

    |g|^2 = sum over ranks of sum over parameters of |part of g|^2
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor


@torch.no_grad()
def parts(tensors: Iterable[Tensor]) -> list[Tensor]:
    """This rank's part of each, sharing its memory; a plain tensor is its own part."""
    return [x.to_local() if isinstance(x, DTensor) else x for x in tensors]


def as_part_of(local: Tensor, like: Tensor) -> Tensor:
    """The tensor, spread as ``like`` is, whose part on this rank is ``local``; shares memory."""
    if not isinstance(like, DTensor):
        return local
    return DTensor.from_local(
        local,
        like.device_mesh,
        like.placements,
        run_check=False,
        shape=like.shape,
        stride=like.stride(),
    )


def norm(tensors: Iterable[Tensor]) -> Tensor:
    """Euclidean norm of all elements of ``tensors`` on all ranks, a scalar; the same on each.

    Args:
        tensors: all sharded over the last dimension of one mesh, or all plain.
    """
    tensors = list(tensors)
    mine: Tensor = torch.nn.utils.get_total_norm(parts(tensors), foreach=True)
    mesh = next((x.device_mesh for x in tensors if isinstance(x, DTensor)), None)
    if mesh is None or mesh.size(mesh.ndim - 1) == 1:
        return mine
    square = mine.double().square()
    dist.all_reduce(square, group=mesh.get_group(mesh.ndim - 1))
    return square.sqrt().to(mine.dtype)


def scale(tensors: Iterable[Tensor], factor: Tensor) -> None:
    """Multiply every tensor by the scalar ``factor``, in place."""
    torch._foreach_mul_(parts(tensors), factor)
