"""A second opinion is the margin of a relation over all others that do not mean the same."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from prism.inject.second_opinion import SecondOpinion


class Letters:
    """An encoder that counts letters: texts of like letters are near each other."""

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        counts = torch.tensor([[float(t.count(c)) for c in "abcdefghijklmnop"] for t in texts])
        return F.normalize(counts, dim=1)


def test_the_relation_that_the_clause_is_nearest_to_has_the_highest_margin() -> None:
    opinion = SecondOpinion(Letters())
    opinion._nouns = []  # the subject's own relations alone
    own = ["aaaa bbbb", "kkkk llll"]
    clause = "X aaaa bbbb aaaa bbbb"
    assert opinion.margin(clause, own[0], own) > 0 > opinion.margin(clause, own[1], own)
