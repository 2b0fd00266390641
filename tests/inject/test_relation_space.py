"""Relations are told apart by what they ask, not by how; what is nearer to a competitor is not."""

from __future__ import annotations

import torch

from prism.inject.relation_space import (
    Prototypes,
    Whitening,
    class_means,
    fit_whitening,
    score,
    without_near_duplicates,
)

RELATIONS, WORDINGS, WIDTH = 12, 8, 24


def states(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Hidden states where the wording moves much further than the relation does."""
    relation = torch.randn(RELATIONS, WIDTH, generator=generator)
    relation[:, : WIDTH // 2] = 0
    wording = 6 * torch.randn(RELATIONS, WORDINGS, WIDTH, generator=generator)
    wording[..., WIDTH // 2 :] = 0
    hidden = relation[:, None] + wording
    return hidden.flatten(0, 1), torch.arange(RELATIONS).repeat_interleave(WORDINGS)


def nearest(y: torch.Tensor, bound: Prototypes) -> torch.Tensor:
    return bound.nearness(y).argmax(dim=-1)


def test_a_relation_is_known_again_in_other_words():
    generator = torch.Generator().manual_seed(0)
    hidden, relation = states(generator)
    text = 6 * torch.randn(400, WIDTH, generator=generator)
    text[:, WIDTH // 2 :] /= 6
    old = relation < RELATIONS // 2
    hidden = hidden[:, None]  # of one layer
    space = fit_whitening(hidden[old], relation[old], text[:, None])
    new, asked = hidden[~old], relation[~old] - RELATIONS // 2
    first = torch.arange(len(new)) % WORDINGS == 0  # each new relation is given in one wording
    owners = torch.arange(RELATIONS // 2)
    plain = Prototypes(torch.nn.functional.normalize(new[first, 0], dim=-1), owners)
    raw = nearest(torch.nn.functional.normalize(new[:, 0], dim=-1), plain)
    mapped = nearest(space(new), Prototypes(space(new[first]), owners))
    assert (mapped == asked).float().mean() > 0.9 > (raw == asked).float().mean()


def test_the_map_gives_unit_vectors():
    generator = torch.Generator().manual_seed(0)
    hidden, relation = states(generator)
    hidden = hidden[:, None]
    y = fit_whitening(hidden, relation, hidden)(hidden)
    torch.testing.assert_close(y.norm(dim=-1), torch.ones(len(y)))


def test_a_negative_that_is_nearer_lowers_the_score():
    bound = Prototypes(torch.eye(3)[:1], torch.tensor([0]))
    y = torch.nn.functional.normalize(torch.tensor([[1.0, 0, 0], [1, 2, 0]]), dim=-1)
    alone = score(y, bound, torch.zeros(0, 3))
    beside = score(y, bound, torch.eye(3)[1:2])
    assert beside[0] == alone[0]
    assert beside[1] < alone[1]


def test_a_negative_that_is_the_bound_relation_itself_is_left_out():
    bound = Prototypes(torch.eye(3)[:1], torch.tensor([0]))
    negatives = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1, 0], [0, 1, 0]]), dim=-1)
    assert torch.equal(without_near_duplicates(negatives, bound), negatives[1:])


def test_means_are_taken_class_by_class():
    rows = torch.tensor([[1.0], [3.0], [10.0]])
    assert class_means(rows, torch.tensor([0, 0, 1])).tolist() == [[2.0], [10.0]]


def test_the_nearest_of_a_relations_wordings_counts():
    bound = Prototypes(torch.eye(3), torch.tensor([0, 1, 0]))
    near = bound.nearness(torch.nn.functional.normalize(torch.tensor([[0.0, 1, 2]]), dim=-1))
    assert near.shape == (1, 2)
    assert near[0, 0] > near[0, 1] > 0


def test_several_layers_are_compared_by_the_mean_of_their_cosines():
    generator = torch.Generator().manual_seed(0)
    hidden, relation = states(generator)
    both = torch.stack([hidden, hidden.roll(1, dims=1)], dim=1)
    spaces = fit_whitening(both, relation, both)
    one, other = spaces(both)[:1], spaces(both)[1:]
    maps = [Whitening(spaces.mean[k : k + 1], spaces.whiten[k : k + 1]) for k in range(2)]
    alone = [space(both[:, k : k + 1]) for k, space in enumerate(maps)]
    mean = sum(y[1:] @ y[:1].T for y in alone) / 2
    torch.testing.assert_close(other @ one.T, mean)
    torch.testing.assert_close(one.norm(), torch.tensor(1.0))
