"""Relation of a hidden state: cosine to prototypes in a whitened space, minus competitors.

    y(h)  = normalise( W (h - m) ),   W = ( a S_w / tr S_w + (1 - a) S_t / tr S_t + l I / D )^(-1/2)
    s_r   = max over wordings of < y(h), p_r >  -  b max over competitors of < y(h), c >

S_w is the covariance of a hidden state within one relation, over wordings and subjects, taken from
the probes (within-class covariance normalisation, Hatch et al. 2006); S_t is that of running text.
Directions that only tell wordings apart are shrunk, so a relation given in two or three wordings
is known again in others. States of several layers are mapped one by one and laid end to end: a
cosine is the mean of the layers' cosines. The competitors are the probes' relations, as the probes
ask about them and as they would be asked about the tape's own subjects.

Layers are selected by recall of unseen wordings at a fixed false-positive rate: half of the probes'
relations fit the whitening, a quarter is bound in a few wordings, a quarter are out-of-set
negatives. The metric is the share of the bound relations' other wordings that are recognised, at a
threshold that leaves most negatives alone; three divisions are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from prism.inject.probes import NOUN_FRAMES, PROBES, SUBJECTS

WITHIN = 0.8  # a
RIDGE = 0.02  # l
COMPETITION = 0.4  # b
NEAR_DUPLICATE = 0.8  # cosine from which a competitor is a bound relation itself
WRITTEN = (0, 6, 7)  # wordings that stand for the written ones
NOUNS = range(len(NOUN_FRAMES))  # wordings with the noun of the written ones
FOLDS = 3
KEPT = 0.9  # share of prompts about something else that stay untouched while layers are scored
KEPT_FLOOR = 0.93  # the same, for the lowest score that counts
KEPT_NOUNS = 0.98  # share of the prompts with the noun that must be recognised
TEXT_RATE = 1e-3  # share of text positions that may look like a relation


@dataclass
class Whitening:
    """The map y of n layers: ``mean [n, D]``, ``whiten [n, D, D]``."""

    mean: Tensor
    whiten: Tensor

    def __call__(self, hidden: Tensor) -> Tensor:
        """``[..., n, D]`` hidden states to unit vectors ``[..., n D]``, the layers end to end."""
        count = len(self.mean)
        mapped = [
            F.normalize((hidden[..., i, :].float() - self.mean[i]) @ self.whiten[i], dim=-1)
            for i in range(count)
        ]
        return torch.cat(mapped, dim=-1) / count**0.5


def fit_whitening(hidden: Tensor, relation: Tensor, text: Tensor) -> Whitening:
    """The space in which wordings of one relation lie together, layer by layer.

    Args:
        hidden: ``[N, n, D]`` states at the end of N prompts.
        relation: ``[N]`` which relation each of them asks about.
        text: ``[M, n, D]`` states inside running text.
    """
    _, index = relation.unique(return_inverse=True)
    means, maps = [], []
    for states, running in zip(hidden.unbind(1), text.unbind(1), strict=True):
        centres = class_means(states, index)
        rest = states - centres[index]
        within, total = rest.T @ rest, torch.cov(running.T)
        mixed = WITHIN * within / within.trace() + (1 - WITHIN) * total / total.trace()
        values, vectors = torch.linalg.eigh(mixed.double())
        values = values.clamp(min=0) + RIDGE * values.mean()
        means.append(centres.mean(dim=0))
        maps.append((vectors * values.rsqrt() @ vectors.T).float())
    return Whitening(torch.stack(means), torch.stack(maps))


def class_means(rows: Tensor, index: Tensor) -> Tensor:
    """``[C, D]`` mean of ``rows [N, D]`` by class ``index [N]`` in 0..C-1."""
    sums = rows.new_zeros(int(index.max()) + 1, rows.shape[1]).index_add(0, index, rows)
    return sums / index.bincount()[:, None]


@dataclass
class Prototypes:
    """Unit vectors ``vectors [P, D]`` and the relation ``owner [P]`` in 0..R-1 of each."""

    vectors: Tensor
    owner: Tensor

    def nearness(self, y: Tensor) -> Tensor:
        """``[T, R]``: highest cosine of ``y [T, D]`` with a wording of each relation."""
        cosine = y @ self.vectors.T
        none = cosine.new_full((len(y), int(self.owner.max()) + 1), -torch.inf)
        return none.scatter_reduce(1, self.owner.expand_as(cosine), cosine, "amax")


def score(y: Tensor, bound: Prototypes, competitors: Tensor) -> Tensor:
    """Scores ``[T, R]``: how clearly ``y [T, D]`` asks about each bound relation."""
    near = bound.nearness(y)
    if len(competitors) == 0:
        return near
    return near - COMPETITION * (y @ competitors.T).amax(dim=-1, keepdim=True)


def without_near_duplicates(competitors: Tensor, bound: Prototypes) -> Tensor:
    """The competitors ``[C, D]`` that are not one of the bound relations themselves."""
    nearest = (competitors @ bound.vectors.T).amax(dim=-1)
    return competitors[nearest < NEAR_DUPLICATE]


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
    unrelated = _negative_scores(y, relation, other, bound, prototypes, negatives)
    text = score(space(running), prototypes, negatives).amax(dim=-1)
    bar = max(float(unrelated.quantile(KEPT)), float(text.quantile(1 - TEXT_RATE)))
    asked = known & ~written
    scores = score(y[asked], prototypes, negatives)
    best, answer = scores.max(dim=-1)
    right = (best > bar) & (bound[answer] == relation[asked])
    own = scores.gather(1, torch.searchsorted(bound, relation[asked])[:, None])[:, 0]
    noun = torch.isin(wording[asked], torch.tensor(list(NOUNS)))
    return float(right.float().mean()), float(unrelated.quantile(KEPT_FLOOR)), own[noun]


def _negative_scores(
    y: Tensor,
    relation: Tensor,
    other: Tensor,
    bound: Tensor,
    prototypes: Prototypes,
    negatives: Tensor,
) -> Tensor:
    """Best scores of prompts about other relations, none of them bound; one about another kind of
    subject is refused anyway and counts as -1."""
    kinds = sorted(SUBJECTS)
    kind = torch.tensor([kinds.index(p.kind) for p in PROBES])
    unrelated = torch.isin(relation, other)
    wrong, claimed = score(y[unrelated], prototypes, negatives).max(dim=-1)
    same_kind = kind[bound[claimed]] == kind[relation[unrelated]]
    return torch.where(same_kind, wrong, -1.0)
