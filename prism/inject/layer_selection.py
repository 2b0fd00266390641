"""Selection of layers by recall of unseen wordings at a fixed false-positive rate.

Half of the probes' relations fit the whitening, a quarter is bound in a few wordings, a quarter are
out-of-set negatives. The metric is the share of the bound relations' other wordings that are
recognised, at a threshold that leaves most negatives alone; three divisions are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from prism.inject.probes import NOUN_FRAMES, PROBES, SUBJECTS
from prism.inject.relation_space import Prototypes, class_means, fit_whitening, score

WRITTEN = (0, 6, 7)  # wordings that stand for the written ones
NOUNS = range(len(NOUN_FRAMES))  # wordings with the noun of the written ones
FOLDS = 3
KEPT = 0.9  # share of prompts about something else that stay untouched while layers are scored
KEPT_FLOOR = 0.93  # the same, for the lowest score that counts
KEPT_NOUNS = 0.98  # share of the prompts with the noun that must be recognised
TEXT_RATE = 1e-3  # share of text positions that may look like a relation


@dataclass(frozen=True)
class LayerScore:
    """``recall``: share of unseen wordings that are recognised. ``floor``: the score at which most
    prompts about other relations stay untouched. ``spoken``: the score that nearly all unseen
    prompts with the noun of a bound relation reach."""

    recall: float
    floor: float
    spoken: float


def score_layers(
    hidden: Tensor, relation: Tensor, wording: Tensor, running: Tensor, layers: Sequence[int]
) -> LayerScore:
    """Score some layers together.

    Args:
        hidden: ``[N, L, D]`` states at the ends of the probe sentences.
        relation, wording: ``[N]`` of each sentence.
        running: ``[M, L, D]`` states of running text.
        layers: which of the L.
    """
    recalls, floors, spoken = [], [], []
    for fold in range(FOLDS):
        order = torch.randperm(len(PROBES), generator=torch.Generator().manual_seed(fold))
        parts = order.tensor_split([len(order) // 2, 3 * len(order) // 4])
        one = _divided(hidden[:, layers], relation, wording, running[:, layers], *parts)
        recalls.append(one[0])
        floors.append(one[1])
        spoken.append(one[2])
    reached = float(torch.cat(spoken).quantile(1 - KEPT_NOUNS))
    return LayerScore(sum(recalls) / FOLDS, sum(floors) / FOLDS, reached)


def _divided(
    hidden: Tensor,
    relation: Tensor,
    wording: Tensor,
    running: Tensor,
    fitted: Tensor,
    other: Tensor,
    bound: Tensor,
) -> tuple[float, float, Tensor]:
    """Recall, floor, and the scores of prompts with the noun, under one division."""
    bound = bound.sort().values
    mine, written = torch.isin(relation, fitted), torch.isin(wording, torch.tensor(WRITTEN))
    space = fit_whitening(hidden[mine], relation[mine], running)
    y, known = space(hidden), torch.isin(relation, bound)
    index = torch.searchsorted(bound, relation[known & written])
    prototypes = Prototypes(
        F.normalize(class_means(y[known & written], index), dim=-1), torch.arange(len(bound))
    )
    _, index = relation[mine].unique(return_inverse=True)
    negatives = F.normalize(class_means(y[mine], index), dim=-1)
    strange = _negative_scores(y, relation, other, bound, prototypes, negatives)
    text = score(space(running), prototypes, negatives).amax(dim=-1)
    bar = max(float(strange.quantile(KEPT)), float(text.quantile(1 - TEXT_RATE)))
    asked = known & ~written
    scores = score(y[asked], prototypes, negatives)
    best, answer = scores.max(dim=-1)
    right = (best > bar) & (bound[answer] == relation[asked])
    own = scores.gather(1, torch.searchsorted(bound, relation[asked])[:, None])[:, 0]
    noun = torch.isin(wording[asked], torch.tensor(list(NOUNS)))
    return float(right.float().mean()), float(strange.quantile(KEPT_FLOOR)), own[noun]


def _negative_scores(
    y: Tensor,
    relation: Tensor,
    other: Tensor,
    bound: Tensor,
    prototypes: Prototypes,
    negatives: Tensor,
) -> Tensor:
    """How clearly prompts about other relations seem to ask about a bound one; what is about
    another kind of subject is refused anyway and counts as -1."""
    kinds = sorted(SUBJECTS)
    kind = torch.tensor([kinds.index(p.kind) for p in PROBES])
    strange = torch.isin(relation, other)
    wrong, claimed = score(y[strange], prototypes, negatives).max(dim=-1)
    same_kind = kind[bound[claimed]] == kind[relation[strange]]
    return torch.where(same_kind, wrong, -1.0)
