"""The first gradient of a fresh model: no parameter stands out, so clipping scales nothing away."""

import pytest
import torch
from torch.nn import functional as F

from prism import Prism, PrismConfig, presets
from tests.model.families import HARD, MODULAR, VOCAB, perturbed

OVER_MEDIAN = 100  # the largest gradient norm may be this many times the median one


def gradient_norms(model: Prism, vocab: int, *, packed: bool) -> torch.Tensor:
    """Norms of all parameters' gradients after one batch, those without a gradient left out."""
    g = torch.Generator().manual_seed(0)
    tokens = torch.randint(vocab, (8, 65), generator=g)
    segment_ids = (torch.rand(8, 64, generator=g) < 0.1).long().cumsum(dim=1) if packed else None
    output = model(tokens[:, :-1], segment_ids=segment_ids)
    loss = F.cross_entropy(output.logits.flatten(0, 1), tokens[:, 1:].flatten())
    (loss + output.aux_loss).backward()
    norms = torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None])
    return norms[norms > 0]


@pytest.mark.parametrize("packed", [False, True], ids=["one document", "packed"])
@pytest.mark.parametrize("vocab", [16, 64, 256])
def test_no_gradient_is_a_hundred_times_the_median(vocab, packed):
    norms = gradient_norms(Prism(PrismConfig(vocab_size=vocab)), vocab, packed=packed)
    assert norms.max() <= OVER_MEDIAN * norms.median()


@pytest.mark.parametrize("name", HARD | MODULAR)
def test_nor_with_another_router_or_scope(name):
    config = presets.get("tiny", vocab_size=64, **(HARD | MODULAR)[name])
    norms = gradient_norms(Prism(config), 64, packed=True)
    assert norms.max() <= OVER_MEDIAN * norms.median()


@pytest.mark.parametrize("mix", [-0.5, 0.5])
def test_the_first_token_of_a_document_writes_to_no_content_head(mix):
    """It follows nothing; with one key for every sign of ``mix`` the key would jump at zero."""
    model = perturbed(presets.get("tiny", vocab_size=VOCAB, num_layers=1))
    model.blocks[0].memory.mix.data.fill_(mix)
    state = model(torch.tensor([[3]])).state.blocks[0].tape
    assert state.fast_weights.abs().max() == 0
    state = model(torch.tensor([[3, 4]])).state.blocks[0].tape
    assert state.fast_weights.abs().max() > 0
