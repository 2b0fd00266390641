"""Three domains in one vocabulary of bytes, one for each kind of expert.

    text     prose that ships inside CPython, next byte           domain of the neural kind
    recall   many keys, each queried once (tasks/mqar.py)         domain of the memory kind
    state    running sum of digits, modulo m (tasks/parity.py)    domain of the symbolic kind

The same byte has another meaning in each: a key of ``recall`` is also a letter, a digit of
``state`` also occurs in the prose. A model has to infer the domain from the row.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from prism.engine.loop.loss import token_losses
from prism.modular import OWN_SHARE
from tasks import IGNORE, TASKS

VOCAB = 256
OWN = {"text": "neural", "recall": "memory", "state": "symbolic"}  # domain to its kind
DOMAINS = tuple(OWN)
TASK = {"text": "mini_lm", "recall": "mqar", "state": "parity"}
FIRST_BYTE = {"text": 0, "recall": 0, "state": ord("0")}


def shares_of(domain: str | None) -> dict[str, float]:
    """Share of the rows that each domain has: equal, or 70% ``domain`` and 30% of the equal mix."""
    equal = 1 / len(DOMAINS)
    if domain is None:
        return dict.fromkeys(DOMAINS, equal)
    return {d: OWN_SHARE * (d == domain) + (1 - OWN_SHARE) * equal for d in DOMAINS}


def rows_of(shares: Mapping[str, float], rows: int) -> dict[str, int]:
    """``rows`` in these shares, whole, by largest remainder."""
    exact = {d: share * rows for d, share in shares.items()}
    whole = {d: int(x) for d, x in exact.items()}
    for d in sorted(exact, key=lambda d: whole[d] - exact[d])[: rows - sum(whole.values())]:
        whole[d] += 1
    return whole


def draw(
    domain: str, split: str, seed: int, index: int, rows: int, length: int
) -> tuple[Tensor, Tensor]:
    """Tokens and targets ``[rows, length]`` of one domain."""
    batch = TASKS[TASK[domain]].batch(split, seed, index, rows, length)
    first = FIRST_BYTE[domain]
    return batch.tokens + first, torch.where(batch.targets == IGNORE, IGNORE, batch.targets + first)


def draw_mix(
    shares: Mapping[str, float], split: str, seed: int, index: int, rows: int, length: int
) -> tuple[Tensor, Tensor]:
    """One batch of all domains in these shares, ``[rows, length]`` each, domain after domain."""
    parts = [
        draw(d, split, seed, index, n, length) for d, n in rows_of(shares, rows).items() if n > 0
    ]
    return torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts])


def out_of_domain_rows(shares: Mapping[str, float], domain: str | None, rows: int) -> Tensor | None:
    """Mask ``[rows, 1]`` of :func:`draw_mix`, True in rows of other domains than ``domain``; None
    for a model of all domains."""
    if domain is None:
        return None
    counts = rows_of(shares, rows)
    return torch.tensor([[d != domain] for d, n in counts.items() for _ in range(n)])


def row_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean over rows of each row's mean cross-entropy over scored positions, nats: a domain that
    scores few positions counts as much as one that scores all."""
    sums = token_losses(logits, targets).sum(dim=1)
    return (sums / (targets != IGNORE).sum(dim=1).clamp(min=1)).mean()
