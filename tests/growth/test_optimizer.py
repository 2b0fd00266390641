"""The optimiser goes on: moments move with their weights, new entries start at zero."""

import dataclasses

import pytest
import torch
from hypothesis import given
from torch.nn import functional as F

from prism import Prism, PrismConfig, grow
from prism.growth.moments import warm_up_bound
from tests.growth.pairs import PARTS, SOFT, WIDTH, larger, pairs
from tests.model.families import perturbed, shrunk, tokens_of


def step(model: Prism, optimizer: torch.optim.Optimizer, seed: int = 0) -> None:
    tokens = tokens_of(seed, 3, 12)
    output = model(tokens)
    loss = F.cross_entropy(output.logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    optimizer.zero_grad()
    (loss + output.aux_loss).backward()
    optimizer.step()


def grouped(model: Prism) -> list[dict]:
    """Matrices are decayed, the rest is not."""
    return [
        {"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": 0.1},
        {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]


OPTIMIZERS = {
    "adamw": lambda groups: torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.95)),
    "amsgrad": lambda groups: torch.optim.AdamW(groups, lr=0.0, amsgrad=True),
    # without decay, which SGD counts as gradient
    "sgd": lambda groups: torch.optim.SGD(
        [p for group in groups for p in group["params"]], lr=0.0, momentum=0.9
    ),
}


def same_moments(model: Prism, new: PrismConfig, make) -> None:
    """Grow, then step; step, then grow: the moments of all that was there must be equal."""
    fresh = grow(model, new, make(grouped(model)))
    step(fresh.model, fresh.optimizer)
    optimizer = make(grouped(model))
    step(model, optimizer)
    moved = grow(model, new, optimizer)
    wanted = dict(fresh.model.named_parameters())
    for name, p in moved.model.named_parameters():
        for key, value in moved.optimizer.state[p].items():
            target = fresh.optimizer.state[wanted[name]][key]
            if value.dim() == 0:
                assert value == target
                continue
            rule = moved.tensors[name].rule
            old = torch.meshgrid(*(axis.index for axis in rule.axes), indexing="ij")
            if rule.copies is None:
                torch.testing.assert_close(value[old], target[old], rtol=1e-8, atol=1e-12)
            elif key == "exp_avg":  # a row and its copies share what was the gradient of the row
                rows = rule.axes[0].index[list(rule.copies.source)]
                target = target.index_add(0, rows, target[list(rule.copies.target)])
                torch.testing.assert_close(value[old], target[old], rtol=1e-8, atol=1e-12)
            assert int((value != 0).sum()) <= old[0].numel(), f"{name}.{key} has new entries"


# width alone: a further block changes the mean of the z-loss
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_moments_are_those_that_the_grown_model_would_have_had(kind):
    same_moments(perturbed(SOFT), larger(SOFT, WIDTH, amount=2), OPTIMIZERS[kind])


@given(pairs())
def test_so_they_are_whatever_grows(pair):
    old, new = (
        dataclasses.replace(config, router_z_loss=0.0, expert_output_penalty=0.0) for config in pair
    )
    same_moments(perturbed(old), new, OPTIMIZERS["adamw"])


def test_groups_keep_their_settings_and_take_the_new_tensors_of_their_sort():
    model = perturbed(SOFT)
    optimizer = torch.optim.AdamW(grouped(model), lr=1e-3, betas=(0.8, 0.9))
    optimizer.param_groups[0]["lr"] = 5e-4
    result = grow(model, larger(SOFT, PARTS), optimizer)
    first, second = result.optimizer.param_groups
    assert (first["lr"], first["weight_decay"], first["betas"]) == (5e-4, 0.1, (0.8, 0.9))
    assert (second["lr"], second["weight_decay"]) == (1e-3, 0.0)
    assert {p.dim() >= 2 for p in first["params"]} == {True}
    assert {p.dim() >= 2 for p in second["params"]} == {False}
    everything = {id(p) for p in result.model.parameters()}
    assert {id(p) for group in (first, second) for p in group["params"]} == everything


def test_a_padded_tensor_counts_on_and_a_fresh_one_begins():
    model = perturbed(SOFT)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for seed in range(3):
        step(model, optimizer, seed)
    result = grow(model, larger(SOFT, {"width", "depth"}), optimizer)
    named = dict(result.model.named_parameters())
    assert result.optimizer.state[named["blocks.0.neural.write.weight"]]["step"] == 3
    assert named["blocks.3.neural.write.weight"] not in result.optimizer.state
    rows = {tensor.name: tensor.moments for tensor in result.report.tensors}
    assert rows["blocks.0.neural.write.weight"].endswith("step 3 goes on")
    assert rows["blocks.3.neural.write.weight"] == "no moments yet"
    step(result.model, result.optimizer)


def test_frozen_parameters_stay_frozen_and_out_of_the_optimizer():
    model = perturbed(SOFT)
    model.embedding.weight.requires_grad_(False)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    result = grow(model, larger(SOFT, {"width"}), optimizer)
    table = result.model.embedding.weight
    assert not table.requires_grad
    assert all(table is not p for group in result.optimizer.param_groups for p in group["params"])


def test_router_biases_mode_and_exploration_survive():
    model = perturbed(shrunk("300m"), epsilon=0.25).eval()
    grown = grow(model, larger(model.config, PARTS)).model
    assert not grown.training
    for block, kept in zip(model.blocks, grown.blocks, strict=False):
        assert torch.equal(block.router.selection_bias, kept.router.selection_bias)
    assert {block.router.epsilon for block in grown.blocks} == {0.25}


@pytest.mark.parametrize(("betas", "peak"), [((0.9, 0.95), 1.1), ((0.9, 0.999), 6.6)])
def test_the_report_says_how_far_updates_of_new_entries_overshoot(betas, peak):
    model = perturbed(SOFT)
    optimizer = torch.optim.AdamW(model.parameters(), betas=betas)
    assert warm_up_bound(optimizer) == pytest.approx(peak, rel=0.02)
    assert "times the learning rate" in str(grow(model, larger(SOFT, PARTS), optimizer).report)


def test_the_new_entries_of_an_old_tensor_move_as_far_as_the_formula_says():
    w = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.AdamW([w], lr=1.0, betas=(0.9, 0.95), weight_decay=0.0)
    state = {"step": torch.tensor(1e6), "exp_avg": w.detach() * 0, "exp_avg_sq": w.detach() * 0}
    optimizer.state[w] = state
    for k in range(1, 5):
        before = w.item()
        w.grad = torch.ones_like(w)
        optimizer.step()
        wanted = (1 - 0.9**k) / (1 - 0.95**k) ** 0.5
        assert before - w.item() == pytest.approx(wanted, rel=1e-6)


def test_an_optimizer_of_another_model_is_refused():
    other = torch.optim.AdamW(perturbed(SOFT).parameters())
    with pytest.raises(ValueError, match=r"optimizer: a parameter .* is not one of the model's"):
        grow(perturbed(SOFT), larger(SOFT, PARTS), other)


def test_a_state_of_unknown_meaning_is_refused():
    model = perturbed(SOFT)
    optimizer = torch.optim.Adagrad(model.parameters())
    with pytest.raises(ValueError, match=r"optimizer state 'sum' of embedding\.weight: cannot"):
        grow(model, larger(SOFT, PARTS), optimizer)
