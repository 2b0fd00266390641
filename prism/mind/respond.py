"""Response: a frozen language model that may say the resolved answer and no other fact.

    register  one answer in token ids, at hash(question) moved to place j; empty where nothing is
              recalled
    step j    p = (1 - g) p_model + g [token_j]      1 - g = P(noise alone reads as clearly)
    else      the model's own logits, the same tensor

The loop has decided what is said, so nothing is calibrated and no trigger is watched: the answer
opens the reply, and the model ends the sentence. The question stands in the prompt, the answer
does not. No parameter is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from prism.holo.algebra.codes import hash_keys, position_hashes
from prism.holo.capacity import theory
from prism.inject import AnswerAccumulator
from prism.inject.addresses import FALSE_READ
from prism.model.generation.sampling import Sampling
from prism.model.generation.text import stream_text
from prism.model.holo_read import mix_facts

CHAT = "<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
PLAIN = "Question: {question}\nAnswer:"
ENDS = (".", "!", "?", "\n", "<|im_end|>")  # of the sentence that the answer opens
REST = 12  # tokens that the model may add to an answer
FREE = 48  # tokens of a reply in which nothing is recalled


@dataclass(frozen=True)
class Spoken:
    """A piece of a reply; ``fact``: it came from the register."""

    text: str
    fact: bool


class Speaker:
    """A model with a working register.

    Args:
        model: a causal language model; ``model(tokens, state=...)`` has ``.logits`` and ``.state``.
        tokenizer: its tokenizer.
        template: of the prompt, with ``{question}``; None = the chat template where the tokenizer
            has its marks, else plain.
    """

    def __init__(self, model: nn.Module, tokenizer: Any, template: str | None = None) -> None:
        self.model, self.tokenizer = model, tokenizer
        chat = len(tokenizer.encode("<|im_end|>")) == 1
        self.template = (CHAT if chat else PLAIN) if template is None else template
        self.register = AnswerAccumulator(vocab_size=model.config.vocab_size)
        self._lead = "" if chat else " "

    def say(
        self, question: str, answer: str | None, max_new_tokens: int | None = None
    ) -> Iterator[Spoken]:
        """The reply, piece by piece.

        Args:
            question: what was asked.
            answer: what was resolved; None = the model alone.
            max_new_tokens: of the model's own words; None = 12 after an answer, 48 without one.
        """
        prompt = self.template.replace("{question}", question)
        if answer is None:
            yield from self._spoken(
                prompt, None, 0, FREE if max_new_tokens is None else max_new_tokens
            )
            return
        root = hash_keys([prompt])[0]
        tokens = self.tokenizer.encode(self._lead + answer)
        self.register.bind(root, tokens)
        try:
            rest = REST if max_new_tokens is None else max_new_tokens
            yield from self._spoken(prompt, root, len(tokens), len(tokens) + rest)
        finally:
            self.register.forget(root)

    def step(
        self, tokens: Tensor, state: Any, root: np.uint64 | None, place: int
    ) -> tuple[Tensor, Any, bool]:
        """Read ``tokens [1, T]``; the last logits ``[1, V]``, the state after, and whether the
        register at ``root`` speaks at ``place``."""
        with torch.no_grad():
            out = self.model(tokens, state=state)
        logits = out.logits[:, -1]
        if root is None:
            return logits, out.state, False
        read = self.register.read(position_hashes(np.array([root]), np.array([place])))
        if float(read.z[0]) < self.register.threshold(FALSE_READ):
            return logits, out.state, False
        doubt = theory.tail(read.z.double(), logits.shape[-1]).to(logits.device)
        return mix_facts(logits, read.tokens.to(logits.device), doubt), out.state, True

    def _spoken(
        self, prompt: str, root: np.uint64 | None, length: int, most: int
    ) -> Iterator[Spoken]:
        """Pieces of a reply whose first ``length`` tokens the register gives."""
        place = -1

        def step(tokens: Tensor, state: Any) -> tuple[Tensor, Any, bool]:
            nonlocal place
            place += 1
            return self.step(tokens, state, root if place < length else None, place)

        said = 0
        for text, _, fact in stream_text(step, self.tokenizer, prompt, most, Sampling(0.0)):
            said += bool(fact)
            ended = not fact and next((e for e in ENDS if e in text), None)
            if ended and (length or ended == "<|im_end|>"):
                kept = text[: text.index(ended)] + (ended if ended in ".!?" else "")
                if kept:
                    yield Spoken(kept, False)
                return
            yield Spoken(text, bool(fact))
