"""Models to test on: every preset family, shrunk, and configs that hypothesis draws.

A fresh model hides errors (an output projection starts at zero, gates start in the middle), so
``perturbed`` moves every parameter away from where it starts before anything is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

from prism import Prism, PrismConfig, PrismOutput, SymbolicConfig, TapeConfig, presets
from prism.config import EXPERT_KINDS, PRIMITIVES, ROUTER_GATES, TAPE_SCOPES
from prism.model.protocol import map_state

VOCAB = 11
# for the tests that draw whole configs: more draws than the profile in force asks for
many_draws = settings(max_examples=4 * settings().max_examples)


def shrunk(name: str, **overrides: object) -> PrismConfig:
    """The preset ``name`` with its rates, routing, tape heads and primitives, but small."""
    full = presets.get(name)
    tape = TapeConfig(
        content_heads=full.tape.content_heads,
        position_heads=full.tape.position_heads,
        num_slots=8,
        d_mem=4,
        scope=full.tape.scope,
        retention=full.tape.retention,
    )
    symbolic = SymbolicConfig(
        answers=full.symbolic.answers,
        units=6,
        primitives=full.symbolic.primitives,
        moduli=full.symbolic.moduli,
        fade=full.symbolic.fade,
        width=6,
        dials=min(full.symbolic.dials, 2),
        dial_positions=4,
        dial_reach=1,
        reflections=min(full.symbolic.reflections, 2),
        reflection_size=3,
        suffixes=full.symbolic.suffixes[:2],
        suffix_slots=16,
        unit_input_rate=full.symbolic.unit_input_rate,
    )
    small = {
        "vocab_size": VOCAB,
        "d_model": 2 * len(full.bus_half_lives),
        "num_layers": 3,
        "neural_hidden": 8,
        "memory_layers": None if full.memory_layers is None else (0, 2),
        "tape": tape,
        "symbolic": symbolic,
        "chunk_size": 4,
    }
    return presets.get(name, **{**small, **overrides})


FAMILIES = tuple(presets.BY_NAME)
# hard choices that no preset makes at the moment
HARD = {
    "top1": {"router_topk": 1},
    "top2_always_on": {"router_topk": 2, "always_on": ("memory",)},
    "layer_scope": {"tape": TapeConfig(num_slots=4, d_mem=3, scope="layer", retention=(0.9, 1.0))},
}
# a backbone, and what comes of assembling branches on it
APART = {"anchor_hidden": 6, "router_gates": "independent", "router_topk": None}
MODULAR = {
    "backbone": {**APART, "expert_kinds": ()},
    "assembled": {**APART, "memory_layers": (0, 2)},
}
UNITS = {"answers": False, "units": 5, "dials": 0, "reflections": 0}
UNITS |= {"suffixes": (1, 2), "suffix_slots": 16}  # a machine that serves the network alone, small
BESIDE = UNITS | {"dials": 2, "dial_positions": 4, "reflections": 2, "reflection_size": 3}
# parts of the model that a config can leave out, and those that no preset has
PARTS = {
    "token_skip": {"token_skip": True},
    "no_filter": {"neural_taps": 1},
    "no_reset": {"bus_reset": False},
    "no_lookup": {"symbolic": SymbolicConfig(**UNITS | {"suffixes": ()})},
    "dials": {"symbolic": SymbolicConfig(**UNITS | {"dials": 2, "dial_positions": 3})},
    "reflections": {"symbolic": SymbolicConfig(**UNITS | {"reflections": 2, "reflection_size": 2})},
    "answers": {"symbolic": SymbolicConfig(**BESIDE | {"answers": True, "width": 6})},
    "one_answer": {"symbolic": SymbolicConfig(**UNITS | {"answers": True, "width": 6})},
    "dropout": {"dropout": 0.3},
}
VARIANTS = {name: shrunk(name) for name in FAMILIES} | {
    name: shrunk("tiny", **changes) for name, changes in (HARD | MODULAR | PARTS).items()
}


@st.composite
def configs(draw: st.DrawFn) -> PrismConfig:
    """Any :class:`PrismConfig` of a small model."""
    anchor = draw(st.none() | st.integers(1, 7))
    kinds = draw(st.permutations(EXPERT_KINDS))[: draw(st.integers(anchor is None, 3))]
    topk = draw(st.none() | st.integers(1, len(kinds))) if kinds else None
    forced = []
    if kinds:
        forced = draw(st.lists(st.sampled_from(kinds), unique=True, max_size=topk or len(kinds)))
    layers = draw(st.integers(1, 3))
    memory_layers = None
    if "memory" in kinds and (len(kinds) > 1 or anchor is not None):
        memory_layers = draw(st.none() | st.sets(st.integers(0, layers - 1)).map(sorted))
    num_rates = draw(st.sampled_from((1, 2, 4, 8)))
    lives = st.lists(st.floats(0.25, 1e4), min_size=num_rates, max_size=num_rates)
    return PrismConfig(
        vocab_size=VOCAB,
        d_model=8 * draw(st.integers(1, 2)),
        num_layers=layers,
        num_rates=num_rates,
        half_lives=draw(st.none() | lives),
        half_life_max=draw(st.sampled_from((0.25, 64.0, 8192.0))),
        tape=draw(tapes()),
        expert_kinds=kinds,
        anchor_hidden=anchor,
        router_gates=draw(st.sampled_from(ROUTER_GATES)),
        router_topk=topk,
        always_on=forced,
        neural_hidden=draw(st.none() | st.integers(1, 9)),
        neural_taps=draw(st.sampled_from((1, 2, 4))),
        bus_reset=draw(st.booleans()),
        token_skip=draw(st.booleans()),
        symbolic=draw(machines()),
        memory_layers=memory_layers,
        tie_embeddings=draw(st.booleans()),
        chunk_size=draw(st.sampled_from((1, 2, 3, 5, 7, 32))),
        seed=draw(st.integers(0, 99)),
    )


@st.composite
def tapes(draw: st.DrawFn) -> TapeConfig:
    """Any small :class:`TapeConfig`."""
    content = draw(st.integers(0, 2))
    retention = st.sampled_from((1.0, 0.97, 0.5))
    each = st.lists(retention, min_size=content, max_size=content)
    return TapeConfig(
        content_heads=content,
        position_heads=draw(st.integers(0 if content else 1, 2)),
        num_slots=draw(st.sampled_from((2, 4, 6, 8))),
        d_mem=draw(st.integers(1, 5)),
        scope=draw(st.sampled_from(TAPE_SCOPES)),
        retention=draw(retention | each),
    )


@st.composite
def machines(draw: st.DrawFn) -> SymbolicConfig:
    """Any small :class:`SymbolicConfig`."""
    return SymbolicConfig(
        answers=draw(st.booleans()),
        units=draw(st.integers(1, 5)),
        primitives=draw(st.permutations(PRIMITIVES))[: draw(st.integers(1, len(PRIMITIVES)))],
        moduli=draw(st.lists(st.sampled_from((2, 3, 4, 5, 6, 8, 16)), min_size=1, max_size=4)),
        width=draw(st.integers(1, 5)),
        dials=draw(st.integers(0, 2)),
        dial_positions=draw(st.integers(2, 4)),
        dial_reach=draw(st.integers(1, 2)),
        reflections=draw(st.integers(0, 2)),
        reflection_size=draw(st.integers(2, 3)),
        suffixes=draw(st.lists(st.integers(1, 4), unique=True, max_size=3)),
        suffix_slots=draw(st.integers(1, 9)),
        unit_input_rate=draw(st.sampled_from((1.0, 0.5, 1 / 128))),
        fade=draw(st.sampled_from((0.0, 0.9, 1.0))),
    )


def perturbed(
    config: PrismConfig, dtype: torch.dtype = torch.float64, epsilon: float = 0.0
) -> Prism:
    """Model with every parameter moved from its start, and exploration ``epsilon``, in training
    mode where that is a function."""
    model = in_mode(Prism(config).to(dtype), training=True)
    model.set_exploration(epsilon)
    g = torch.Generator().manual_seed(config.seed + 1)
    with torch.no_grad():
        for p in model.parameters():
            size = 0.1 if p.dim() < 2 else 0.7 * p.shape[-1] ** -0.5
            p.add_(size * torch.randn(p.shape, generator=g, dtype=torch.float64).to(dtype))
        for block in (block for block in model.blocks if block.kinds):
            shift = torch.randn(len(block.kinds), generator=g, dtype=torch.float64)
            block.router.selection_bias.add_(0.05 * shift)
    return model


def in_mode(model: Prism, training: bool) -> Prism:
    """``model`` in training mode, if asked for and if that is a function: not with dropout."""
    return model.train(training and not model.config.dropout)


def tokens_of(seed: int, batch: int, length: int) -> Tensor:
    """Random ids ``[B, T]``."""
    return torch.randint(VOCAB, (batch, length), generator=torch.Generator().manual_seed(seed))


def segments_of(seed: int, batch: int, length: int) -> Tensor:
    """Packed rows ``[B, T]``: documents of a few tokens with padding (-1) between some."""
    g = torch.Generator().manual_seed(seed)
    run = (torch.rand(batch, length, generator=g) < 0.25).long().cumsum(dim=1)
    return torch.randint(-1, 3, (batch, length + 1), generator=g).gather(1, run)


def changed_from(tokens: Tensor, at: int) -> Tensor:
    """Every token from ``at`` on is another one."""
    return torch.cat([tokens[:, :at], (tokens[:, at:] + 1) % VOCAB], dim=1)


def read_in_pieces(
    model: Prism,
    tokens: Tensor,
    cuts: Sequence[int],
    segment_ids: Tensor | None = None,
    state: object = None,
) -> tuple[Tensor, object]:
    """Logits ``[B, T, V]`` and last state of several calls that carry the state."""
    logits = []
    for a, b in pairwise([0, *sorted(cuts), tokens.shape[1]]):
        ids = None if segment_ids is None else segment_ids[:, a:b]
        output = model(tokens[:, a:b], state=state, segment_ids=ids)
        state = output.state
        logits.append(output.logits)
    return torch.cat(logits, dim=1), state


def loss_of(logits: Tensor) -> Tensor:
    """A scalar that depends on every logit, not the same way."""
    weight = torch.linspace(-1, 1, logits[0].numel(), dtype=torch.float64).cos()
    return (logits * weight.to(logits).view_as(logits[0])).sum()


def gradients(model: Prism, loss: Tensor) -> dict[str, Tensor]:
    """Gradient of every parameter by name, zeros where the loss does not depend on it."""
    named = dict(model.named_parameters())
    values = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return {
        name: torch.zeros_like(p) if g is None else g
        for (name, p), g in zip(named.items(), values, strict=True)
    }


def tensors_of(state: object) -> list[Tensor]:
    """Every tensor of a state."""
    found: list[Tensor] = []
    map_state(state, lambda x: found.append(x) or x)
    return found


def real_outputs(output: PrismOutput, segment_ids: Tensor) -> Tensor:
    """Logits of the tokens that are no padding, ``[n, V]``."""
    return output.logits[segment_ids >= 0]


def assert_close(found: Tensor, wanted: Tensor, bar: float, what: str = "value") -> None:
    """Largest difference at most ``bar`` times the largest wanted value (or 1)."""
    scale = max(1.0, wanted.abs().max().item()) if wanted.numel() else 1.0
    worst = (found - wanted).abs().max().item() if wanted.numel() else 0.0
    assert worst <= bar * scale, f"{what}: off by {worst:.2e} at scale {scale:.2e}"


def assert_same_gradients(found: dict[str, Tensor], wanted: dict[str, Tensor], bar: float) -> None:
    for name, gradient in wanted.items():
        assert_close(found[name], gradient, bar, f"gradient of {name}")
