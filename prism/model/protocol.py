"""Protocol of every language model here: one call, one output, explicit state.

``model(tokens, state=None, segment_ids=None)`` gives a :class:`PrismOutput`. The trainer, the
benchmarks and the tests see only this, so PRISM and its baselines are measured by the same code.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from prism.config import PrismConfig
from prism.model.generate import generate, stream
from prism.model.holo_read import FactQueries


@dataclass
class LayerRouting:
    """Decisions of one block, per token. E expert kinds, K rates, U symbolic units.

    Attributes:
        kinds: the E kinds of this block, in the order of the last axis below.
        probability: ``[B, T, E]`` router probabilities.
        chosen: ``[B, T, E]`` True where the kind ran.
        bus_gates: ``[B, T, K]`` gate of each rate, in (0, 2).
        primitive: ``[B, T, U]`` index into the library of the primitive each unit picked;
            None without a symbolic expert.
        write_gates: ``[B, T, H]`` write gate beta of each tape head, content heads first, in
            (0, 2); None without a memory expert.
        tape_load: ``[B, T]`` root mean square of what the heads read at each token; None without
            a memory expert.
    """

    kinds: tuple[str, ...]
    probability: Tensor
    chosen: Tensor
    bus_gates: Tensor
    primitive: Tensor | None = None
    write_gates: Tensor | None = None
    tape_load: Tensor | None = None


@dataclass
class PrismOutput:
    """Result of a forward pass.

    Attributes:
        logits: ``[B, T, V]``; position t predicts token t + 1.
        state: everything needed to continue the sequences exactly.
        aux_loss: scalar to add to the training loss: the router's z-loss or the output-norm penalty
            of the experts; 0 for baselines.
        routing: one :class:`LayerRouting` per block when asked for with ``routing=True``.
        loads: ``[L, E]`` share of real tokens that ran each kind of ``expert_kinds`` in each
            block, for the balance controller; None for baselines.
        holo: when and for which fact a tape was asked, with ``holo_mode``.
        penalty: ``[B, T]``, penalty of every token, padding too; its mean over real tokens is
            ``aux_loss``. None for baselines.
        hidden: ``[B, T, D]``, input of the head: ``logits = hidden head^T`` before facts.
    """

    logits: Tensor
    state: Any
    aux_loss: Tensor
    routing: list[LayerRouting] | None = field(default=None, repr=False)
    loads: Tensor | None = field(default=None, repr=False)
    holo: FactQueries | None = field(default=None, repr=False)
    penalty: Tensor | None = field(default=None, repr=False)
    hidden: Tensor | None = field(default=None, repr=False)


class LanguageModel(nn.Module):
    """Base of PRISM and its baselines."""

    config: PrismConfig

    @abstractmethod
    def forward(
        self, tokens: Tensor, state: Any = None, segment_ids: Tensor | None = None
    ) -> PrismOutput:
        """Read ``tokens [B, T]``, continuing ``state``.

        Args:
            tokens: ``[B, T]`` int64 ids.
            state: ``output.state`` of the call before, or None at the start.
            segment_ids: ``[B, T]`` document of each token; negative = padding. None = one
                document per row, continuing the carried one.
        """

    def num_parameters(self, trainable_only: bool = False) -> int:
        """Number of parameter elements, shared ones counted once.

        Args:
            trainable_only: leave out those of frozen parameters.
        """
        return sum(p.numel() for p in self.parameters() if p.requires_grad or not trainable_only)

    def set_exploration(self, epsilon: float) -> None:
        """Weight in [0, 1] that kinds which lost a token still get; nothing to do without a
        router."""

    def after_step(self, loads: Tensor | None) -> None:
        """To be called once after each optimizer step with the (summed or averaged)
        ``output.loads`` of that step; nothing to do without a router."""

    def state_bytes(self, context: int = 1) -> int:
        """Bytes that one sequence's state takes after ``context`` tokens."""
        device = next(self.parameters()).device
        training = self.training
        self.eval()
        with torch.no_grad():
            state = self(torch.zeros(1, context, dtype=torch.long, device=device)).state
        self.train(training)
        sizes: list[int] = []
        map_state(state, lambda x: sizes.append(x.numel() * x.element_size()) or x)
        return sum(sizes)

    generate = generate
    stream = stream


def map_state(state: Any, fn: Callable[[Tensor], Tensor]) -> Any:
    """Apply ``fn`` to every tensor of a state (dataclasses, tuples, lists, dicts, None)."""
    if isinstance(state, Tensor):
        return fn(state)
    if dataclasses.is_dataclass(state) and not isinstance(state, type):
        values = {f.name: map_state(getattr(state, f.name), fn) for f in dataclasses.fields(state)}
        return type(state)(**values)
    if isinstance(state, list | tuple):
        return type(state)(map_state(x, fn) for x in state)
    if isinstance(state, dict):
        return {k: map_state(v, fn) for k, v in state.items()}
    return state


def detach_state(state: Any) -> Any:
    """The same state, cut from the graph that made it."""
    return map_state(state, Tensor.detach)
