"""Bytes per rank, part by part, before anything is allocated.

N parameters over S shards, n rows of T tokens per forward:

    weights, gradients  4 N / S each         fp32
    moments             8 N / S              AdamW; Muon keeps one for its matrices
    compute copy        2 N in bf16 where a rank holds all; the two largest blocks where sharded
    activations         what the backward pass keeps, read off the autograd graph of a few tokens
    logits              n T V (compute + fp32 + its gradient)
    states              the recurrent states of the rank's row streams, before and after

The activations are counted, not guessed: a few tokens are run and every tensor that autograd saves
is added up; with ``--recompute`` it is the blocks' inputs and one block's inside.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from prism.baselines.stack import ResidualStack
from prism.config import PrismConfig
from prism.engine.loop.optimizer import Roles
from prism.engine.models import carries, make_model
from prism.engine.parallel.fsdp import parameters_on_meta
from prism.engine.settings import Settings
from prism.model.state import leaves
from prism.ops.documents import padding_last

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp64": torch.float64}
BYTES = {"fp32": (4, 4), "bf16": (4, 2), "fp64": (8, 8)}  # of master and compute


def per_rank(s: Settings, config: PrismConfig, ranks: int) -> dict[str, float]:
    """Bytes by part on each of ``ranks`` ranks."""
    master, compute = BYTES[s.dtype]
    shards = s.shards or ranks
    with parameters_on_meta():
        model = make_model(s.model, config)
    total = model.num_parameters()
    sizes = {name: p.numel() for name, p in model.named_parameters()}
    muon = Roles.of(model).hidden if s.optimizer == "muon" else ()
    moments = sum(size * (1 if name in muon else 2) for name, size in sizes.items())
    rows = max(1, s.global_batch_size // ranks)
    micro = min(s.micro_batch_size or rows, rows)
    tokens = micro * s.seq_len
    graph, state = _run(s, config)
    blocks = sorted(sum(p.numel() for p in b.parameters()) for b in model.blocks)
    gathered = total if shards == 1 else total - sum(blocks) + sum(blocks[-2:])  # at one time
    inputs = 4 * config.d_model * config.num_layers
    parts = {
        "weights": master * total / shards,
        "gradients": master * total / shards,
        "moments": master * moments / shards,
        "compute copy": compute * gathered,
        "activations": tokens * (graph / config.num_layers + inputs if s.recompute else graph),
        "logits": tokens * config.vocab_size * (compute + 2 * max(4, compute)),
    }
    if carries(s):
        parts["states"] = 2.0 * rows * state
    return parts


def _run(s: Settings, config: PrismConfig) -> tuple[float, float]:
    """Bytes per token that autograd keeps, and bytes of one row's state.

    A PRISM model runs whole on the meta device, every kind on every token. The blocks of a
    baseline are all alike, and one of them runs on the CPU.
    """
    soft = dataclasses.replace(config, router_topk=None, balance_target=None)
    with parameters_on_meta():
        model = make_model(s.model, soft)
    model.to(DTYPES[s.dtype])
    length = 2 * config.chunk_size
    tokens = torch.zeros(1, length, dtype=torch.long)
    if isinstance(model, ResidualStack):
        block = model.blocks[0].to_empty(device="cpu")
        view, _ = model.view(padding_last(tokens, None, None), None)
        x = torch.zeros(1, length, config.d_model, requires_grad=True)
        saved = _Saved(block)
        with saved:
            _, state = block(x, None, view)
        size = sum(x.nbytes for x in leaves(state))
        return config.num_layers * saved.bytes / length, config.num_layers * size
    model.to("meta")
    saved = _Saved(model)
    with saved:
        state = model(tokens.to("meta")).state
    return saved.bytes / length, sum(x.nbytes for x in leaves(state))


class _Saved(torch.autograd.graph.saved_tensors_hooks):
    """Counts, inside, the bytes of what autograd saves other than ``module``'s parameters."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__(self._pack, lambda x: x)
        self.known = {p.untyped_storage()._cdata for p in module.parameters()}
        self.kept: list[Tensor] = []  # alive, so that no other tensor gets its storage
        self.bytes = 0

    def _pack(self, x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        if storage._cdata not in self.known:
            self.known.add(storage._cdata)
            self.kept.append(x)
            self.bytes += storage.nbytes()
        return x
