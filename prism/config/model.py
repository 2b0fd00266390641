"""The whole description of a PRISM model."""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import dataclass, field
from typing import Any

from prism.config.checks import is_int, is_number, make_plain, require
from prism.config.symbolic import SymbolicConfig
from prism.config.tape import TapeConfig
from prism.former_names import current_fields

EXPERT_KINDS = ("neural", "memory", "symbolic")
ROUTER_GATES = ("softmax", "independent")


@dataclass(frozen=True, kw_only=True)
class PrismConfig:
    """A PRISM model.

    Args:
        vocab_size: number of token ids.
        d_model: width D of the residual stream.
        num_layers: blocks L.
        half_lives: one half-life in tokens per rate of the bus, shortest first. When None,
            ``num_rates`` of them, log-spaced from ``half_life_min`` to ``half_life_max``.
            ``d_model`` must divide by their number.
        tape: the memory tape.
        expert_kinds: kinds of expert in every block, from ``EXPERT_KINDS``.
            May be empty with an anchor.
        anchor_hidden: width of an anchor, a neural expert beside the routed kinds that every
            token gets with weight 1; None = no anchor.
        router_gates: ``"softmax"`` (the kinds share a weight that sums to their number) or
            ``"independent"`` (one sigmoid gate per kind: a kind more changes no other's weight).
        router_topk: kinds that run per token; None = all of them (a soft mixture).
        always_on: kinds that are always among the ``router_topk``.
        neural_hidden: width of the neural expert; None = ``2 * d_model``.
        neural_taps: tokens that the filter on the units of neural experts spans; 1 = no filter.
        bus_reset: the time that passes on the bus depends on the token; False = a step per token.
        token_skip: every block adds the token's embedding, weighed by channel, to the stream.
        symbolic: the symbolic expert.
        memory_layers: indices of the blocks that hold a memory expert; None = all.
        tie_embeddings: share the embedding with the output head.
        router_z_loss: weight in ``aux_loss`` of the z-loss of softmax gates.
        expert_output_penalty: weight in ``aux_loss`` of the squared norm of what the experts add
            to the residual stream, relative to that of the stream, with independent gates.
        balance_rate: step of the balance controller's selection bias.
        balance_target: wanted load per kind (summing to ``router_topk``); None = equal.
        chunk_size: tokens per chunk of the parallel forms; changes speed, not results.
        dropout: share of the numbers that training sets to 0 in the embeddings and in what each
            branch adds to the stream (the others are scaled up); none in evaluation mode.
        holo_mode: learn to ask a tape of facts, which the call then takes as ``facts``.
        seed: seed of the initial weights.
    """

    vocab_size: int
    d_model: int = 64
    num_layers: int = 3
    half_lives: tuple[float, ...] | None = None
    num_rates: int = 8
    half_life_min: float = 0.25
    half_life_max: float = 1024.0
    tape: TapeConfig = field(default_factory=TapeConfig)
    expert_kinds: tuple[str, ...] = EXPERT_KINDS
    anchor_hidden: int | None = None
    router_gates: str = "softmax"
    router_topk: int | None = None
    always_on: tuple[str, ...] = ()
    neural_hidden: int | None = None
    neural_taps: int = 4
    bus_reset: bool = True
    token_skip: bool = False
    symbolic: SymbolicConfig = field(default_factory=SymbolicConfig)
    memory_layers: tuple[int, ...] | None = None
    tie_embeddings: bool = True
    router_z_loss: float = 1e-3
    expert_output_penalty: float = 1e-3
    balance_rate: float = 0.01
    balance_target: tuple[float, ...] | None = None
    chunk_size: int = 32
    dropout: float = 0.0
    holo_mode: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        lists = ("expert_kinds", "always_on", "half_lives", "memory_layers", "balance_target")
        make_plain(self, *lists)
        counts = ("vocab_size", "d_model", "num_layers", "num_rates", "neural_taps", "chunk_size")
        for name in counts:
            require(is_int(getattr(self, name), 1), self, name, "an integer >= 1")
        ok = is_int(self.seed, 0) and self.seed < 2**64
        require(ok, self, "seed", "an integer >= 0 and < 2^64")
        for name in ("tie_embeddings", "holo_mode", "bus_reset", "token_skip"):
            require(isinstance(getattr(self, name), bool), self, name, "True or False")
        ok = is_number(self.dropout) and 0 <= self.dropout < 1
        require(ok, self, "dropout", "a number in [0, 1)")
        require(isinstance(self.tape, TapeConfig), self, "tape", "a TapeConfig")
        is_symbolic = isinstance(self.symbolic, SymbolicConfig)
        require(is_symbolic, self, "symbolic", "a SymbolicConfig")
        self._check_rates()
        self._check_kinds()

    def _check_rates(self) -> None:
        low, high = self.half_life_min, self.half_life_max
        require(is_number(low) and low > 0, self, "half_life_min", "a number > 0")
        ok = is_number(high) and high >= low
        require(ok, self, "half_life_max", f"a number >= half_life_min = {low!r}")
        if self.half_lives is not None:
            lives = self.half_lives
            ok = len(lives) > 0 and all(is_number(x) and x > 0 for x in lives)
            require(ok, self, "half_lives", "a non-empty list of numbers > 0")
        rates = len(self.bus_half_lives)
        allowed = f"a multiple of the number of rates, {rates}"
        require(self.d_model % rates == 0, self, "d_model", allowed)

    def _check_kinds(self) -> None:
        kinds = self.expert_kinds
        ok = len(set(kinds)) == len(kinds) and set(kinds) <= set(EXPERT_KINDS)
        ok = ok and (len(kinds) > 0 or self.anchor_hidden is not None)
        allowed = f"distinct names from {EXPERT_KINDS}; at least one without an anchor"
        require(ok, self, "expert_kinds", allowed)
        gates = self.router_gates
        require(gates in ROUTER_GATES, self, "router_gates", f"one of {ROUTER_GATES}")
        if self.router_topk is not None:
            k = self.router_topk
            ok = is_int(k, 1) and k <= len(kinds)
            require(ok, self, "router_topk", f"None or an integer in 1..{len(kinds)}")
        ok = set(self.always_on) <= set(kinds) and len(self.always_on) <= self.topk
        allowed = f"at most router_topk = {self.topk} of expert_kinds = {kinds}"
        require(ok, self, "always_on", allowed)
        for name in ("neural_hidden", "anchor_hidden"):
            value = getattr(self, name)
            ok = value is None or is_int(value, 1)
            require(ok, self, name, "None or an integer >= 1")
        if self.memory_layers is not None:
            where = self.memory_layers
            ok = all(is_int(i, 0) and i < self.num_layers for i in where)
            ok = ok and len(set(where)) == len(where)
            allowed = f"distinct block indices in 0..{self.num_layers - 1}"
            require(ok, self, "memory_layers", allowed)
            ok = "memory" in kinds or not where
            require(ok, self, "memory_layers", "empty without 'memory'")
            alone = kinds == ("memory",) and self.anchor_hidden is None
            ok = not alone or len(where) == self.num_layers
            require(ok, self, "memory_layers", "every block when memory is the only kind")
        for name in ("router_z_loss", "expert_output_penalty", "balance_rate"):
            value = getattr(self, name)
            require(is_number(value) and value >= 0, self, name, "a number >= 0")
        if self.balance_target is not None:
            target = self.balance_target
            ok = len(target) == len(kinds) and all(is_number(x) and 0 <= x <= 1 for x in target)
            ok = ok and abs(sum(target) - self.topk) < 1e-6
            allowed = f"{len(kinds)} loads in [0, 1] that sum to router_topk = {self.topk}"
            require(ok, self, "balance_target", allowed)

    @property
    def topk(self) -> int:
        """Kinds that run per token."""
        return len(self.expert_kinds) if self.router_topk is None else self.router_topk

    @property
    def penalty_weight(self) -> float:
        """Weight in ``aux_loss`` of the penalty that belongs to ``router_gates``."""
        independent = self.router_gates == "independent"
        return self.expert_output_penalty if independent else self.router_z_loss

    @property
    def hidden(self) -> int:
        """Width of the neural expert."""
        return 2 * self.d_model if self.neural_hidden is None else self.neural_hidden

    @property
    def bus_half_lives(self) -> tuple[float, ...]:
        """The half-lives of the bus in tokens, one per rate."""
        if self.half_lives is not None:
            return self.half_lives
        if self.num_rates == 1:
            return (float(self.half_life_max),)
        ratio = self.half_life_max / self.half_life_min
        steps = self.num_rates - 1
        return tuple(self.half_life_min * ratio ** (k / steps) for k in range(self.num_rates))

    def kinds_at(self, layer: int) -> tuple[str, ...]:
        """Kinds of expert that block ``layer`` holds, in ``expert_kinds`` order."""
        holds = self.memory_layers is None or layer in self.memory_layers
        return tuple(k for k in self.expert_kinds if k != "memory" or holds)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; ``PrismConfig.from_dict`` gives back an equal config."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PrismConfig:
        """The config that ``to_dict`` wrote, in this version or an earlier one.

        Raises:
            ValueError: a field that this version does not know, or a bad value.
        """
        values = current_fields(values)
        for name, part in (("tape", TapeConfig), ("symbolic", SymbolicConfig)):
            if isinstance(values.get(name), dict):
                values[name] = _build(part, current_fields(values[name]))
        return _build(cls, values)


def _build(cls: type, values: dict[str, Any]) -> Any:
    known = {f.name for f in dataclasses.fields(cls)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"{cls.__name__}.{unknown[0]}: unknown field; known: {sorted(known)}")
    parameters = inspect.signature(cls).parameters.values()
    missing = [p.name for p in parameters if p.default is p.empty and p.name not in values]
    if missing:
        raise ValueError(f"{cls.__name__}.{missing[0]}: missing")
    return cls(**values)
