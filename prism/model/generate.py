"""Generation, one token at a time from the carried state: O(1) per token for recurrent models.

:func:`stream` draws tokens, :func:`stream_text` draws text; every command and every model of this
project generates through them. A step is any function that reads tokens and carries a state.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from prism.model.protocol import LanguageModel

# tokens [B, T] and the carried state to logits [B, V] after the last token, the state, and a note
Step = Callable[[Tensor, Any], tuple[Tensor, Any, Any]]


class Spelling(Protocol):
    """The part of a tokenizer that generation needs; ``end`` is the id that ends a text."""

    end: int | None

    def encode(self, text: str) -> list[int]: ...

    def piece(self, token: int) -> bytes: ...


def model_step(model: nn.Module, **arguments: Any) -> Step:
    """One step of ``model(tokens, state=..., **arguments)``; its note is the whole output."""

    def step(tokens: Tensor, state: Any) -> tuple[Tensor, Any, Any]:
        output = model(tokens, state=state, **arguments)
        return output.logits[:, -1], output.state, output

    return step


@torch.no_grad()
def stream(
    step: Step,
    prompt: Tensor,
    max_new_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int | None = None,
) -> Iterator[tuple[Tensor, Any]]:
    """New tokens ``[B]``, one after the other, each with the note of its step.

    The prompt is read once; every further token is one step. Probabilities are taken in fp32.

    Args:
        step: reads tokens; see :data:`Step`.
        prompt: ``[T]`` or ``[B, T]`` token ids, T >= 1.
        max_new_tokens: how many tokens to add, >= 0.
        temperature: 0 = always the likeliest token; larger = flatter.
        top_k: sample among the k likeliest only; None = among all.
        seed: makes the draw repeatable; None = draws from torch's global generator.

    Raises:
        ValueError: an empty prompt, or a value outside the ranges above.
    """
    if prompt.dim() not in (1, 2) or prompt.shape[-1] < 1:
        raise ValueError(f"prompt of shape {tuple(prompt.shape)}: must be [T] or [B, T], T >= 1")
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens = {max_new_tokens}: must be >= 0")
    if not temperature >= 0:
        raise ValueError(f"temperature = {temperature}: must be >= 0")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k = {top_k}: must be None or >= 1")
    draw = None
    if seed is not None:
        draw = torch.Generator(device=prompt.device).manual_seed(seed)
    tokens, state = prompt if prompt.dim() == 2 else prompt[None], None
    for _ in range(max_new_tokens):
        logits, state, note = step(tokens, state)
        tokens = _sample(logits.float(), temperature, top_k, draw)
        yield tokens[:, 0], note


def stream_text(
    step: Step,
    tokenizer: Spelling,
    prompt: str,
    max_new_tokens: int,
    temperature: float = 0.0,
    top_k: int | None = None,
    seed: int | None = 0,
) -> Iterator[tuple[str, int | None, Any]]:
    """Text, token and note of each new token of one sequence.

    A character of several tokens comes with its last one; a character that is cut off at the end
    comes as U+FFFD, with no token. Stops at the tokenizer's ``end``, which is not part of the text.

    Raises:
        ValueError: a prompt without a token, or a value out of range; see :func:`stream`.
    """
    tokens = tokenizer.encode(prompt)
    if not tokens:
        raise ValueError(f"prompt = {prompt!r}: must hold at least one token")
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    prefix = torch.tensor(tokens)
    for drawn, note in stream(step, prefix, max_new_tokens, temperature, top_k, seed):
        token = int(drawn)
        if token == tokenizer.end:
            break
        yield decoder.decode(tokenizer.piece(token)), token, note
    rest = decoder.decode(b"", final=True)
    if rest:
        yield rest, None, None


def generate(
    self: LanguageModel,
    prompt: Tensor,
    max_new_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int | None = None,
) -> Tensor:
    """Continue ``prompt``, ``[T]`` or ``[B, T]`` token ids; the arguments are :func:`stream`'s.

    Returns:
        Prompt and continuation, ``[T + max_new_tokens]`` or ``[B, T + max_new_tokens]``.

    Raises:
        ValueError: an empty prompt, or a value out of range.
    """
    with _evaluation(self):
        drawn = stream(model_step(self), prompt, max_new_tokens, temperature, top_k, seed)
        new = [tokens[:, None] for tokens, _ in drawn]
    return torch.cat([prompt, *(new if prompt.dim() == 2 else [x[0] for x in new])], dim=-1)


@contextmanager
def _evaluation(model: LanguageModel) -> Iterator[None]:
    """Evaluation mode inside, the mode of before afterwards, also when a step raises."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _sample(
    logits: Tensor, temperature: float, top_k: int | None, draw: torch.Generator | None
) -> Tensor:
    """One token per row: ``[B, V]`` logits to ``[B, 1]`` ids."""
    if temperature == 0:
        return logits.argmax(dim=-1, keepdim=True)
    if top_k is not None and top_k < logits.shape[-1]:
        worst = logits.topk(top_k, dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < worst, -torch.inf)
    return torch.multinomial((logits / temperature).softmax(dim=-1), 1, generator=draw)
