"""Generation, one token at a time from the carried state: O(1) per token for recurrent models.

``model.generate`` and ``model.stream`` draw tokens,
:func:`~prism.model.generation.text.stream_text` draws text; every command and every model of this
project generates through :func:`advance`. A step is any function that reads tokens and carries a
state; :class:`~prism.model.generation.sampling.Sampling` decides which token follows.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from prism.model.generation.rows import Generation, Prompt
from prism.model.generation.sampling import (
    Processor,
    Sampling,
    check,
    is_count,
    row_seeds,
    uniforms,
)
from prism.model.norm import promote

if TYPE_CHECKING:
    from prism.model.protocol import LanguageModel

# Tokens [B, T], the carried state and, only where some tokens are padding, segment ids [B, T]; to
# logits [B, V] after the last token, the state, and a note.
Step = Callable[..., tuple[Tensor, Any, Any]]
Stop = int | Sequence[int | Sequence[int]]
BLOCK = 64  # draws whose random numbers are made at once


def model_step(model: nn.Module, **arguments: Any) -> Step:
    """One step of ``model(tokens, state=..., **arguments)``; its note is the whole output."""

    def step(
        tokens: Tensor, state: Any, segment_ids: Tensor | None = None
    ) -> tuple[Tensor, Any, Any]:
        padding = {} if segment_ids is None else {"segment_ids": segment_ids}
        output = model(tokens, state=state, **padding, **arguments)
        return output.logits[:, -1], output.state, output

    return step


@torch.no_grad()
def advance(
    step: Step,
    generation: Generation,
    max_new_tokens: int,
    sampling: Sampling,
    stop: Stop = (),
) -> Iterator[tuple[Generation, Any]]:
    """Continuations longer by one token each, with the note of the step that gave the token.

    The prompt is read once; every further token is one step. Ends early when every row has stopped.
    A row that has stopped reads padding, and changes no other row. Probabilities are at least fp32.

    Args:
        step: reads tokens; see :data:`Step`.
        generation: what is continued; it is not changed.
        max_new_tokens: how many tokens to add at most, >= 0.
        sampling: the choice of a token.
        stop: see :func:`generate`.

    Raises:
        ValueError: a value out of range, or logits from which nothing can be drawn.
    """
    check("max_new_tokens", max_new_tokens)
    singles, several = stops(stop)
    ends = torch.tensor(singles, device=generation.text.device)
    sequences = [torch.tensor(s, device=ends.device) for s in several]
    first, ending = generation.drawn, bool(singles or several)
    done = int(generation.finished.sum())
    for n in range(first, first + max_new_tokens):
        if done == len(generation.text):
            return
        block = (n - first) % BLOCK
        if sampling.draws and block == 0:
            count = min(BLOCK, first + max_new_tokens - n)
            numbers = uniforms(generation.seeds, n, count).to(generation.text.device)
        ids = generation.segment_ids(some_finished=done > 0)
        padding = () if ids is None else (ids,)
        logits, state, note = step(generation.unread, generation.state, *padding)
        logits = promote(logits)
        if sampling.reads_history:
            logits = generation.processed(sampling, logits)
        token = sampling.choose(logits, numbers[:, block] if sampling.draws else None)
        generation = generation.with_token(token, state, some_finished=done > 0)
        if ending:
            generation = generation.stopped(ends, sequences)
            done = int(generation.finished.sum())
        yield generation, note


def stream(
    self: LanguageModel,
    prompt: Prompt | Generation,
    max_new_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int | Sequence[int] | None = None,
    *,
    top_p: float | None = None,
    min_p: float | None = None,
    repetition_penalty: float = 1.0,
    processors: Sequence[Processor] = (),
    stop: Stop = (),
    state: Any = None,
    lengths: Tensor | Sequence[int] | None = None,
) -> Generator[Tensor, None, Generation]:
    """New tokens ``[B]`` as they come, -1 for a row that has stopped; see :func:`generate`.

    The model is in evaluation mode until the iterator ends or is closed. Its value, as of every
    generator, is what ``yield from`` gives: the :class:`Generation`.

    Raises:
        ValueError: a bad prompt, or a value out of range; before anything is read.
    """
    sampling = Sampling(temperature, top_k, top_p, min_p, repetition_penalty, processors)
    check("max_new_tokens", max_new_tokens)
    stops(stop, self.config.vocab_size)
    if not isinstance(prompt, Generation):
        device = next(self.parameters()).device
        start = Generation.start(prompt, lengths, state, device)
    elif state is not None or lengths is not None:
        raise ValueError("state, lengths: must be None, as this prompt is a Generation")
    else:
        start = prompt
    if seed is not None or start is not prompt:
        start = replace(start, seeds=row_seeds(seed, len(start.text)))
    return _running(self, start, max_new_tokens, sampling, stop)


def _running(
    model: LanguageModel,
    generation: Generation,
    max_new_tokens: int,
    sampling: Sampling,
    stop: Stop,
) -> Generator[Tensor, None, Generation]:
    """The iterator of :func:`stream`."""
    with _evaluation(model):
        steps = advance(model_step(model), generation, max_new_tokens, sampling, stop)
        for generation, _ in steps:
            yield generation.newest
    return generation


def generate(
    self: LanguageModel,
    prompt: Prompt | Generation,
    max_new_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int | Sequence[int] | None = None,
    *,
    details: bool = False,
    **more: Any,
) -> Tensor | Generation:
    """Continue ``prompt``.

    Args:
        prompt: ``[T]`` or ``[B, T]`` token ids, T >= 1; or a list of rows of any lengths; or a
            :class:`Generation`, which goes on exactly as if it had not been interrupted.
        max_new_tokens: how many tokens to add at most, >= 0.
        temperature: 0 = always the likeliest token; larger = flatter.
        top_k: sample among the k likeliest only; None = among all.
        seed: makes the draw repeatable. Row i draws as a row alone with ``seed + i`` would, or, if
            one is given per row, with its own. None = draws from torch's global generator.
        details: return a :class:`Generation` also for a prompt that is a tensor.
        **more: ``top_p``, ``min_p``, ``repetition_penalty`` and ``processors``, as in
            :class:`~prism.model.generation.sampling.Sampling`; ``stop``, token ids and sequences
            of them, each of which ends its row and is part of it; ``state``, that the prompt
            continues; ``lengths [B]``, the real tokens of each row of a tensor that is padded on
            the right.

    Returns:
        Prompt and continuation, ``[T + n]`` or ``[B, T + n]``, -1 behind the end of a row that
        stopped earlier than others. A :class:`Generation` with ``details``, or for a prompt
        that is a list, has ``lengths``, or is one.

    Raises:
        ValueError: an empty prompt, a value out of range, or logits that are NaN.
    """
    running = stream(self, prompt, max_new_tokens, temperature, top_k, seed, **more)
    try:
        while True:
            next(running)
    except StopIteration as end:
        generation: Generation = end.value
    if details or not isinstance(prompt, Tensor) or more.get("lengths") is not None:
        return generation
    new = generation.tokens if prompt.dim() == 2 else generation.tokens[0]
    return torch.cat([prompt.to(new), new], dim=-1)


@contextmanager
def _evaluation(model: LanguageModel) -> Iterator[None]:
    """Evaluation mode inside, the mode of before afterwards, also when a step raises."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def stops(stop: Stop, vocab_size: int | None = None) -> tuple[list[int], list[list[int]]]:
    """Single ids, and sequences of several, that end a row.

    Raises:
        ValueError: an empty sequence, or what is no id of a token of the vocabulary.
    """
    given = _listed(stop)
    rows = [_listed(x) for x in given]
    below = "" if vocab_size is None else f" and below {vocab_size}"
    for row in rows:
        if not row:
            raise ValueError(f"stop = {given}: a sequence must hold at least one token")
        for i in row:
            if not is_count(i):
                raise ValueError(f"stop = {given}: {i!r} must be a token id, an integer")
            if i < 0 or (vocab_size is not None and i >= vocab_size):
                raise ValueError(f"stop = {given}: token {i} must be >= 0{below}")
    rows = [[int(i) for i in row] for row in rows]
    return [row[0] for row in rows if len(row) == 1], [row for row in rows if len(row) > 1]


def _listed(x: Any) -> list[Any]:
    """One thing, or several, as a list; of a tensor or an array its numbers."""
    x = x.tolist() if hasattr(x, "tolist") else x
    return list(x) if isinstance(x, Sequence) and not isinstance(x, str) else [x]
