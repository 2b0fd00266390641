"""A frozen language model and the facts bound to it.

    lm = attach(model, tokenizer)
    lm.calibrate(text)
    lm.bind("Freedonia", "capital", "Fredville")
    lm.generate("The capital of Freedonia is")

The model is only read. At a step where a fact speaks, its token t gets the share g of the
probability, ``p = (1 - g) p_model + g [t]``, with 1 - g the chance that noise alone would have been
read that clearly; at every other step the logits are the model's own, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from prism.data.tokens import Tokenizer
from prism.holo.capacity import theory
from prism.inject import calibration_file, prompts
from prism.inject.addresses import AddressRegister
from prism.inject.knowledge import Fact, Knowledge
from prism.inject.listener import Firing, Listener
from prism.inject.reading import read
from prism.model.generate import stream_text
from prism.model.holo_read import mix_facts


@dataclass
class AttachedState:
    """The model's own state, and what the tape has heard of the same sequence."""

    model: Any
    listener: Listener


class AttachedLM:
    """See :func:`attach`."""

    def __init__(self, model: nn.Module, tokenizer: Tokenizer, register: AddressRegister) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.knowledge = Knowledge(tokenizer, register)
        self._told: list[Firing] = []

    def calibrate(self, text: str, cache: str | Path | None = None) -> None:
        """Find layer, heads, space and thresholds for this model, without a gradient.

        Args:
            text: unrelated text, a few thousand words.
            cache: folder to keep the result in; a later call for the same model, text and probes
                reads it back.
        """
        self.knowledge.calibration = calibration_file.calibrated(
            self.model, self.tokenizer, text, cache
        )

    def bind(self, *what: str, source: str | None = None, ending: str = ".") -> None:
        """Bind a fact: ``bind(subject, relation, object)`` or ``bind(prompt, object)``.

        Args:
            what: three strings, or a sentence that stops where the object follows, and the object.
            source: where the fact comes from; :meth:`explain` tells it.
            ending: what follows the object in a sentence.

        Raises:
            ValueError: another number of strings, an empty one, or a sentence whose subject cannot
                be told.
        """
        if len(what) not in (2, 3):
            raise ValueError(
                f"bind{what!r}: must be (subject, relation, object) or (prompt, object)"
            )
        for text in what:
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"bind{what!r}: {text!r} must be a text that is not empty")
        if len(what) == 2:
            subject, relation = self._locate(what[0])
            if relation not in self.knowledge.relations:
                self.knowledge.describe(relation, [prompts.wording_of(what[0], subject)])
        else:
            subject, relation = what[0], what[1]
        tokens = self.tokenizer.encode(f" {what[-1].strip()}{ending}")
        self.knowledge.bind(subject, relation, Fact(what[-1].strip(), tokens, source))

    def relation(self, name: str, wordings: Sequence[str]) -> None:
        """Say in which words a relation is spoken of, ``{}`` for the subject, as in
        ``relation("capital", ["The capital of {} is"])``. Two or three wordings are best."""
        self.knowledge.describe(name, wordings)

    def alias(self, name: str, subject: str) -> None:
        """Let ``name`` mean ``subject`` as well."""
        self.knowledge.names.add(name, subject)

    def unbind(self, about: str, relation: str | None = None) -> None:
        """Forget a fact, exactly.

        Args:
            about: its subject, or without ``relation`` a sentence that asks for it.
            relation: its relation.

        Raises:
            KeyError: no such fact is bound.
        """
        subject, relation = self._locate(about) if relation is None else (about, relation)
        self.knowledge.forget(subject, relation)

    def step(
        self, tokens: Tensor, state: AttachedState | None = None
    ) -> tuple[Tensor, AttachedState, list[Firing | None]]:
        """Read ``tokens [T]`` of one sequence, continuing ``state``.

        Returns:
            Logits ``[T, V]``, the state after, and what the tape said after each token.

        Raises:
            RuntimeError: the model is not calibrated.
        """
        found = self.knowledge.calibration
        if found is None:
            raise RuntimeError("not calibrated: call calibrate(text) before reading")
        if state is None:
            self.knowledge.prepare(self.model)
            state = AttachedState(None, Listener(self.knowledge))
        out = read(self.model, tokens[None], state.model, found.layers, found.heads)
        weights = None
        if found.heads:
            weights = torch.stack([out.attention[h][0] for h in found.heads]).mean(dim=0)
        hidden = torch.stack([out.hidden[layer][0] for layer in found.layers], dim=1)
        said = state.listener.hear(tokens.tolist(), hidden, weights)
        return mixed(out.logits[0], said), AttachedState(out.state, state.listener), said

    def stream(
        self,
        prompt: str,
        max_new_tokens: int = 32,
        temperature: float = 0.0,
        seed: int = 0,
        top_k: int | None = None,
    ) -> Iterator[tuple[str, Firing | None]]:
        """Continue ``prompt``: each new token's text, and what the tape said if it put it there; a
        character of several tokens comes with its last one.

        The prompt is read once; every further token is one step. Stops at the tokenizer's end of
        text, if it has one.

        Raises:
            ValueError: an empty prompt, or a number out of range.
        """
        self._told = []
        for text, token, firing in stream_text(
            self._last_step, self.tokenizer, prompt, max_new_tokens, temperature, top_k, seed
        ):
            spoken = firing if firing is not None and firing.token == token else None
            if spoken is not None:
                self._told.append(spoken)
            yield text, spoken

    def generate(
        self,
        prompt: str,
        max_new_tokens: int = 32,
        temperature: float = 0.0,
        seed: int = 0,
        top_k: int | None = None,
    ) -> str:
        """The continuation of ``prompt``; see :meth:`stream`."""
        pieces = self.stream(prompt, max_new_tokens, temperature, seed, top_k)
        return "".join(text for text, _ in pieces)

    def explain(self) -> list[Firing]:
        """Which fact put which token into the last generated text."""
        return list(self._told)

    def _last_step(
        self, tokens: Tensor, state: AttachedState | None
    ) -> tuple[Tensor, AttachedState, Firing | None]:
        logits, state, said = self.step(tokens[0], state)
        return logits[-1:], state, said[-1]

    def _locate(self, prompt: str) -> tuple[str, str]:
        subject = prompts.subject_of(prompt, self.knowledge.names)
        return subject, prompts.relation_of(prompt, subject, self.knowledge.relations)


def attach(
    model: nn.Module, tokenizer: Tokenizer, tape: AddressRegister | None = None
) -> AttachedLM:
    """Put a tape on a causal language model.

    Args:
        model: the model; none of its parameters is ever changed.
        tokenizer: its tokenizer.
        tape: the register to hold the answers; None = a new one for a few hundred facts.
    """
    return AttachedLM(model, tokenizer, AddressRegister() if tape is None else tape)


def mixed(logits: Tensor, said: Sequence[Firing | None]) -> Tensor:
    """``logits [T, V]`` with the facts mixed in where one speaks; the same tensor if none does."""
    rows = [i for i, firing in enumerate(said) if firing is not None]
    if not rows:
        return logits
    z = torch.tensor([said[i].z for i in rows], dtype=torch.float64)
    tokens = torch.tensor([said[i].token for i in rows], device=logits.device)
    doubt = theory.tail(z, logits.shape[-1]).to(logits.device)
    where = torch.tensor(rows, device=logits.device)
    return logits.index_copy(0, where, mix_facts(logits[where], tokens, doubt))
