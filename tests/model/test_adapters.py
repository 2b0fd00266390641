"""Modules are called, so what wraps them counts; blocks may be computed twice."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from prism import PrismConfig
from prism.baselines import build
from tests.model.families import VARIANTS, VOCAB, loss_of, perturbed, segments_of, tokens_of

SMALL = PrismConfig(vocab_size=VOCAB, d_model=32, num_layers=2)
NAMES = ("prism", "transformer", "ssm", "gdn")
every_model = pytest.mark.parametrize("name", (*NAMES, *VARIANTS))


class LowRank(nn.Module):
    """A linear layer and a low-rank matrix beside it, as adapters are put in."""

    def __init__(self, inner: nn.Linear) -> None:
        super().__init__()
        self.inner = inner
        self.down = nn.Linear(inner.in_features, 2, bias=False, dtype=inner.weight.dtype)
        self.up = nn.Linear(2, inner.out_features, bias=False, dtype=inner.weight.dtype)

    @property
    def weight(self) -> Tensor:
        return self.inner.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) + self.up(self.down(x))

    def merged(self) -> nn.Linear:
        with torch.no_grad():
            self.inner.weight += self.up.weight @ self.down.weight
        return self.inner


def model_of(name: str):
    return build(name, SMALL).double() if name in NAMES else perturbed(VARIANTS[name])


def linear_layers(model: nn.Module) -> list[tuple[nn.Module, str]]:
    """Every linear layer inside the blocks, as the module that holds it and its name there."""
    return [
        (parent, name)
        for parent in model.blocks.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.Linear)
    ]


@every_model
def test_an_adapter_on_any_linear_layer_learns_and_merges(name):
    model, tokens = model_of(name), tokens_of(0, 2, 17)
    places = linear_layers(model)
    for parent, child in places:
        setattr(parent, child, LowRank(getattr(parent, child)))
    model(tokens).logits.sin().sum().backward()
    for parent, child in places:
        adapter = getattr(parent, child)
        assert adapter.up.weight.grad.abs().max() > 0 or name == "prism", child
        assert adapter.up.weight.grad is not None, child
    with torch.no_grad():
        adapted = model(tokens).logits
        for parent, child in places:
            setattr(parent, child, getattr(parent, child).merged())
        torch.testing.assert_close(model(tokens).logits, adapted, rtol=0, atol=1e-9)


def gradients_of(model, tokens, ids):
    first = model(tokens[:, :9], segment_ids=None if ids is None else ids[:, :9])
    second = model(tokens[:, 9:], first.state, None if ids is None else ids[:, 9:])
    loss = loss_of(torch.cat([first.logits, second.logits], dim=1)) + second.aux_loss
    found = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    return loss.detach(), [torch.zeros(()) if g is None else g for g in found]


@every_model
@pytest.mark.parametrize("packed", (False, True), ids=("plain", "packed"))
def test_recomputing_the_blocks_changes_no_number(name, packed):
    model, tokens = model_of(name), tokens_of(0, 2, 17)
    ids = segments_of(3, 2, 17) if packed else None
    model.joined = False  # recomputed block by block, so are they compared
    wanted_loss, wanted = gradients_of(model, tokens, ids)
    model.recompute = True
    loss, found = gradients_of(model, tokens, ids)
    assert torch.equal(loss, wanted_loss)
    for a, b in zip(found, wanted, strict=True):
        assert torch.equal(a, b)


@every_model
def test_recomputing_keeps_less_for_the_backward_pass(name):
    model, tokens = model_of(name), tokens_of(0, 1, 64)

    def kept() -> int:
        sizes: dict[int, int] = {}

        def pack(x: Tensor) -> Tensor:
            sizes[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
            return x

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            output = model(tokens)
        assert output.logits.requires_grad
        return sum(sizes.values())

    plain = kept()
    model.recompute = True
    assert kept() < 0.6 * plain


def test_anybody_may_checkpoint_the_blocks_of_prism():
    """A block is a function of its arguments: it changes nothing that blocks share."""
    model, tokens = perturbed(VARIANTS["tiny"]), tokens_of(0, 2, 17)
    wanted_loss, wanted = gradients_of(model, tokens, None)
    for block in model.blocks:
        inner = block.forward
        block.forward = lambda *args, inner=inner: checkpoint(inner, *args, use_reentrant=False)
    loss, found = gradients_of(model, tokens, None)
    assert torch.equal(loss, wanted_loss)
    for a, b in zip(found, wanted, strict=True):
        assert torch.equal(a, b)
