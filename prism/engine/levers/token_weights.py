"""``--token-selection`` and ``--token-recycling``: a cross-entropy with a weight for every target.

    loss = sum of -w log p / sum of w,   both over the global batch

The rules (:mod:`prism.engine.levers.token_rules`) compare all targets of the global batch, so the
losses of all row streams are gathered on every rank first; each computes the same weights from the
same numbers in the order of streams and takes its own rows. Which targets are chosen therefore does
not depend on how the rows are spread. That takes losses before the first backward pass: those of
the forward pass itself where a rank has one micro-batch, else of one more forward pass without
gradients.

Token selection compares with a reference, read once and never trained: any model that
``prism.load`` reads will do if it knows the same tokens, an earlier growth stage of the run too.
Every rank holds all of it, in the dtype in which the run computes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from prism.data import IGNORE, Tokenizer, open_tokenizer
from prism.engine.extension import Extension, Parts
from prism.engine.levers.token_rules import RecyclingWeights, excess_weights
from prism.engine.loop import stream_states
from prism.engine.loop.loss import Ahead, Logs, Loss, Rows, token_losses
from prism.engine.loop.stream_states import StreamStates
from prism.engine.loop.trainer import TrainSpec
from prism.engine.parallel.world import World
from prism.engine.settings import parse_share
from prism.engine.store import checkpoint
from prism.engine.store.export import load_trained, tokenizer_of
from prism.model.protocol import LanguageModel, PrismOutput
from prism.record import weights_hash

REFERENCE = "reference."  # before the names of its streams' states in a checkpoint


class Rule(Protocol):
    """Gives the targets of each step their weights."""

    def __call__(self, rows: Rows, loss: Tensor) -> tuple[Tensor, Tensor]:
        """Weights, and which targets are valid, both ``[n * ranks, T]`` of the global batch; once a
        step, on every rank.

        Args:
            rows: of this rank.
            loss: ``[n, T]`` nats, of the model, without gradient.
        """

    def tensors(self) -> dict[str, Tensor]:
        """Tensors for a checkpoint, by name."""

    def restore(self, start: Path) -> None:
        """Read it back."""


class WeightedCrossEntropy(Loss):
    """``-w log p(target)`` over the sum of w.

    Reports the unweighted loss, and as ``selected`` how many targets count, ``(sum w)^2 / (targets
    * sum w^2)``: the share that is trained on where weights are 0 or 1, below 1 also where they are
    merely unequal.

    Args:
        rule: gives the weights.
        streams: numbers of this rank's row streams.
    """

    def __init__(self, rule: Rule, streams: Sequence[int]) -> None:
        self.rule, self.streams = rule, list(streams)
        self.weights = torch.empty(0)  # [n, T] of this step
        self.share = 0.0
        self.known: tuple[PrismOutput, Tensor] | None = None

    def count(self, rows: Rows, step: int, ahead: Ahead) -> Tensor:
        each = []
        for part, output in ahead():
            each.append(token_losses(output.logits, part.targets))
            self.known = (output, each[-1])  # the pass that is trained on, if it is the only one
        weights, valid = self.rule(rows, torch.cat(each).detach())
        total, squares = weights.double().sum().item(), weights.double().square().sum().item()
        self.share = total**2 / (squares * max(int(valid.sum()), 1)) if squares > 0 else 0.0
        self.weights = weights[self.streams]
        return self.weights.double().sum()

    def __call__(
        self, rows: Rows, output: PrismOutput, head: Tensor, step: int
    ) -> tuple[Tensor, Logs]:
        known, self.known = self.known, None
        if known is not None and known[0] is output:
            each = known[1]
        else:
            each = token_losses(output.logits, rows.targets)
        weights = self.weights[rows.first : rows.first + len(each)]
        valid = (rows.targets != IGNORE).sum().double()
        logs = {"loss": each.detach().sum(dim=1), "selected": self.share * valid}
        return (each * weights).sum(dim=1), logs

    def tensors(self) -> dict[str, Tensor]:
        return self.rule.tensors()

    def restore(self, checkpoint: Path) -> None:
        self.rule.restore(checkpoint)


class Excess:
    """The targets that a reference finds easier by most.

    Args:
        reference: reads the same rows without gradients, carrying states of its own.
        share: of the targets to keep.
        states: of the reference, for the row streams of this rank.
        w: the ranks.
    """

    def __init__(
        self, reference: LanguageModel, share: float, states: StreamStates, w: World
    ) -> None:
        self.reference, self.share, self.states, self.w = reference, share, states, w

    def __call__(self, rows: Rows, loss: Tensor) -> tuple[Tensor, Tensor]:
        theirs = []
        with torch.no_grad():
            for i, part in enumerate(rows.split(self.states.micro)):
                state = self.states.states[i]
                output = self.reference(part.tokens, state=state, segment_ids=part.segments)
                self.states.keep(i, output.state)
                theirs.append(token_losses(output.logits, part.targets))
        streams = self.states.streams
        everywhere = [gathered(x, streams, self.w) for x in (loss, torch.cat(theirs))]
        valid = gathered(rows.targets, streams, self.w) != IGNORE
        return excess_weights(*everywhere, valid, self.share), valid

    def tensors(self) -> dict[str, Tensor]:
        if not self.states.started:
            return {}
        return {REFERENCE + name: x for name, x in self.states.tensors().items()}

    def restore(self, start: Path) -> None:
        if self.states.carry and checkpoint.read_run(start)["carries"]:
            device = self.w.device
            stream_states.restore(self.states, self.reference, device, start, REFERENCE)
            self.reference.eval()


class Recycling:
    """The targets that are hard for their kind.

    Args:
        vocab_size: V.
        streams: numbers of this rank's row streams.
        w: the ranks.
    """

    def __init__(self, vocab_size: int, streams: Sequence[int], w: World) -> None:
        self.rule, self.streams, self.w = RecyclingWeights(vocab_size), streams, w

    def __call__(self, rows: Rows, loss: Tensor) -> tuple[Tensor, Tensor]:
        losses = gathered(loss, self.streams, self.w).cpu()
        targets = gathered(rows.targets, self.streams, self.w).cpu()
        valid = targets != IGNORE
        weights = self.rule.weights(losses, targets, valid)
        self.rule.update(losses, targets, valid)
        return weights.to(loss.device), valid

    def tensors(self) -> dict[str, Tensor]:
        return {"recycling.sums": self.rule.sums}

    def restore(self, start: Path) -> None:
        checkpoint.load_tensors(start, self.tensors())


def gathered(rows: Tensor, streams: Sequence[int], w: World) -> Tensor:
    """The rows of all streams of the global batch, in their order, on every rank.

    Args:
        rows: ``[n, T]``, of the streams of this rank.
        streams: their n numbers.

    Returns:
        ``[n * ranks, T]``.
    """
    everywhere = rows.new_zeros(len(streams) * w.size, rows.shape[1])
    everywhere[list(streams)] = rows
    return w.sum(everywhere)


def weighted_loss(spec: TrainSpec, w: World, reference: LanguageModel | None) -> Loss | None:
    """The loss of ``--token-selection`` or ``--token-recycling``; None without.

    Args:
        reference: of ``--token-selection``, on its device; carries states of its own where those of
            the run are carried, if they have a fixed size.
    """
    s = spec.s
    mine = w.rows(s.global_batch_size)
    if s.token_recycling:
        return WeightedCrossEntropy(Recycling(spec.config.vocab_size, mine, w), mine)
    if s.token_selection is None or reference is None:
        return None
    fixed = reference.state_bytes(2) == reference.state_bytes(1)
    states = StreamStates.of(s, w, spec.carry and fixed)
    return WeightedCrossEntropy(Excess(reference, parse_share(s.token_selection), states, w), mine)


def _build(_: None, spec: TrainSpec, w: World) -> Parts:
    s = spec.s
    if s.reference is None:
        return Parts(loss=weighted_loss(spec, w, None))
    reference = open_reference(s.reference, open_tokenizer(s.tokenizer), s.dtype, w.device)
    digest = hashlib.blake2b(digest_size=16)
    return Parts(
        loss=weighted_loss(spec, w, reference),
        identity={"reference": weights_hash(reference.state_dict(), digest)},
        remarks=(f"reference: {s.reference}, {reference.num_parameters():,} parameters",),
    )


TOKEN_WEIGHTS = Extension("token weights", build=_build)


def open_reference(
    path: str, tokenizer: Tokenizer, dtype: str, device: torch.device
) -> LanguageModel:
    """The model at ``path``, frozen and in evaluation mode.

    Args:
        tokenizer: of the run.
        dtype: fp32, bf16 or fp64, of the matrix products.

    Raises:
        ValueError: there is none, or it reads other tokens.
    """
    try:
        model = load_trained(path).to(device)
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"--reference {path}: {error}") from error
    if model.config.vocab_size != tokenizer.vocab_size:
        raise ValueError(
            f"--reference {path}: vocab_size = {model.config.vocab_size}: must be that of the "
            f"run's tokenizer, {tokenizer.vocab_size}"
        )
    _, theirs = tokenizer_of(Path(path))
    if theirs not in (None, tokenizer.fingerprint()):
        raise ValueError(
            f"--reference {path}: its tokenizer is {theirs}: must be {tokenizer.fingerprint()}"
        )
    if dtype == "fp64":
        model.double()
    if dtype == "bf16":
        for parameter in model.parameters():  # buffers hold rates, which stay exact
            parameter.data = parameter.data.bfloat16()
    return model.requires_grad_(False).eval()
