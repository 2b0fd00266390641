"""FSDP2 (arXiv 2304.11277): a model spread over the ranks, and each rank's own shard of it.

A model is built with its parameters on the meta device, sharded, and only then given memory, so no
rank ever holds more than its shard; the first rank draws the weights from the config's seed and
hands out the shards, so they do not depend on the number of ranks. Compute is in the dtype asked
for. Reductions are at least fp32, and so are the weights that the optimizer keeps, unless they are
asked to be bf16 (``--weights bf16``).

Every operation on a DTensor goes through its dispatch in Python, once per parameter. What works
element by element (AdamW, scaling) or sums over elements (a norm, followed by one sum over the
ranks that share a copy of the weights) is exact on the local shards and free of it:

    |g|^2 = sum over ranks of sum over parameters of |local shard of g|^2
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.utils.checkpoint import checkpoint

from prism.engine.parallel.world import World
from prism.engine.settings import Settings
from prism.model.protocol import LanguageModel

# Parameters of a block that is gathered and reduced on its own where there are several ranks;
# smaller ones go with the rest of the model. A unit costs a fixed time, and holding all of a small
# model's weights costs nothing.
SMALLEST_UNIT = 1_000_000


def sharded(make: Callable[[], LanguageModel], s: Settings, w: World, weights: bool) -> Any:
    """The model that ``make`` builds, spread over the mesh of ``w``, in training mode.

    Args:
        make: builds the model on the CPU; called twice on the first rank.
        weights: give it its initial weights; False leaves them undefined, to be loaded.
    """
    with parameters_on_meta():
        model = make()
    _kept(model, s)
    for block in _blocks(model):
        if s.compile:  # only the inside of a block; sharding stays outside of the graph
            block.forward = torch.compile(block.forward)  # type: ignore[method-assign]
        if s.recompute:
            _recompute(block, drops=model.config.dropout > 0)
    _shard(model, s, w)
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    model.to_empty(device=w.device)
    for name, value in model.named_buffers():
        value.copy_(buffers[name])
    if weights:
        whole = _kept(make(), s).state_dict() if w.first else {}
        options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=w.size > 1)
        set_model_state_dict(model, whole, options=options)
    return model.train()


def _kept(model: LanguageModel, s: Settings) -> LanguageModel:
    """``model`` in the dtype in which the optimizer keeps it, in place."""
    model.to(torch.float64 if s.dtype == "fp64" else torch.float32)
    if s.weights == "bf16":
        for p in model.parameters():  # buffers hold rates, which stay exact
            p.data = p.data.bfloat16()
    return model


@contextmanager
def parameters_on_meta() -> Iterator[None]:
    """Modules built inside have parameters without memory. Buffers are real: they are constants
    that the constructor works out, and would be lost on the meta device."""
    register = nn.Module.register_parameter

    def on_meta(module: nn.Module, name: str, p: nn.Parameter | None) -> None:
        if p is not None and not p.is_meta:
            p = nn.Parameter(p.detach().to("meta"), p.requires_grad)
        register(module, name, p)

    nn.Module.register_parameter = on_meta  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module.register_parameter = register  # type: ignore[method-assign]


def _blocks(model: nn.Module) -> list[nn.Module]:
    """The units to shard, recompute and compile: the members of the model's module lists."""
    lists = [m for m in model.children() if isinstance(m, nn.ModuleList)]
    return [block for blocks in lists for block in blocks]


def _recompute(block: nn.Module, drops: bool) -> None:
    """Make ``block`` keep its inputs only (arXiv 1604.06174), in place; parameters' names stay.

    Inside of the sharding, unlike ``LanguageModel.recompute``: the weights are gathered once for
    the recomputation and the backward pass. A block that ``drops`` draws the same again.
    """
    inner = block.forward

    def forward(*args: Any) -> Any:
        return checkpoint(inner, *args, use_reentrant=False, preserve_rng_state=drops)

    block.forward = forward  # type: ignore[method-assign]


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
        if w.size == 1 or sum(p.numel() for p in block.parameters()) < SMALLEST_UNIT:
            continue
        fully_shard(block, mesh=w.mesh, mp_policy=policy, reshard_after_forward=spread)
        fsdp_args(block, stream=lambda output: output[0])
    fully_shard(model, mesh=w.mesh, mp_policy=policy, reshard_after_forward=False)
    # a loss may use all of them, or any alone
    fsdp_args(model, stream=lambda output: (output.logits, output.hidden, output.own))


def fsdp_args(module: nn.Module, stream: Callable[[Any], Any]) -> None:
    """Let the hooks of ``fully_shard`` see the first argument and ``stream(output)`` only.

    They look for every tensor that needs a gradient in a call, and to do so *copy* the dataclasses
    that hold them (since torch 2.13; before, they did not look inside). A block's other arguments
    hold the tape that the blocks of a call share, whose tensors a copy would silently part from
    the graph. They pass through the hooks inside a plain object, which these do not
    look into. Nothing is lost: autograd runs the nodes of a block, latest first, between the
    arrival of the gradient of its output stream and the departure of that of its input stream,
    whichever way the gradients came.

    Args:
        module: after ``fully_shard``, whose hooks must be the inner ones.
        stream: the tensor or tensors of an output that gradients come through.
    """
    inner = module.forward

    def forward(*args: Any, rest: SimpleNamespace) -> tuple[Any, SimpleNamespace]:
        more, named = rest.value
        output = inner(*args, *more, **named)
        return stream(output), SimpleNamespace(value=output)

    def wrap(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return args[:1], {"rest": SimpleNamespace(value=(args[1:], kwargs))}

    def unwrap(_: nn.Module, args: tuple[Any, ...], output: tuple[Any, SimpleNamespace]) -> Any:
        return output[1].value

    module.forward = forward  # type: ignore[method-assign]
    module.register_forward_pre_hook(wrap, prepend=True, with_kwargs=True)
    module.register_forward_hook(unwrap)


@contextmanager
def reading(model: nn.Module) -> Iterator[None]:
    """Inside, the model is only read: evaluation mode, no gradients. Afterwards every rank holds
    its own shard again, which otherwise only a backward pass sees to."""
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
    """Let the next backward pass add gradients over the replicas if it is the last of a step."""
    if isinstance(model, FSDPModule):
        model.set_requires_all_reduce(last)


@torch.no_grad()
def local_shards(tensors: Iterable[Tensor]) -> list[Tensor]:
    """This rank's shard of each, sharing its memory; a plain tensor is its own."""
    return [x.to_local() if isinstance(x, DTensor) else x for x in tensors]


def shard_number(tensors: Iterable[Tensor]) -> int:
    """Number of the shard that this rank holds of ``tensors``, which lie alike; 0 if they are
    whole."""
    spread = next((x for x in tensors if isinstance(x, DTensor)), None)
    place = None if spread is None else spread.device_mesh.get_coordinate()
    return place[-1] if place else 0


def from_local_shard(local: Tensor, like: Tensor) -> Tensor:
    """The tensor, spread as ``like`` is, whose shard on this rank is ``local``; shares memory."""
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
    mine: Tensor = torch.nn.utils.get_total_norm(local_shards(tensors), foreach=True)
    mesh = next((x.device_mesh for x in tensors if isinstance(x, DTensor)), None)
    if mesh is None or mesh.size(mesh.ndim - 1) == 1:
        return mine
    square = mine.double().square()
    dist.all_reduce(square, group=mesh.get_group(mesh.ndim - 1))
    return square.sqrt().to(mine.dtype)
