"""Reading of a model for an attachment: logits, hidden states, attention.

:class:`Llama` gives all three. Any other model of this project's protocol gives logits and, seen
through hooks on its ``blocks``, the hidden states; where there is no attention to watch, the
subject of a question is the name mentioned last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from prism.pretrained.llama import Head, Reading


def heads_of(model: nn.Module) -> list[Head]:
    """Every (block, head) whose attention can be watched; empty without attention."""
    if not hasattr(model, "read"):
        return []
    return [(b, h) for b in range(layers_of(model)) for h in range(model.config.num_heads)]


def layers_of(model: nn.Module) -> int:
    """Number of blocks.

    Raises:
        TypeError: the model has no ``blocks`` to look at.
    """
    blocks = getattr(model, "blocks", None)
    if not isinstance(blocks, nn.ModuleList):
        raise TypeError(f"{type(model).__name__}: must have its blocks in a ModuleList `blocks`")
    return len(blocks)


@torch.no_grad()
def read(
    model: nn.Module,
    tokens: Tensor,
    state: Any = None,
    layers: Sequence[int] = (),
    heads: Sequence[Head] = (),
) -> Reading:
    """One forward pass of ``tokens [B, T]``, with the stream after ``layers`` and the weights of
    ``heads``; the logits are those of ``model(tokens, state)``."""
    if hasattr(model, "read"):
        return model.read(tokens, state, layers, heads)
    streams: dict[int, Tensor] = {}

    def keep(layer: int) -> Any:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            streams[layer] = output if isinstance(output, Tensor) else output[0]

        return hook

    handles = [model.blocks[i].register_forward_hook(keep(i)) for i in layers]
    try:
        output = model(tokens, state=state)
    finally:
        for handle in handles:
            handle.remove()
    return Reading(output.logits, output.state, output.aux_loss, streams=streams)


@torch.no_grad()
def watch(
    model: nn.Module, tokens: Tensor, layers: Sequence[int], heads: Sequence[Head] = ()
) -> tuple[dict[int, Tensor], dict[Head, Tensor]]:
    """The stream after ``layers`` and the weights of ``heads`` over ``tokens [B, T]``, without
    logits where the model can leave them out."""
    if hasattr(model, "watch"):
        return model.watch(tokens, layers, heads)
    out = read(model, tokens, None, layers, heads)
    return out.streams, out.attention


def last_states(
    model: nn.Module,
    rows: Sequence[Sequence[int]],
    layers: Sequence[int],
    heads: Sequence[Head] = (),
    batch: int = 32,
) -> tuple[Tensor, list[Tensor]]:
    """Read many short sequences, the short ones together.

    Returns:
        Hidden states at each last token, ``[N, len(layers), D]``, and the attention from it, one
        ``[len(heads), T_n]`` a sequence.
    """
    states: dict[int, Tensor] = {}
    weights: dict[int, Tensor] = {}
    for some, padded in batches(rows, batch):
        hidden, attention = watch(model, padded, layers, heads)
        for b, i in enumerate(some):
            last = len(rows[i]) - 1
            states[i] = torch.stack([hidden[k][b, last] for k in layers]).float()
            seen = [attention[h][b, last, : last + 1] for h in heads]
            weights[i] = torch.stack(seen).float() if seen else torch.zeros(0, last + 1)
    everything = range(len(rows))
    return torch.stack([states[i] for i in everything]), [weights[i] for i in everything]


def inner_states(
    model: nn.Module, rows: Sequence[Sequence[int]], layers: Sequence[int], batch: int = 32
) -> tuple[Tensor, Tensor]:
    """Hidden states ``[K, len(layers), D]`` at every token but the last of each sequence, and
    which sequence each is of, ``[K]``."""
    states, owner = [], []
    for some, padded in batches(rows, batch):
        hidden, _ = watch(model, padded, layers)
        for b, i in enumerate(some):
            inside = len(rows[i]) - 1
            states.append(torch.stack([hidden[k][b, :inside] for k in layers], dim=1).float())
            owner += [i] * inside
    return torch.cat(states), torch.tensor(owner)


def batches(rows: Sequence[Sequence[int]], size: int) -> Iterator[tuple[list[int], Tensor]]:
    """Sequences of like length together: which they are, and their padded tokens ``[B, T]``."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    for low in range(0, len(order), size):
        some = order[low : low + size]
        length = len(rows[some[-1]])
        yield some, torch.tensor([[*rows[i], *[0] * (length - len(rows[i]))] for i in some])
