"""The router: k kinds per token, balance that only an explicit call moves, compute that follows."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism import Prism, PrismConfig
from prism.model.router import Router
from tests.model.families import (
    VARIANTS,
    VOCAB,
    configs,
    many_draws,
    perturbed,
    segments_of,
    shrunk,
    tokens_of,
)


@many_draws
@given(config=configs(), packed=st.booleans())
@torch.no_grad()
def test_every_token_gets_k_kinds_and_those_always_on(config, packed):
    model = perturbed(config)
    segment_ids = segments_of(1, 2, 12) if packed else None
    routing = model(tokens_of(0, 2, 12), segment_ids=segment_ids, routing=True).routing
    for layer, details in enumerate(routing):
        assert details.kinds == config.kinds_at(layer)
        wanted = min(config.topk, len(details.kinds))
        assert (details.chosen.sum(dim=-1) == wanted).all()
        for kind in set(config.always_on) & set(details.kinds):
            assert details.chosen[..., details.kinds.index(kind)].all()
        if config.router_gates == "independent":
            assert ((details.probability > 0) & (details.probability < 1)).all()
        elif details.kinds:
            assert torch.allclose(details.probability.sum(dim=-1), torch.ones(2, 12).double())


@pytest.mark.parametrize("name", VARIANTS)
@torch.no_grad()
def test_gate_values_start_near_one(name):
    model, decisions = Prism(VARIANTS[name]), []
    routers = [block.router for block in model.blocks if block.router is not None]
    for router in routers:
        router.register_forward_hook(lambda _m, _args, out: decisions.append(out))
    model(tokens_of(0, 8, 64))
    assert len(decisions) == sum(len(block.kinds) > 0 for block in model.blocks)
    for decision in decisions:
        assert (decision.weight.mean(dim=(0, 1)) - 1).abs().max() < 0.15
        assert (decision.weight - 1).abs().max() < 0.8


@pytest.mark.parametrize("name", ("300m", "top1", "top2_always_on"))
@torch.no_grad()
def test_the_neural_kind_computes_exactly_the_tokens_that_chose_it(name):
    """Its output projection, that is: the filter on its units must have seen every token."""
    model = perturbed(VARIANTS[name])
    rows = [set() for _ in model.blocks]
    for block, seen in zip(model.blocks, rows, strict=True):
        block.neural.write.register_forward_hook(
            lambda _module, args, _out, seen=seen: seen.add(args[0].shape[:-1].numel())
        )
    routing = model(tokens_of(0, 3, 20), routing=True).routing
    wanted = [int(d.chosen[..., d.kinds.index("neural")].sum()) for d in routing]
    assert rows == [{count} for count in wanted]
    assert min(wanted) < 60


@torch.no_grad()
def test_loads_are_the_shares_of_real_tokens():
    model = perturbed(VARIANTS["300m"])
    segment_ids = segments_of(4, 3, 30)
    output = model(tokens_of(1, 3, 30), segment_ids=segment_ids, routing=True)
    real = segment_ids >= 0
    assert real.any() and not real.all()
    for row, details in zip(output.loads, output.routing, strict=True):
        wanted = details.chosen[real].double().mean(dim=0)
        found = row[[model.config.expert_kinds.index(kind) for kind in details.kinds]]
        assert torch.allclose(found.double(), wanted, atol=1e-6)
        assert row.sum().item() == pytest.approx(min(model.config.topk, len(details.kinds)))


def test_a_kind_that_a_block_lacks_has_no_load():
    output = Prism(shrunk("tiny", memory_layers=(1,)))(tokens_of(0, 2, 9))
    memory = output.loads[:, shrunk("tiny").expert_kinds.index("memory")]
    assert memory.tolist() == [0, 1, 0]


def biases(model: Prism) -> torch.Tensor:
    return torch.cat([block.router.selection_bias for block in model.blocks]).clone()


@pytest.mark.parametrize("training", (True, False), ids=("train", "eval"))
def test_only_after_step_moves_the_selection_bias(training):
    model = Prism(VARIANTS["top1"]).train(training)
    before = biases(model)
    output = model(tokens_of(0, 4, 30))
    (output.logits.sum() + output.aux_loss).backward()
    assert torch.equal(biases(model), before)
    model.after_step(output.loads)
    assert not torch.equal(biases(model), before)


def test_the_bias_selects_and_never_weighs():
    router = Router(PrismConfig(vocab_size=VOCAB, router_topk=1), ("neural", "memory"))
    x = torch.randn(1, 50, 64, generator=torch.Generator().manual_seed(0))
    before = router(x, None)
    router.selection_bias += torch.tensor([1.0, -1.0])
    after = router(x, None)
    assert torch.equal(before.weight, after.weight)
    assert after.load.tolist() == [1, 0]


def test_a_soft_mixture_has_nothing_to_balance():
    model = Prism(shrunk("tiny", router_topk=None))
    model.after_step(model(tokens_of(0, 2, 9)).loads)
    assert biases(model).abs().sum() == 0


def skewed(config: PrismConfig) -> tuple[Router, torch.Tensor]:
    """A router that prefers its first kind, and features that it tells apart."""
    router = Router(config, config.expert_kinds)
    x = torch.randn(8, 128, config.d_model, generator=torch.Generator().manual_seed(0))
    x[..., 0] = 1.0
    with torch.no_grad():
        router.score.weight.mul_(8)  # so that a step of the bias moves few tokens
        router.score.weight[:, 0] = torch.tensor([2.0, 0.0, 0.0])
    return router, x


@pytest.mark.parametrize("topk", (1, 2))
@pytest.mark.parametrize("target", (None, (0.2, 0.5, 0.3)), ids=("equal", "declared"))
def test_balance_moves_a_skewed_router_to_its_target(topk, target):
    if target is not None:
        target = tuple(topk * share for share in target)
        target = tuple(min(share, 1.0) for share in target)
    config = PrismConfig(vocab_size=VOCAB, router_topk=topk, balance_target=target)
    router, x = skewed(config)
    wanted = torch.tensor(target or [topk / 3] * 3)
    start = router(x, None).load
    assert (start - wanted).abs().max() > 0.3
    for _ in range(400):
        router.balance(router(x, None).load)
    loads = []
    for _ in range(20):  # the controller steps by sign, so loads hover about the target
        loads.append(router(x, None).load)
        router.balance(loads[-1])
    assert (torch.stack(loads).mean(dim=0) - wanted).abs().max() < 0.1


def test_balance_leaves_what_is_always_on_and_shares_the_rest():
    config = PrismConfig(vocab_size=VOCAB, router_topk=2, always_on=("symbolic",))
    router, x = skewed(config)
    for _ in range(400):
        router.balance(router(x, None).load)
    load = router(x, None).load
    assert load[2] == 1
    assert (load[:2] - 0.5).abs().max() < 0.15


def test_a_rate_of_zero_never_balances():
    model = Prism(shrunk("tiny", router_topk=1, balance_rate=0.0))
    model.after_step(model(tokens_of(0, 2, 9)).loads)
    assert biases(model).abs().sum() == 0


def test_padding_does_not_move_the_balance_statistics():
    config = PrismConfig(vocab_size=VOCAB, router_topk=1)
    router, x = skewed(config)
    valid = torch.arange(128).expand(8, 128) < 40
    noisy = torch.where(valid[..., None], x, -100 * x)
    first, second = router(x, valid), router(noisy, valid)
    assert torch.equal(first.load, second.load)
    short = router(x[:, :40], None)
    assert torch.allclose(first.load, short.load)
    assert torch.allclose(first.penalty[:, :40], short.penalty)


def test_the_z_loss_is_the_square_of_the_log_partition():
    router, x = skewed(PrismConfig(vocab_size=VOCAB))
    wanted = router.score(x).logsumexp(dim=-1).square()
    assert torch.allclose(router(x, None).penalty, wanted)
    weights = {
        w: Prism(shrunk("tiny", router_z_loss=w))(tokens_of(0, 1, 9)).aux_loss for w in (0.0, 0.5)
    }
    assert weights[0.0] == 0
    assert weights[0.5] > 0


def independent(kinds: tuple[str, ...], **values: object) -> Router:
    return Router(PrismConfig(vocab_size=VOCAB, router_gates="independent", **values), kinds)


@torch.no_grad()
def test_an_independent_gate_does_not_move_when_a_kind_joins():
    both = independent(("neural", "memory"))
    both.score.bias.copy_(torch.tensor([0.3, -2.0]))
    alone = independent(("neural",))
    alone.score.weight.copy_(both.score.weight[:1])
    alone.score.bias.copy_(both.score.bias[:1])
    x = torch.randn(2, 9, 64, generator=torch.Generator().manual_seed(0))
    found, wanted = both(x, None).weight[..., :1], alone(x, None).weight
    assert torch.allclose(found, wanted, rtol=1e-6)  # one product of matrices more, or one row
    assert torch.allclose(found, 2 / (1 + torch.exp(-alone.score(x))))


@torch.no_grad()
def test_being_open_costs_an_independent_gate_nothing_by_itself():
    x = torch.randn(2, 9, 64)
    assert not independent(("neural", "memory"))(x, None).penalty.any()
    assert (Router(PrismConfig(vocab_size=VOCAB), ("neural", "memory"))(x, None).penalty > 0).all()


@torch.no_grad()
def test_independent_gates_choose_and_explore_like_the_others():
    router = independent(("neural", "memory", "symbolic"), router_topk=1)
    router.score.bias.copy_(torch.tensor([0.0, 5.0, 0.0]))
    x = torch.randn(2, 9, 64, generator=torch.Generator().manual_seed(0))
    hard = router(x, None)
    assert hard.load.tolist() == [0, 1, 0]
    router.epsilon = 0.25
    share = router(x, None).weight / hard.weight
    assert torch.allclose(share, torch.where(hard.chosen, 1.0, 0.25))


def test_the_default_has_neither_anchor_nor_bias():
    names = Prism(shrunk("tiny")).state_dict()
    assert not [name for name in names if "anchor" in name or name.endswith("score.bias")]


@torch.no_grad()
def test_exploration_gives_the_losers_a_fraction_of_their_weight():
    router, x = skewed(PrismConfig(vocab_size=VOCAB, router_topk=1))
    hard = router(x, None)
    router.epsilon = 0.25
    explored = router(x, None)
    assert torch.equal(explored.load, hard.load)
    share = explored.weight / hard.weight
    assert torch.allclose(share, torch.where(hard.chosen, 1.0, 0.25))


def test_after_step_without_loads_says_what_it_needs():
    with pytest.raises(ValueError, match=r"loads = None: must be the output\.loads"):
        Prism(shrunk("tiny")).after_step(None)


LOADS = [0.8, 0.15, 0.05]


@pytest.mark.parametrize("batches", (1, 4, 0.25))
def test_loads_may_be_summed_or_averaged(batches):
    model = Prism(shrunk("tiny", router_topk=1, num_layers=1))
    for _ in range(10):
        model.after_step(batches * torch.tensor([LOADS]))
    # each step takes one rate from the first kind and gives one to the others, less their mean
    wanted = 10 * model.config.balance_rate * torch.tensor([-4 / 3, 2 / 3, 2 / 3])
    assert torch.allclose(biases(model), wanted, atol=1e-6)


@pytest.mark.parametrize("topk", (1, 2))
def test_loads_that_sum_to_k_but_for_rounding_are_taken_as_they_are(topk):
    """A load that is exactly its target moves nothing, whatever the others' last bits are."""
    config = PrismConfig(vocab_size=VOCAB, router_topk=topk, balance_target=(topk / 2, topk / 2, 0))
    router = Router(config, config.expert_kinds)
    router.balance(torch.tensor([topk / 2, topk / 2 + 1e-7, 0.0]))
    assert router.selection_bias.abs().max() <= 1.01 * config.balance_rate


def test_a_step_without_a_real_token_moves_no_bias():
    model = Prism(shrunk("tiny", router_topk=1))
    model.after_step(torch.zeros(3, 3))
    assert not biases(model).any()


@pytest.mark.parametrize("shape", ((3,), (2, 3), (3, 2), (3, 3, 1)))
def test_loads_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"loads of shape .*: must be \(3, 3\), \[L, E\]"):
        Prism(shrunk("tiny", router_topk=1)).after_step(torch.ones(shape))


@pytest.mark.parametrize("topk", (1, None))
@pytest.mark.parametrize("bad", (float("nan"), float("inf"), -0.5))
def test_loads_that_are_no_loads_are_refused_and_move_nothing(bad, topk):
    model, loads = Prism(shrunk("tiny", router_topk=topk)), torch.full((3, 3), 1 / 3)
    loads[1, 2] = bad
    with pytest.raises(ValueError, match=r"loads = .*: must be finite and at least 0"):
        model.after_step(loads)
    assert not biases(model).any()


def test_loads_that_are_no_tensor_are_refused():
    with pytest.raises(ValueError, match=r"loads = \[1\.0\]: must be a tensor of \(3, 3\)"):
        Prism(shrunk("tiny", router_topk=1)).after_step([1.0])
