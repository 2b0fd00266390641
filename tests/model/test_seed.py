"""I8: the same seed gives the same bytes, and building a model touches nothing else."""

import pytest
import torch
from torch.nn import functional as F

from prism import Prism
from tests.model.families import VARIANTS, VOCAB, shrunk, tokens_of

variants = pytest.mark.parametrize("name", VARIANTS)


def trained(config) -> Prism:
    """A model after three optimizer steps."""
    model = Prism(config)
    torch.manual_seed(5)  # of dropout: whoever trains sets it
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(3):
        tokens = tokens_of(step, 4, 24)
        output = model(tokens)
        loss = F.cross_entropy(output.logits[:, :-1].reshape(-1, VOCAB), tokens[:, 1:].reshape(-1))
        optimizer.zero_grad()
        (loss + output.aux_loss).backward()
        optimizer.step()
        model.after_step(output.loads)
    return model


def assert_same_bytes(one: Prism, other: Prism) -> None:
    for (name, a), b in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


@variants
def test_equal_configs_give_equal_weights_whatever_was_drawn_before(name):
    torch.manual_seed(0)
    one = Prism(VARIANTS[name])
    torch.manual_seed(1)
    assert_same_bytes(one, Prism(VARIANTS[name]))


def test_another_seed_gives_other_weights():
    one, other = (Prism(shrunk("tiny", seed=seed)) for seed in (0, 1))
    assert not torch.equal(one.embedding.weight, other.embedding.weight)


@variants
def test_training_twice_gives_the_same_bytes(name):
    assert_same_bytes(trained(VARIANTS[name]), trained(VARIANTS[name]))


def test_building_and_reading_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    model = Prism(VARIANTS["300m"]).train()
    model.set_exploration(0.5)
    model(tokens_of(0, 2, 8)).logits.sum().backward()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_model_on_the_meta_device_leaves_later_models_real():
    config = shrunk("tiny", num_layers=1, chunk_size=9)
    config = type(config).from_dict(
        {**config.to_dict(), "tape": {**config.to_dict()["tape"], "num_slots": 22}}
    )
    with torch.device("meta"):
        assert Prism(config).embedding.weight.is_meta
    assert Prism(config)(tokens_of(0, 1, 5)).logits.isfinite().all()


def test_reading_in_inference_mode_first_leaves_training_possible():
    model, tokens = Prism(shrunk("tiny", half_lives=(0.7, 33.0))), tokens_of(0, 1, 13)
    with torch.inference_mode():
        model(tokens)
    model(tokens).logits.sum().backward()
    assert model.embedding.weight.grad.isfinite().all()
