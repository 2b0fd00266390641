"""Layers are judged by the relations they recognise in words they were not given."""

from __future__ import annotations

import pytest
import torch

from prism.inject.probes import PROBES
from prism.inject.relation_space import score_layers

WORDINGS = len(PROBES[0].wordings())
WIDTH = 48


@pytest.fixture(scope="module")
def states() -> tuple[torch.Tensor, ...]:
    """Two layers: in the first one the relation is louder than the wording, in the second there is
    the wording alone."""
    torch.manual_seed(0)
    relation = torch.arange(len(PROBES)).repeat_interleave(WORDINGS)
    wording = torch.arange(WORDINGS).repeat(len(PROBES))
    asked = torch.randn(len(PROBES), WIDTH)[relation]
    noise = torch.randn(2, len(relation), WIDTH)
    hidden = torch.stack([asked + 0.3 * noise[0], noise[1]], dim=1)
    return hidden, relation, wording, torch.randn(2000, 2, WIDTH)


def test_the_layer_that_knows_relations_finds_them(states):
    good, bad, both = (score_layers(*states, layers) for layers in ([0], [1], [0, 1]))
    assert good.recall > 0.9
    assert bad.recall < 0.2
    assert bad.recall < both.recall


def test_what_has_the_noun_scores_above_what_asks_for_something_else(states):
    found = score_layers(*states, [0])
    assert found.floor < found.spoken
