"""Protocol of every language model here: one call, one output, explicit state.

``model(tokens, state=None, segment_ids=None)`` gives a :class:`PrismOutput`. The trainer, the
benchmarks and the tests see only this, so PRISM and its baselines are measured by the same code.
:meth:`LanguageModel.begin` is the one place where the arguments of a call are checked.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from prism.config import PrismConfig
from prism.model import checkpoint as disk
from prism.model.generation.decode import generate, stream
from prism.model.holo_read import FactQueries
from prism.model.state import State, check_state, owned
from prism.model.state import detach_state as detach_state  # so imported by many
from prism.model.state import map_state as map_state
from prism.ops.documents import Rows, padding_last


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
        logits: ``[B, T, V]``; position t predicts token t + 1. 0 at padding.
        state: everything needed to continue the sequences exactly.
        aux_loss: scalar to add to the training loss: the router's z-loss or the output-norm penalty
            of the experts; 0 for baselines.
        routing: one :class:`LayerRouting` per block when asked for with ``routing=True``.
        loads: ``[L, E]`` share of real tokens that ran each kind of ``expert_kinds`` in each
            block, for the balance controller; None for baselines.
        holo: when and for which fact a tape was asked, with ``holo_mode``.
        penalty: ``[B, T]``, penalty of every token, padding too; its mean over real tokens is
            ``aux_loss``. None for baselines.
        hidden: ``[B, T, D]``, input of the head: ``logits = hidden head^T`` before the symbolic
            expert's answer and facts.
        own: ``[B, T, V]``, logits of each symbolic machine alone while training; the sum of their
            cross-entropies is to be added to the loss. None where none answers.
    """

    logits: Tensor
    state: Any
    aux_loss: Tensor
    routing: list[LayerRouting] | None = field(default=None, repr=False)
    loads: Tensor | None = field(default=None, repr=False)
    holo: FactQueries | None = field(default=None, repr=False)
    penalty: Tensor | None = field(default=None, repr=False)
    hidden: Tensor | None = field(default=None, repr=False)
    own: tuple[Tensor, ...] | None = field(default=None, repr=False)


