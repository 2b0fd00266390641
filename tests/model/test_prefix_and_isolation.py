"""I1 and I2: nothing after a position and nothing in another row reaches a position's logits."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism import Prism
from tests.model.families import (
    VARIANTS,
    VOCAB,
    changed_from,
    configs,
    in_mode,
    many_draws,
    perturbed,
    segments_of,
    tokens_of,
)

modes = pytest.mark.parametrize("training", (True, False), ids=("train", "eval"))
exploration = pytest.mark.parametrize("epsilon", (0.0, 0.3))
variants = pytest.mark.parametrize("name", VARIANTS)


def assert_unchanged(model: Prism, before: torch.Tensor, after: torch.Tensor) -> None:
    assert (before - after).abs().max() <= 1e-12
    routers = [block.router for block in model.blocks if block.router is not None]
    dense = all(
        router.topk == len(router.kinds) or (router.epsilon > 0 and router.training)
        for router in routers
    )
    if dense:  # nothing is gathered, so not even the order of a sum may change
        assert torch.equal(before, after)


def check_prefix(model: Prism, tokens, at: int, segment_ids=None) -> None:
    before = model(tokens, segment_ids=segment_ids).logits
    after = model(changed_from(tokens, at), segment_ids=segment_ids).logits
    assert_unchanged(model, before[:, :at], after[:, :at])
    heard = segment_ids is None or bool((segment_ids[:, at:] >= 0).any())  # padding never is
    assert ((before[:, at:] - after[:, at:]).abs().max() > 1e-6) == heard


def check_isolation(model: Prism, tokens, row: int, segment_ids=None) -> None:
    changed = tokens.clone()
    changed[row] = (changed[row] + 1) % VOCAB
    before = model(tokens, segment_ids=segment_ids).logits
    after = model(changed, segment_ids=segment_ids).logits
    others = [i for i in range(len(tokens)) if i != row]
    assert_unchanged(model, before[others], after[others])
    heard = segment_ids is None or bool((segment_ids[row] >= 0).any())
    assert ((before[row] - after[row]).abs().max() > 1e-6) == heard


@variants
@modes
@exploration
@torch.no_grad()
def test_the_future_never_changes_the_past(name, training, epsilon):
    model = in_mode(perturbed(VARIANTS[name], epsilon=epsilon), training)
    for at in (1, 4, 10, 14):
        check_prefix(model, tokens_of(at, 2, 15), at)


@variants
@modes
@exploration
@torch.no_grad()
def test_a_row_never_changes_another(name, training, epsilon):
    model = in_mode(perturbed(VARIANTS[name], epsilon=epsilon), training)
    for row in range(3):
        check_isolation(model, tokens_of(row, 3, 13), row)


@many_draws
@given(
    config=configs(),
    length=st.integers(2, 17),
    epsilon=st.sampled_from((0.0, 0.5)),
    training=st.booleans(),
    packed=st.booleans(),
    data=st.data(),
)
@torch.no_grad()
def test_no_option_lets_a_token_see_the_future_or_another_row(
    config, length, epsilon, training, packed, data
):
    model = perturbed(config, epsilon=epsilon).train(training)
    tokens = tokens_of(config.seed, 2, length)
    segment_ids = segments_of(config.seed, 2, length) if packed else None
    check_prefix(model, tokens, data.draw(st.integers(1, length - 1)), segment_ids)
    check_isolation(model, tokens, data.draw(st.integers(0, 1)), segment_ids)


@variants
def test_the_gradient_of_a_position_reaches_no_later_token(name):
    # more ids than tokens: each token is embedded by itself
    model = perturbed(replace(VARIANTS[name], vocab_size=4 * VOCAB))
    inputs = []  # embeddings of the tokens, and of what a lookup found for each

    def keep(_module, _args, output):
        inputs.append(output.requires_grad_())
        output.retain_grad()

    handle = model.embedding.register_forward_hook(keep)
    model(tokens_of(0, 2, 12)).logits[0, 6].sum().backward()
    handle.remove()
    reaches = [x.grad.abs().flatten(2).sum(dim=-1) for x in inputs]
    assert (reaches[0][0, :7] > 0).all()
    for reach in reaches:
        assert (reach[0, 7:] == 0).all()
        assert (reach[1] == 0).all()
