"""Distance of a student from its teacher, and a test that tells apart what the two write.

On answers of the teacher to prompts that the student never saw, each model asked in its own form of
a prompt, at every position of the answer in the student's tokens, with t the teacher's distribution
(:mod:`prism.distill.marginal`) and q the student's:

    agreement   share of positions with the same likeliest token
    JS          Jensen-Shannon divergence, KL(t || m) / 2 + KL(q || m) / 2 nats, m = (t + q) / 2

and between what both write for the same prompts a classifier two-sample test (Lopez-Paz & Oquab
2017, arXiv 1610.06545): logistic regression on hashed n-grams of characters, judged on prompts that
it was not fitted on. Accuracy .5 means that it cannot tell them apart; the teacher against itself,
drawn with another seed, is the control. Intervals are of 95%: over documents by the bootstrap, of
the test by Wilson's formula.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prism.distill.generate import prompt_ids
from prism.distill.marginal import UNKNOWN, Marginaliser, student_pieces
from prism.distill.records import Record
from prism.distill.teacher import Teacher

FEATURES = 4096  # of hashed n-grams
ORDERS = (1, 2, 3)
FOLDS, STEPS, DECAY = 5, 200, 1e-3
DRAWS = 1000  # of the bootstrap
WORDS = 8  # of an n-gram that tells text that was copied


def closeness(teacher: Teacher, student: Teacher, answers: Sequence[Record]) -> dict[str, Any]:
    """Agreement and JS over the answers, with intervals.

    Raises:
        ValueError: the student's tokens are not parts of the teacher's.
    """
    pieces = student_pieces(teacher.tokenizer, student.tokenizer)
    m = Marginaliser(pieces, student.tokenizer.vocab_size, teacher.head)
    found = [x for record in answers if (x := _of_record(m, teacher, student, record)) is not None]
    if not found:
        raise ValueError("replicate: no answer has a position with a target; must have one")
    sums = np.array(found)  # positions, agreements, JS
    low, high = _bootstrap(sums)
    positions = sums[:, 0].sum()
    agreement, js = sums[:, 1].sum() / positions, sums[:, 2].sum() / positions
    return {
        "documents": len(sums),
        "positions": int(positions),
        "agreement": [agreement, low[0], high[0]],
        "js": [js, low[1], high[1]],
    }


def _of_record(
    m: Marginaliser, teacher: Teacher, student: Teacher, record: Record
) -> tuple[int, float, float] | None:
    """Positions, how many agree, sum of JS. Each model reads the prompt as it is asked in it."""
    turns, said = record["messages"][:-1], text_of(record)
    asked, own = prompt_ids(teacher, turns)[0], teacher.tokenizer.encode(said)
    spoken = [x for v in own for x in m.pieces[v]]
    if not spoken:
        return None
    ids = [*asked, *own]
    sums = m.sums(teacher.hidden(ids[:-1], len(ids))[len(asked) - 1 :])
    # no look-back over the end of the prompt: it is given, whatever else it might have been
    t, missing = m.targets(ids[len(asked) - 1 :], np.concatenate([sums[:1], sums]), True)
    tokens = torch.tensor([*prompt_ids(student, turns)[0], *spoken])
    with torch.inference_mode():
        logits = student.model(tokens[None]).logits[0]
    known = missing <= UNKNOWN
    rows = logits[-len(spoken) - 1 : -1].float()
    q = torch.softmax(rows, dim=-1)[known][:, : t.shape[1]].double()
    t = t[known].double()
    if len(t) == 0:
        return None
    return len(t), float((t.argmax(-1) == q.argmax(-1)).sum()), float(js_divergence(t, q).sum())


def js_divergence(t: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence of two rows of distributions, nats; at most log 2."""
    log_m = ((t + q) / 2).clamp(min=1e-300).log()
    each = torch.xlogy(t, t) + torch.xlogy(q, q) - (t + q) * log_m
    return each.sum(dim=-1) / 2


def _bootstrap(sums: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of the intervals of both ratios, drawing documents with replacement."""
    chosen = np.random.default_rng(0).integers(0, len(sums), (DRAWS, len(sums)))
    totals = sums[chosen].sum(axis=1)
    ratios = totals[:, 1:] / totals[:, :1]
    return np.percentile(ratios, 2.5, axis=0), np.percentile(ratios, 97.5, axis=0)


def text_of(record: Record) -> str:
    """The answer."""
    return str(record["messages"][-1]["content"])


def two_samples(ours: Sequence[str], theirs: Sequence[str]) -> dict[str, Any]:
    """The classifier two-sample test of texts that answer the same prompts, in order.

    Raises:
        ValueError: too few of them, or not as many.
    """
    n = len(ours)
    if n != len(theirs) or n < FOLDS:
        raise ValueError(f"two-sample test: {n} and {len(theirs)} texts: must be as many of both, "
                         f"and at least {FOLDS}")  # fmt: skip
    x = torch.from_numpy(np.stack([features(text) for text in [*ours, *theirs]]))
    y = torch.cat([torch.zeros(n), torch.ones(n)])
    fold = torch.arange(n).repeat(2) % FOLDS
    right = 0
    for k in range(FOLDS):
        fitted, judged = fold != k, fold == k
        weights = _logistic(x[fitted], y[fitted])
        said = (x[judged] @ weights[:-1] + weights[-1]) > 0
        right += int((said == (y[judged] > 0)).sum())
    low, high = wilson(right, 2 * n)
    return {"texts": n, "accuracy": [right / (2 * n), low, high]}


def features(text: str) -> NDArray[np.float32]:
    """Square roots of the shares of hashed n-grams of characters."""
    counts = np.zeros(FEATURES, np.float32)
    raw = text.encode()
    for order in ORDERS:
        for i in range(len(raw) - order + 1):
            counts[zlib.crc32(raw[i : i + order]) % FEATURES] += 1
    return np.sqrt(counts / max(counts.sum(), 1))


def _logistic(x: Tensor, y: Tensor) -> Tensor:
    """Weights and bias of a logistic regression, from zero, with centred features."""
    weights = torch.zeros(x.shape[1] + 1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits = x @ weights[:-1] + weights[-1]
        total = torch.nn.functional.binary_cross_entropy_with_logits(logits, y)
        total = total + DECAY * weights[:-1].square().sum()
        total.backward()
        return total

    optimizer.step(loss)
    return weights.detach()


def wilson(right: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share of ``right`` among ``n``."""
    p, scale = right / n, 1 + z * z / n
    centre = (p + z * z / (2 * n)) / scale
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / scale
    return centre - half, centre + half


def copied(answers: Sequence[Record], trained: Sequence[Record]) -> dict[str, Any]:
    """Contamination: the share of word n-grams of ``answers`` that stand in ``trained`` too, and
    how many of the prompts do."""
    known = {gram for record in trained for gram in _grams(text_of(record))}
    grams = [gram for record in answers for gram in _grams(text_of(record))]
    prompts = {_prompt(record) for record in trained}
    return {
        "grams": len(grams),
        "share": sum(g in known for g in grams) / max(len(grams), 1),
        "prompts": sum(_prompt(record) in prompts for record in answers),
    }


def _grams(text: str) -> list[tuple[str, ...]]:
    words = text.lower().split()
    return [tuple(words[i : i + WORDS]) for i in range(len(words) - WORDS + 1)]


def _prompt(record: Record) -> str:
    return "\n".join(turn["content"] for turn in record["messages"][:-1])
