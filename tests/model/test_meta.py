"""Models on the meta device: every tensor is there, and a forward and backward pass runs."""

import pytest
import torch

from prism import Prism
from prism.baselines import BASELINES
from tests.model.families import VARIANTS

MAKE = {"prism": Prism} | {
    name: lambda config, make=make: make(config, 3) for name, make in BASELINES.items()
}


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("packed", (False, True))
def test_a_model_made_on_the_meta_device_stays_there(variant, name, packed):
    with torch.device("meta"):
        model = MAKE[name](VARIANTS[variant])
        tokens = torch.zeros(2, 9, dtype=torch.long)
    tensors = (*model.named_parameters(), *model.named_buffers())
    assert [name for name, tensor in tensors if not tensor.is_meta] == []
    output = model(tokens, segment_ids=tokens if packed else None)
    again = model(tokens[:, :1], state=output.state)
    (output.logits.sum() + again.logits.sum() + output.aux_loss).backward()
    assert output.logits.is_meta and again.logits.is_meta
    assert all(p.grad is None or p.grad.is_meta for p in model.parameters())


def test_num_parameters_counts_frozen_ones_unless_told_otherwise():
    model = Prism(VARIANTS["tiny"])
    count = model.num_parameters()
    assert count == model.num_parameters(trainable_only=True)
    model.embedding.requires_grad_(False)
    assert model.num_parameters() == count
    frozen = model.embedding.weight.numel()
    assert model.num_parameters(trainable_only=True) == count - frozen
