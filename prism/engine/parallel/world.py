"""One parallel path for one process and for many: ``fully_shard`` on a (replicate, shard) mesh.

``shards = world`` is ZeRO-3, ``shards = 1`` is plain data parallelism, anything between is hybrid;
one process is the same with a mesh of one. A model is built with its parameters on the meta device,
sharded, and only then given memory, so no rank ever holds more than its part; the first rank draws
the weights from the config's seed and hands out the parts, so they do not depend on the number of
ranks. Compute is in the dtype asked for, master weights and reductions are at least fp32
(arXiv 2304.11277).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard

from prism.engine.loop.optimizer import Roles
from prism.engine.parallel.blocks import compiled, recomputed
from prism.engine.parallel.meta import parameters_on_meta
from prism.engine.parallel.opaque import hide
from prism.engine.settings import Settings
from prism.model.protocol import LanguageModel

# Parameters of a block that is gathered and reduced on its own; smaller ones go with the rest of
# the model. A unit costs a fixed time, and holding all of a small model's weights costs nothing.
SMALLEST_UNIT = 1_000_000


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
        """Whether this is the rank that writes and prints."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """``values`` added over all ranks; the same bits on each."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` is set on some rank."""
        votes = torch.tensor(int(flag), device=self.device)
        return bool(self.sum(votes).item())

    def barrier(self) -> None:
        """Wait for every rank."""
        self.sum(torch.zeros((), device=self.device)).item()

    def lanes(self, total: int) -> range:
        """The lanes of this rank: r, r + W, r + 2W, ..."""
        return range(self.rank, total, self.size)


@contextmanager
def world(s: Settings) -> Iterator[World]:
    """The process group of torchrun's environment, or one of a single process.

    Raises:
        ValueError: no such device here, or sizes that do not divide.
    """
    device = _device(s.device)
    ours = not dist.is_initialized()
    if ours:
        _initialise(device)
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
        yield World(dist.get_rank(), size, device, _mesh(device, size // shards, shards))
    finally:
        if ours:
            dist.destroy_process_group()


def _mesh(device: torch.device, copies: int, shards: int) -> DeviceMesh:
    if copies == 1:  # a dimension of one rank would still be summed over
        return init_device_mesh(device.type, (shards,), mesh_dim_names=("shard",))
    return init_device_mesh(device.type, (copies, shards), mesh_dim_names=("replicate", "shard"))


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: torch finds no GPU; must be cpu or auto here")
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


def _initialise(device: torch.device) -> None:
    backend = "gloo" if device.type == "cpu" else "cpu:gloo,cuda:nccl"
    if "RANK" in os.environ:
        dist.init_process_group(backend)
    else:
        dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)


def sharded(
    make: Callable[[], LanguageModel], s: Settings, w: World, weights: bool
) -> tuple[LanguageModel, Roles]:
    """The model that ``make`` builds, spread over the mesh of ``w``.

    Args:
        make: builds the model on the CPU; called twice on the first rank.
        weights: give it its initial weights; False leaves them undefined, to be loaded.

    Returns:
        The model, and its parameters' roles.
    """
    with parameters_on_meta():
        model = make()
    dtype = torch.float64 if s.dtype == "fp64" else torch.float32
    model.to(dtype)
    roles = Roles.of(model)
    for block in _blocks(model):
        if s.compile:
            compiled(block)
        if s.recompute:
            recomputed(block)
    _shard(model, s, w)
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    model.to_empty(device=w.device)
    for name, value in model.named_buffers():
        value.copy_(buffers[name])
    if weights:
        whole = make().to(dtype).state_dict() if w.first else {}
        hand_out(model, whole, w)
    return model.train(), roles


def hand_out(model: nn.Module, whole: dict[str, Tensor], w: World) -> None:
    """Give every rank its part of ``whole``, which only the first rank needs to have."""
    options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=w.size > 1)
    set_model_state_dict(model, whole, options=options)


def _blocks(model: nn.Module) -> list[nn.Module]:
    """The units to shard, recompute and compile: the members of the model's module lists."""
    lists = [m for m in model.children() if isinstance(m, nn.ModuleList)]
    return [block for blocks in lists for block in blocks]


def _shard(model: nn.Module, s: Settings, w: World) -> None:
    # Blocks take the fp32 residual and cast for themselves, so inputs are left alone.
    half = s.dtype == "bf16"
    policy = MixedPrecisionPolicy(
        param_dtype=torch.bfloat16 if half else None,
        reduce_dtype=torch.float32 if half else None,
        cast_forward_inputs=False,
    )
    spread = w.mesh["shard"].size() > 1
    for block in _blocks(model):
        if sum(p.numel() for p in block.parameters()) < SMALLEST_UNIT:
            continue
        fully_shard(block, mesh=w.mesh, mp_policy=policy, reshard_after_forward=spread)
        hide(block, stream=lambda output: output[0])
    fully_shard(model, mesh=w.mesh, mp_policy=policy, reshard_after_forward=False)
    hide(model, stream=lambda output: output.logits)


@contextmanager
def reading(model: nn.Module) -> Iterator[None]:
    """Inside, the model is only read: evaluation mode, no gradients. Afterwards every rank holds
    its own part again, which otherwise only a backward pass sees to."""
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train()
        for module in model.modules():
            if isinstance(module, FSDPModule):
                module.reshard()


def reduce_now(model: nn.Module, last: bool) -> None:
    """Whether the next backward also adds gradients over the replicas: only the last of a step."""
    if isinstance(model, FSDPModule):
        model.set_requires_all_reduce(last)