class LanguageModel(nn.Module):
    """Base of PRISM and its baselines: an ``embedding``, ``blocks``, and a ``head``.

    Attributes:
        config: what the model is built from.
        kind: its name in a file, ``"prism"`` or that of a baseline.
        recompute: keep only the inputs of the blocks for the backward pass and compute the rest
            again (arXiv 1604.06174): about a third more time, much less memory, equal gradients.
        like: state of the model with a :class:`prism.model.state.Leaf` for each tensor.
    """

    config: PrismConfig
    kind: str
    embedding: nn.Embedding
    head: nn.Linear
    recompute: bool = False
    like: State
    hidden: int  # of a baseline, the width of its MLP

    def __init__(self) -> None:
        super().__init__()
        # a hook, as the model may be a part of the one that loads
        self.register_load_state_dict_post_hook(_tie_again)

    @abstractmethod
    def remade(self) -> LanguageModel:
        """A model of the same config, as it is at first."""

    @abstractmethod
    def forward(
        self,
        tokens: Tensor,
        state: Any = None,
        segment_ids: Tensor | None = None,
        routing: bool = False,
    ) -> PrismOutput:
        """Read ``tokens [B, T]``, continuing ``state``.

        Args:
            tokens: ``[B, T]`` int64 or int32 ids, B and T >= 1.
            state: ``output.state`` of the call before, or None at the start.
            segment_ids: ``[B, T]`` document of each token, signed integers; negative = padding,
                which leaves a row's state as it was. None = one document per row, continuing the
                carried one. Of a mask (1 = real): ``mask.long() - 1``.
            routing: also return what every block decided per token; None without a router.

        Raises:
            ValueError: an argument of another shape, type or device, or a state of another model;
                names the argument, its value and what is allowed.
        """

    def begin(self, tokens: Tensor, state: Any, segment_ids: Tensor | None) -> Rows:
        """Check the arguments of a call and put the padding of each row last.

        Only shapes, types and devices are looked at: nothing waits for a GPU.

        Raises:
            ValueError: see :meth:`forward`.
        """
        weight = self.embedding.weight
        _check_ids("tokens", tokens, (torch.int64, torch.int32), "int64 or int32 ids")
        if tokens.dim() != 2 or 0 in tokens.shape:
            shape = list(tokens.shape)
            raise ValueError(f"tokens of shape {shape}: must be [B, T] with B >= 1 and T >= 1")
        if tokens.device != weight.device:
            raise ValueError(f"tokens on {tokens.device}: must be on {weight.device}, the model's")
        if segment_ids is not None:
            signed = (torch.int64, torch.int32, torch.int16, torch.int8)
            allowed = "signed integers, negative = padding; of a mask, mask.long() - 1"
            _check_ids("segment_ids", segment_ids, signed, allowed)
            if segment_ids.shape != tokens.shape:
                found, wanted = list(segment_ids.shape), list(tokens.shape)
                raise ValueError(f"segment_ids of shape {found}: must be {wanted}, as tokens are")
            if segment_ids.device != tokens.device:
                raise ValueError(
                    f"segment_ids on {segment_ids.device}: must be on {tokens.device}, as tokens"
                )
            segment_ids = segment_ids.long()
        if state is not None:
            check_state(state, self.like, tokens.shape[0], weight.dtype, tokens.device)
        return padding_last(tokens.long(), segment_ids, None if state is None else state.segment)

    def embed(self, tokens: Tensor) -> Tensor:
        """Embeddings ``[B, T, D]``.

        Raises:
            ValueError: an id outside the vocabulary. A GPU reports it in its own way, later.
        """
        if torch.compiler.is_compiling():
            return self.embedding(tokens)
        try:
            return self.embedding(tokens)
        except IndexError as error:
            low, high = (int(x) for x in tokens.aminmax())
            last = self.embedding.num_embeddings - 1
            raise ValueError(f"tokens: ids {low} to {high}: must be in 0..{last}") from error

    def trained_apart(self) -> list[list[nn.Parameter]]:
        """The parameters in parts that share no loss. The gradient of each is clipped by itself:
        otherwise noise of one part would slow the others down."""
        return [list(self.parameters())]

    def run_block(self, block: nn.Module, *args: Any) -> Any:
        """``block(*args)``; what it computes inside is not kept with :attr:`recompute`."""
        if not (self.recompute and torch.is_grad_enabled()):
            return block(*args)
        drops = self.training and self.config.dropout > 0
        return checkpoint(block, *args, use_reentrant=False, preserve_rng_state=drops)

    def num_parameters(self, trainable_only: bool = False) -> int:
        """Number of parameter elements, shared ones counted once, frozen ones too.

        Args:
            trainable_only: leave out those of frozen parameters.
        """
        return sum(p.numel() for p in self.parameters() if p.requires_grad or not trainable_only)

    def set_exploration(self, epsilon: float) -> None:
        """Weight in [0, 1] that kinds which lost a token still get while training; evaluation
        mode never explores. Nothing to do without a router.

        Raises:
            ValueError: no number in [0, 1].
        """
        try:
            fits = 0 <= epsilon <= 1
        except (TypeError, RuntimeError):  # of no order with numbers
            fits = False
        if not fits:
            raise ValueError(f"epsilon = {epsilon!r}: must be in [0, 1]")

    def after_step(self, loads: Tensor | None) -> None:
        """To be called once after each optimizer step with the ``output.loads`` of that step,
        summed or averaged over its batches; nothing to do without a router."""

    def state_bytes(self, context: int = 1) -> int:
        """Bytes that one sequence's state takes after ``context`` tokens.

        Raises:
            ValueError: ``context`` below 1.
        """
        if context < 1:
            raise ValueError(f"context = {context}: must be >= 1")
        training = self.training
        self.eval()
        with torch.no_grad():
            device = next(self.parameters()).device
            tokens = torch.zeros(1, context, dtype=torch.long, device=device)
            state = self(tokens).state
        self.train(training)
        return state.nbytes

    generate = generate
    stream = stream
    save = disk.save

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Any:
        """Every move and change of type goes through here; those that make new parameters, as
        ``to_empty`` does, would part the head from the embedding."""
        super()._apply(fn, recurse)
        self._tie()
        return self

    def _tie(self) -> None:
        if self.config.tie_embeddings and self.head.weight is not self.embedding.weight:
            self.head.weight = self.embedding.weight


def _tie_again(model: LanguageModel, _: Any) -> None:
    """Undo what loading with ``assign=True`` does to a tied head."""
    model._tie()


def _check_ids(name: str, x: Any, dtypes: tuple[torch.dtype, ...], allowed: str) -> None:
    if not isinstance(x, Tensor):
        raise ValueError(f"{name} = {type(x).__name__}: must be a tensor of {allowed}")
    if x.dtype not in dtypes:
        raise ValueError(f"{name} of {x.dtype}: must be {allowed}")


def own_state(state: Any) -> Any:
    """The state with no tensor that is a view of a larger one."""
    return map_state(state, owned)
