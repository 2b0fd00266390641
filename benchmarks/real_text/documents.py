"""Scores of every held-out document: of a model with its state carried or not, and of a trigram.

A document of N tokens is read in pieces of T. *Carried*: each piece goes on from the state that the
one before has left, as when a model decodes; a Transformer then has all of the document in its
cache. *Alone*: each piece starts anew. Scores are summed nats over the targets of a document, so

    bits/byte of a set of documents = sum of nats / (ln 2 * sum of bytes)

and sets can be drawn again (:mod:`benchmarks.real_text.bootstrap`). The trigram is Witten-Bell
(:mod:`prism.compare.ngram`), counted on the tokens that a run has trained on, and reads a document
from its first token to its last.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from prism.compare.ngram import WittenBell
from prism.data import IGNORE, Mix, RowStreams, Tokenizer, count_bytes, held_out_documents
from prism.engine.loop.loss import token_losses
from prism.model.protocol import LanguageModel

PADDING = -1  # segment id
ROOM = 2**16  # tokens that the documents in which validation ends may still have


@dataclass(frozen=True)
class HeldOutText:
    """One held-out document.

    Attributes:
        source: its name.
        tokens: ``[n]`` ids.
        targets: ``[n]`` next ids, -100 where none is scored.
        bytes: what the targets stand for.
    """

    source: str
    tokens: Tensor
    targets: Tensor
    bytes: int


def documents(mix: Mix, tokenizer: Tokenizer, skip: int, tokens: int) -> list[HeldOutText]:
    """The held-out documents of ``mix`` after those in the first ``skip`` tokens, about ``tokens``
    in all, those with something to score.

    Validation during training reads the first ``skip`` tokens, and recipes and arms are chosen by
    it; what is reported is measured on documents that no choice has seen.

    Raises:
        ValueError: there are none left.
    """
    seen = Counter(source for source, _, _ in held_out_documents(mix, tokenizer, skip))
    found = []
    for source, ids, targets in held_out_documents(mix, tokenizer, skip + ROOM + tokens):
        if seen[source] > 0:
            seen[source] -= 1
            continue
        size = int(count_bytes(targets[None], tokenizer.byte_lengths))
        if size > 0:
            found.append(HeldOutText(source, ids, targets, size))
    if not found:
        raise ValueError(
            f"--data: no held-out document is left after the {skip:,} tokens of validation; must "
            "hold out more, held_out in a mix:FILE.json"
        )
    return found


@torch.no_grad()
def score(
    model: LanguageModel, texts: Sequence[HeldOutText], length: int, rows: int, carry: bool
) -> list[float]:
    """Nats of every document.

    Args:
        model: on any device; it is put into evaluation mode.
        length: tokens T of a piece.
        rows: pieces of a forward pass.
        carry: go on from the state of the piece before.
    """
    model.eval()
    lines = []  # (document, tokens, targets), each read from its start
    for number, text in enumerate(texts):
        step = len(text.tokens) if carry else length
        for a, b in zip(text.tokens.split(step), text.targets.split(step), strict=True):
            lines.append((number, a, b))
    lines.sort(key=lambda line: len(line[1]))  # rows of a batch are of about one length
    nats = torch.zeros(len(texts), dtype=torch.float64)
    device = next(model.parameters()).device
    for first in range(0, len(lines), rows):
        batch = lines[first : first + rows]
        longest = max(len(tokens) for _, tokens, _ in batch)
        tokens = torch.zeros(len(batch), longest, dtype=torch.long)
        targets, segments = torch.full_like(tokens, IGNORE), torch.full_like(tokens, PADDING)
        for row, (_, ids, wanted) in enumerate(batch):
            tokens[row, : len(ids)], targets[row, : len(ids)] = ids, wanted
            segments[row, : len(ids)] = 0
        sums = _read(model, tokens.to(device), targets.to(device), segments.to(device), length)
        nats.index_add_(0, torch.tensor([number for number, _, _ in batch]), sums.double().cpu())
    return nats.tolist()


def _read(
    model: LanguageModel, tokens: Tensor, targets: Tensor, segments: Tensor, length: int
) -> Tensor:
    """Nats of every row, ``[R]``, read in pieces with the state carried."""
    state, sums = None, torch.zeros(len(tokens), dtype=torch.float64, device=tokens.device)
    pieces = (x.split(length, dim=1) for x in (tokens, targets, segments))
    for ids, wanted, numbers in zip(*pieces, strict=True):
        output = model(ids, state=state, segment_ids=numbers)
        state = output.state
        sums += token_losses(output.logits, wanted).sum(dim=1).double()
    return sums


def trigram(
    mix: Mix,
    tokenizer: Tokenizer,
    texts: Sequence[HeldOutText],
    *,
    steps: int,
    rows: int,
    length: int,
    seed: int = 0,
) -> list[float]:
    """Nats of every document under the trigram counted on what a run of these sizes reads."""
    streams = RowStreams(mix, tokenizer, streams=rows, mine=range(rows), seq_len=length, seed=seed)
    read = torch.cat([streams.next().tokens for _ in range(steps)], dim=1)
    counts = WittenBell(list(read.numpy()), tokenizer.vocab_size, order=3)
    nats = []
    for text in texts:
        scored = text.targets != IGNORE
        line = torch.cat([text.tokens, text.tokens[-1:]])  # the last target is never scored
        p = counts.probability(line[None].numpy())[0][scored.numpy()]
        nats.append(float(-sum(math.log(x) for x in p)))
    return nats
