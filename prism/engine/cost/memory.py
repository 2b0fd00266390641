"""Bytes per rank, part by part, before anything is allocated.

N parameters over S shards, n rows of T tokens per forward:

    weights, gradients  4 N / S each         fp32; 2 N / S with --weights bf16
    moments             8 N / S              AdamW; Muon keeps one for its matrices; 4 N / S in bf16
    left out            2 N / S              with --rounding kahan
    compute copy        2 N in bf16 where a rank holds all; the two largest blocks where sharded
    activations         what the backward pass keeps, read off the autograd graph of a few tokens
    logits              n T V (compute + fp32 + its gradient); as much per machine that answers
    states              the recurrent states of the rank's row streams, before and after

The activations are counted, not guessed: a row is run at a few lengths, every tensor that autograd
saves is added up, and the sum is continued to T tokens, by a line, or by a parabola where attention
keeps a mask of T^2. With ``--recompute`` it is the blocks' inputs, one block's inside, and what
stands outside of the blocks: the symbolic machine and its answers. A test holds the count within 5%
of what a real run saves, for every model. The gradients of activations, of which a backward pass
keeps a few at a time, come on top: ``USABLE`` in ``cards`` leaves room.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from prism.baselines import grows_with_context
from prism.baselines.stack import ResidualStack
from prism.config import PrismConfig
from prism.engine.loop.optimizer import Roles
from prism.engine.models import carries, make_model
from prism.engine.parallel.fsdp import parameters_on_meta
from prism.engine.settings import Settings
from prism.model.protocol import LanguageModel
from prism.model.state import leaves

DTYPES = {"bf16": torch.bfloat16, "fp64": torch.float64}  # else float32
KEPT_BYTES = {"fp32": 4, "bf16": 2}
BYTES = {"fp32": (4, 4), "tf32": (4, 4), "bf16": (4, 2), "fp64": (8, 8)}  # of master and compute


def per_rank(
    s: Settings, config: PrismConfig, ranks: int, row: Row | None = None
) -> dict[str, float]:
    """Bytes by part on each of ``ranks`` ranks.

    Args:
        row: that :func:`measured_row` gave, to be measured once for several questions.
    """
    master, compute = BYTES[s.dtype]
    master = KEPT_BYTES[s.weights] if s.weights == "bf16" else master
    each = KEPT_BYTES[s.moments] if s.weights == "bf16" and s.moments else master
    shards = min(s.shards or ranks, ranks)
    with parameters_on_meta():
        model = make_model(s.model, config)
    total = model.num_parameters()
    sizes = {name: p.numel() for name, p in model.named_parameters()}
    muon = Roles.of(model).hidden if s.optimizer == "muon" else ()
    moments = sum(size * (1 if name in muon else 2) for name, size in sizes.items())
    rows = max(1, s.global_batch_size // ranks)
    micro = min(s.micro_batch_size or rows, rows)
    tokens = micro * s.seq_len
    row = row or measured_row(s, config)
    blocks = sorted(sum(p.numel() for p in b.parameters()) for b in model.blocks)
    gathered = total if shards == 1 else total - sum(blocks) + sum(blocks[-2:])  # at one time
    inputs = 4 * config.d_model * config.num_layers
    machine = getattr(model, "machine", None)
    answers = len(machine.names) if machine is not None and config.symbolic.answers else 0
    parts = {
        "weights": master * total / shards,
        "gradients": master * total / shards,
        "moments": each * moments / shards,
        "compute copy": compute * gathered,
        "activations": micro * row.saved
        if not s.recompute
        else micro * (row.outside + (row.saved - row.outside) / config.num_layers)
        + tokens * inputs,
        "logits": (1 + answers) * tokens * config.vocab_size * (compute + 2 * max(4, compute)),
    }
    if s.rounding == "kahan":
        parts["left out"] = master * total / shards
    if carries(s):
        parts["states"] = 2.0 * rows * row.state
    return parts


@dataclass(frozen=True)
class Row:
    """Bytes of a row of T tokens: ``saved`` by autograd, its recurrent ``state``, and what of
    ``saved`` is saved outside of the blocks."""

    saved: float
    state: float
    outside: float


def measured_row(s: Settings, config: PrismConfig) -> Row:
    """The bytes of one row of ``--seq-len`` tokens.

    A PRISM model runs whole on the meta device, every kind on every token. The blocks of a baseline
    are all alike, and one and two of them run on the CPU, between an embedding and a head for two
    tokens.
    """
    a, b, c = (config.chunk_size * n for n in (1, 2, 4))
    middle, last = (_row_of(s, config, length) for length in (b, c))
    slope = (last.saved - middle.saved) / (c - b)
    saved = last.saved + slope * (s.seq_len - c)
    if grows_with_context(s.model):
        bend = (slope - (middle.saved - _row_of(s, config, a).saved) / (b - a)) / (c - a)
        saved += bend * (s.seq_len - b) * (s.seq_len - c)
    outside = last.outside + (last.outside - middle.outside) / (c - b) * (s.seq_len - c)
    return Row(max(saved, 0.0), last.state, max(outside, 0.0))


def _row_of(s: Settings, config: PrismConfig, length: int) -> Row:
    soft = dataclasses.replace(config, router_topk=None, balance_target=None)
    with parameters_on_meta():
        model = make_model(s.model, soft)
    model.to(DTYPES.get(s.dtype, torch.float32))
    if not isinstance(model, ResidualStack):
        return _forward(model.to("meta"), length)
    model.embedding, model.head = nn.Embedding(2, config.d_model), nn.Linear(config.d_model, 2)
    model.to(DTYPES.get(s.dtype, torch.float32))
    blocks, rows = model.blocks, []
    for count in (1, 2):
        model.blocks = nn.ModuleList([block.to_empty(device="cpu") for block in blocks[:count]])
        model.norm.to_empty(device="cpu")
        rows.append(_forward(model, length))
    one, two = rows
    more = len(blocks) - 1
    return Row(
        one.saved + more * (two.saved - one.saved),
        one.state + more * (two.state - one.state),
        one.outside,
    )


def _forward(model: LanguageModel, length: int) -> Row:
    device = model.head.weight.device
    tokens = torch.zeros(1, length, dtype=torch.long, device=device)
    counting = _Saved(model)
    hooks = [block.register_forward_pre_hook(counting.enter) for block in model.blocks]
    hooks += [block.register_forward_hook(counting.leave) for block in model.blocks]
    with counting:
        output = model(tokens, segment_ids=torch.zeros_like(tokens))
    for hook in hooks:
        hook.remove()
    state = sum(x.nbytes for x in leaves(output.state))
    return Row(counting.bytes, state, counting.bytes - counting.inside)


class _Saved(torch.autograd.graph.saved_tensors_hooks):
    """Counts the bytes of what autograd saves other than ``module``'s parameters, and how many
    of them ``inside`` modules that call :meth:`enter` and :meth:`leave`."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__(self._pack, lambda x: x)
        self.known = {p.untyped_storage()._cdata for p in module.parameters()}
        self.kept: list[Tensor] = []  # alive, so that no other tensor gets its storage
        self.bytes = self.inside = self._before = 0

    def enter(self, *_: object) -> None:
        self._before = self.bytes

    def leave(self, *_: object) -> None:
        self.inside += self.bytes - self._before

    def _pack(self, x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        if storage._cdata not in self.known:
            self.known.add(storage._cdata)
            self.kept.append(x)
            self.bytes += storage.nbytes()
        return x
