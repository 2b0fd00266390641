"""Text from tokens as they are drawn: whole characters, cut off where a stop text begins."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch

from prism.model.generation.decode import Step, advance
from prism.model.generation.rows import Generation
from prism.model.generation.sampling import Sampling, row_seeds

GREEDY = Sampling(temperature=0)
Piece = tuple[str, int | None, Any]


class Spelling(Protocol):
    """The part of a tokenizer that generation needs; ``end`` is the id that ends a text."""

    end: int | None

    def encode(self, text: str) -> list[int]: ...

    def piece(self, token: int) -> bytes: ...


def stream_text(
    step: Step,
    tokenizer: Spelling,
    prompt: str,
    max_new_tokens: int,
    sampling: Sampling = GREEDY,
    seed: int | None = 0,
    stop: Sequence[str] = (),
) -> Iterator[Piece]:
    """Text, token and note of each new token of one sequence.

    A character of several tokens comes with its last one; a character that is cut off at the end
    comes as U+FFFD, with no token. Ends at the tokenizer's ``end`` and at the first of the texts
    ``stop``, which are not part of the text; text that may be the beginning of one waits until it
    is known.

    Raises:
        ValueError: a prompt without a token, an empty stop text, or a value out of range.
    """
    if "" in stop:
        raise ValueError("stop = '': must not be empty")
    tokens = tokenizer.encode(prompt)
    if not tokens:
        raise ValueError(f"prompt = {prompt!r}: must hold at least one token")
    start = replace(Generation.start(torch.tensor(tokens)), seeds=row_seeds(seed, 1))
    steps = advance(step, start, max_new_tokens, sampling)
    return until(_pieces(steps, tokenizer), stop)


def _pieces(steps: Iterator[tuple[Generation, Any]], tokenizer: Spelling) -> Iterator[Piece]:
    """Text of each token, up to the tokenizer's ``end``."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for generation, note in steps:
        token = int(generation.newest[0])
        if token == tokenizer.end:
            break
        yield decoder.decode(tokenizer.piece(token)), token, note
    rest = decoder.decode(b"", final=True)
    if rest:
        yield rest, None, None


def until(pieces: Iterator[Piece], stop: Sequence[str]) -> Iterator[Piece]:
    """``pieces`` up to where the first of the texts ``stop`` begins; the piece that it begins in is
    cut. A piece waits as long as a stop text may have begun in it."""
    waiting: list[Piece] = []
    for piece in pieces:
        waiting.append(piece)
        text = "".join(p[0] for p in waiting)
        found = [at for at in (text.find(s) for s in stop) if at >= 0]
        if found:
            yield from _cut(waiting, min(found))
            return
        open_from = min((_may_begin(text, s) for s in stop), default=len(text))
        while waiting and len(waiting[0][0]) <= open_from:
            open_from -= len(waiting[0][0])
            yield waiting.pop(0)
    yield from waiting


def _may_begin(text: str, stop: str) -> int:
    """First place from which ``text`` is the beginning of ``stop`` to its end; its length if there
    is none."""
    first = max(0, len(text) - len(stop) + 1)
    return next((i for i in range(first, len(text)) if stop.startswith(text[i:])), len(text))


def _cut(pieces: list[Piece], length: int) -> Iterator[Piece]:
    """``pieces`` up to ``length`` characters."""
    for text, token, note in pieces:
        if length <= 0:
            return
        yield text[:length], token, note
        length -= len(text)
