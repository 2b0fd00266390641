"""Generation: the recurrent step gives what re-reading everything would, at O(1) per token."""

import re

import pytest
import torch

from prism import Prism
from tests.model.families import VARIANTS, VOCAB, perturbed, shrunk, tokens_of

variants = pytest.mark.parametrize("name", VARIANTS)


@variants
@torch.no_grad()
def test_greedy_generation_is_the_argmax_of_reading_everything_again(name):
    model = perturbed(VARIANTS[name])
    tokens = tokens_of(0, 2, 5)
    text = model.generate(tokens, max_new_tokens=20, temperature=0)
    for _ in range(20):
        best = model(tokens).logits[:, -1].argmax(dim=-1, keepdim=True)
        tokens = torch.cat([tokens, best], dim=1)
    assert torch.equal(text, tokens)


def test_a_seed_repeats_the_draw_and_another_changes_it():
    model, prompt = perturbed(VARIANTS["tiny"]), tokens_of(0, 1, 4)
    draw = [model.generate(prompt, 40, temperature=1.0, seed=seed) for seed in (0, 0, 1)]
    assert torch.equal(draw[0], draw[1])
    assert not torch.equal(draw[0], draw[2])


def test_a_seeded_draw_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    perturbed(VARIANTS["tiny"]).generate(tokens_of(0, 1, 4), 5, seed=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_likeliest_one_is_greedy():
    model, prompt = perturbed(VARIANTS["tiny"]), tokens_of(0, 2, 4)
    greedy = model.generate(prompt, 20, temperature=0)
    assert torch.equal(model.generate(prompt, 20, top_k=1, seed=0), greedy)


@torch.no_grad()
def test_only_the_k_likeliest_are_ever_drawn():
    model = perturbed(VARIANTS["tiny"])
    text = model.generate(tokens_of(0, 1, 4), 60, temperature=2.0, top_k=3, seed=0)
    best = model(text).logits[0, 3:-1].topk(3, dim=-1).indices
    assert (best == text[0, 4:, None]).any(dim=-1).all()
    assert len(text[0].unique()) > 1


@pytest.mark.parametrize("shape", ((4,), (1, 4), (3, 4)), ids=str)
def test_the_continuation_keeps_the_shape_and_the_prompt(shape):
    prompt = tokens_of(0, 1, 4)[0].expand(shape)
    text = Prism(shrunk("tiny")).generate(prompt, max_new_tokens=6, seed=0)
    assert text.shape == (*shape[:-1], 10)
    assert torch.equal(text[..., :4], prompt)
    assert ((text >= 0) & (text < VOCAB)).all()


def test_no_new_tokens_is_the_prompt():
    prompt = tokens_of(0, 2, 4)
    assert torch.equal(Prism(shrunk("tiny")).generate(prompt, max_new_tokens=0), prompt)


@pytest.mark.parametrize("training", (True, False), ids=("train", "eval"))
def test_generation_leaves_the_mode_as_it_was(training):
    model = Prism(shrunk("tiny")).train(training)
    model.generate(tokens_of(0, 1, 3), 2)
    assert model.training == training
    with pytest.raises(ValueError, match=f"tokens: ids {VOCAB} to {VOCAB}: must be in"):
        model.generate(torch.full((3,), VOCAB), 2)  # no such token: the first step raises
    assert model.training == training


def test_generation_reads_the_prefix_once():
    model, lengths = Prism(shrunk("tiny")), []
    model.blocks[0].register_forward_hook(lambda _m, args, _o: lengths.append(args[0].shape[1]))
    model.generate(tokens_of(0, 1, 7), 4)
    assert lengths == [7, 1, 1, 1]


@pytest.mark.parametrize(
    "changes, message",
    (
        ({"prompt": torch.zeros(0, dtype=torch.long)}, "prompt of shape (0,): must be"),
        ({"prompt": torch.zeros(1, 1, 1, dtype=torch.long)}, "prompt of shape (1, 1, 1): must be"),
        ({"max_new_tokens": -1}, "max_new_tokens = -1: must be >= 0"),
        ({"temperature": -0.5}, "temperature = -0.5: must be a number >= 0"),
        ({"temperature": float("nan")}, "temperature = nan: must be a number >= 0"),
        ({"top_k": 0}, "top_k = 0: must be None or >= 1"),
    ),
)
def test_a_bad_value_is_named(changes, message):
    values = {"prompt": tokens_of(0, 1, 3), "max_new_tokens": 2, **changes}
    with pytest.raises(ValueError, match=re.escape(message)):
        Prism(shrunk("tiny")).generate(**values)


@variants
def test_the_state_does_not_grow_with_what_was_read(name):
    model = Prism(VARIANTS[name])
    assert model.state_bytes(1) == model.state_bytes(300) > 0
