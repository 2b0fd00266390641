"""The ranks of a run: process group, device, and the (replicate, shard) mesh of its weights.

``shards = world`` is ZeRO-3, ``shards = 1`` is plain data parallelism, anything between is hybrid;
one process is the same with a mesh of one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from prism.engine.products import products
from prism.engine.settings import Settings
from prism.whole_file import reason

T = TypeVar("T")
LOST = ("Connection closed by peer", "Connection reset by peer", "gloo/transport")


class ElsewhereError(ValueError):
    """Error of another rank, which reports it: this one only ends."""


@dataclass(frozen=True)
class World:
    """The ranks of a run: ``rank`` of ``size``, on ``device``, as the grid ``mesh``.

    The dimensions of ``mesh`` are ``replicate`` (only where there are several copies of the
    weights) and ``shard``.
    """

    rank: int
    size: int
    device: torch.device
    mesh: DeviceMesh

    @property
    def first(self) -> bool:
        """True on the rank that writes and prints."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """``values`` added over all ranks; the same bits on each."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """True if ``flag`` is set on some rank."""
        votes = torch.tensor(int(flag), device=self.device)
        return bool(self.sum(votes).item())

    def barrier(self) -> None:
        """Wait for every rank."""
        self.sum(torch.zeros((), device=self.device)).item()

    def union(self, values: set[str]) -> set[str]:
        """All values of all ranks."""
        every: list[Any] = [values]
        if self.size > 1:
            every = [None] * self.size
            dist.all_gather_object(every, values)
        return set().union(*every)

    def agree(self, error: Exception | None) -> None:
        """Nothing if no rank has an error. Every rank must call this.

        Raises:
            ValueError: the ``error`` of this rank, or :class:`ElsewhereError` for that of another.
        """
        if self.any(error is not None):
            raise ValueError(reason(error)) if error else ElsewhereError("see another rank")

    def on_first(self, act: Callable[[], T]) -> T:
        """Result of ``act``, which the first rank alone runs. Every rank must call this.

        Raises:
            ValueError: ``act`` raised one, or an OSError; on every rank.
        """
        failed: Exception | None = None
        outcome: list[Any] = [None]
        if self.first:
            try:
                outcome = [act()]
            except (ValueError, OSError) as error:
                failed = error
        self.agree(failed)
        if self.size > 1:
            dist.broadcast_object_list(outcome, src=0)
        return outcome[0]

    def rows(self, total: int) -> range:
        """The rows of a global batch of ``total`` that this rank reads: r, r + W, r + 2W, ..."""
        return range(self.rank, total, self.size)


def out_of_memory(error: Exception) -> str | None:
    """The words for memory that the machine or its GPU does not have; None for another error."""
    if isinstance(error, torch.OutOfMemoryError):
        return str(error).partition(". ")[0]
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    text = str(error)
    asked = re.search(r"tried to allocate (\d+) bytes", text)
    if asked is not None:
        return f"there are no {int(asked[1]):,} bytes of memory for one tensor"
    too_large = "Storage size calculation overflowed" in text
    return "a tensor would be larger than any memory" if too_large else None


def is_lost_rank(error: Exception) -> bool:
    """True for the error of a collective call whose partner has ended."""
    text = str(error)
    return isinstance(error, dist.DistError) or any(x in text for x in LOST)


@contextmanager
def world(s: Settings) -> Iterator[World]:
    """The process group of torchrun's environment, or one of a single process.

    Raises:
        ValueError: no such device here, or sizes that do not divide.
    """
    device = _device(s.device)
    ours = not dist.is_initialized()
    if ours:
        backend = "gloo" if device.type == "cpu" else "cpu:gloo,cuda:nccl"
        if "RANK" in os.environ:
            dist.init_process_group(backend)
        else:
            dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)
    try:
        size = dist.get_world_size()
        shards = s.shards or size
        if size % shards:
            raise ValueError(f"--shards {shards}: must divide the number of ranks, {size}")
        if s.global_batch_size % size:
            raise ValueError(
                f"--global-batch-size {s.global_batch_size}: must be a multiple of the number of "
                f"ranks, {size}"
            )
        grid = {"replicate": size // shards, "shard": shards}
        if shards == size:  # a dimension of one rank would still be summed over
            del grid["replicate"]
        mesh = init_device_mesh(device.type, tuple(grid.values()), mesh_dim_names=tuple(grid))
        with products(s.dtype, device):
            yield World(dist.get_rank(), size, device, mesh)
    finally:
        if ours:
            dist.destroy_process_group()


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: torch finds no GPU; must be cpu or auto here")
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device
