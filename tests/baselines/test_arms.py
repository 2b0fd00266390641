"""What the arms differ in: how weights start, how loud a token's own logit is, what is saved."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from prism.baselines import ARMS, BASELINES, build, family, load_saved, plain_arm
from prism.baselines.arms import INIT_STD
from prism.baselines.factory import MODELS
from prism.config import PrismConfig
from prism.model.prism import Prism
from prism.model.scale import EMBEDDING_STD, SELF_LOGIT

STRONG = [name for name in BASELINES if name.endswith("strong")]


def test_every_arm_can_be_built_and_knows_its_baseline() -> None:
    for name, arms in ARMS.items():
        assert set(arms) <= set(BASELINES)
        assert {family(arm) for arm in arms} == {name}
        assert {plain_arm(arm) for arm in arms} == {arms[0]}
    assert [family(m) for m in ("prism", "gdn-neg")] == ["prism", "gdn-neg"]
    assert {arm for arms in ARMS.values() for arm in arms} <= set(MODELS)


@pytest.mark.parametrize("name", STRONG)
@pytest.mark.parametrize("d_model", [64, 192, 512, 1024])
def test_a_tokens_own_logit_is_moderate_at_any_width(name: str, d_model: int) -> None:
    """At most ``SELF_LOGIT``, and no more than half above it for a single token: e^12 outweighs no
    vocabulary of text by more than a few nats."""
    config = PrismConfig(vocab_size=512, d_model=d_model, num_layers=2)
    model = build(name, config)
    tokens = torch.arange(512).view(16, 32)
    with torch.no_grad():
        own = model(tokens).logits.gather(-1, tokens[..., None])
    assert own.mean() <= SELF_LOGIT + 0.1
    assert own.max() <= 1.5 * SELF_LOGIT


@pytest.mark.parametrize("name", STRONG)
def test_at_the_toy_size_the_logits_have_prisms_scale(name: str) -> None:
    config = PrismConfig(vocab_size=64, d_model=64)
    assert build(name, config).temper == Prism(config).temper
    assert build(name, config).embedding.weight.std().item() == pytest.approx(EMBEDDING_STD, 0.05)


@pytest.mark.parametrize("name", STRONG)
def test_strong_matrices_keep_the_variance_of_what_they_read(name: str) -> None:
    model = build(name, PrismConfig(vocab_size=64, d_model=64))
    branches = [branch for block in model.blocks for branch in block.branches()]
    outputs = {id(branch.out_proj): len(branches) for branch in branches}
    for module in model.blocks.modules():
        if isinstance(module, nn.Linear):
            std = (module.in_features * outputs.get(id(module), 1)) ** -0.5
            assert module.weight.std().item() == pytest.approx(std, rel=0.1)


def test_plain_mamba_starts_as_its_reference() -> None:
    model = build("ssm-plain", PrismConfig(vocab_size=64, d_model=64))
    layers = len(model.blocks)
    assert model.embedding.weight.std().item() == pytest.approx(INIT_STD, rel=0.1)
    for block in model.blocks:
        into, out = block.mixer.in_proj.weight, block.mixer.out_proj.weight
        assert into.abs().max().item() == pytest.approx(64**-0.5, rel=0.01)
        bound = (out.shape[1] * layers) ** -0.5
        assert out.abs().max().item() == pytest.approx(bound, rel=0.01)
        assert block.mixer.A_log.exp().min() >= 1 and block.mixer.A_log.exp().max() <= 16


def test_the_convolution_of_attention_starts_as_the_identity() -> None:
    weight = build("transformer-strong", PrismConfig(vocab_size=8)).blocks[0].mixer.conv.weight
    assert torch.equal(weight[-1], torch.ones_like(weight[-1]))
    assert not weight[:-1].any()


@pytest.mark.parametrize("name", BASELINES)
def test_a_saved_arm_comes_back(name: str, tmp_path) -> None:
    model = build(name, PrismConfig(vocab_size=16, d_model=32, num_layers=2)).eval()
    model.save(tmp_path)
    again = load_saved(tmp_path)
    tokens = torch.arange(12)[None]
    assert torch.equal(again(tokens).logits, model(tokens).logits)
    assert (again.kind, again.arm) == (name, model.arm)
    assert again.remade().state_dict().keys() == model.state_dict().keys()


@pytest.mark.parametrize("name", BASELINES)
def test_a_first_loss_is_near_that_of_a_blind_guess(name: str) -> None:
    tokens = torch.randint(256, (4, 64), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = build(name, PrismConfig(vocab_size=256, d_model=64))(tokens).logits
    loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() < math.log(256) + 4
