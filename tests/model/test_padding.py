"""Padding leaves a state as it was: ragged rows read and decode together as each does alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism import PrismConfig, TapeConfig
from prism.baselines import build
from prism.model.state import leaves
from tests.model.families import VARIANTS, VOCAB, configs, loss_of, perturbed, tokens_of

SMALL = PrismConfig(
    vocab_size=VOCAB,
    d_model=16,
    num_layers=2,
    num_rates=4,
    chunk_size=4,
    tape=TapeConfig(num_slots=6, d_mem=4, retention=(0.9, 1.0)),
)
BASELINES = ("transformer", "ssm", "gdn", "gdn-neg")
NAMES = (*BASELINES, *VARIANTS)
every_model = pytest.mark.parametrize("name", NAMES)
LENGTHS = (5, 1, 12, 3, 7, 9, 2, 12)


def model_of(name: str):
    if name in VARIANTS:
        return perturbed(VARIANTS[name])
    model = build(name, SMALL).double()
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() == 2:
                p.mul_(5)  # at the start errors would not show
    return model


def ragged(side: str, lengths=LENGTHS) -> tuple[list[torch.Tensor], torch.Tensor, torch.Tensor]:
    """Prompts, and the batch of them padded on one side or, inside, everywhere."""
    width = max(lengths) + 2
    prompts = [tokens_of(i, 1, n)[0] for i, n in enumerate(lengths)]
    tokens, ids = tokens_of(99, len(lengths), width), torch.full((len(lengths), width), -1)
    g = torch.Generator().manual_seed(1)
    for row, prompt in enumerate(prompts):
        n = len(prompt)
        places = {
            "right": torch.arange(n),
            "left": torch.arange(width - n, width),
            "inside": torch.randperm(width, generator=g)[:n].sort().values,
        }[side]
        tokens[row, places], ids[row, places] = prompt, 0
    return prompts, tokens, ids


@every_model
@pytest.mark.parametrize("side", ("right", "left", "inside"))
@pytest.mark.parametrize("named", (False, True), ids=("decode", "decode with segment_ids"))
@torch.no_grad()
def test_prompts_of_different_length_decode_together_as_each_alone(name, side, named):
    model = model_of(name)
    prompts, tokens, ids = ragged(side)
    output = model(tokens, segment_ids=ids)
    more = tokens_of(7, len(prompts), 6)
    state, steps = output.state, []
    for t in range(more.shape[1]):
        step = more[:, t : t + 1]
        after = model(step, state=state, segment_ids=torch.zeros_like(step) if named else None)
        state = after.state
        steps.append(after.logits)
    together = torch.cat(steps, dim=1)
    for row, prompt in enumerate(prompts):
        alone = model(torch.cat([prompt, more[row]])[None]).logits[0]
        torch.testing.assert_close(
            output.logits[row][ids[row] >= 0], alone[: len(prompt)], rtol=0, atol=1e-10
        )
        torch.testing.assert_close(together[row], alone[len(prompt) :], rtol=0, atol=1e-10)


@every_model
@torch.no_grad()
def test_a_call_of_padding_alone_changes_nothing(name):
    model, tokens = model_of(name), tokens_of(0, 3, 11)
    ids = torch.tensor([[0] * 6 + [1] * 5, [2] * 11, [-1] * 11])
    state = model(tokens, segment_ids=ids).state
    for width in (1, 9):
        padding = torch.full((3, width), -1)
        after = model(tokens_of(1, 3, width), state=state, segment_ids=padding)
        assert not after.logits.any()
        more, more_ids = tokens_of(2, 3, 8), torch.tensor([[1] * 8, [2] * 4 + [0] * 4, [5] * 8])
        found = model(more, state=after.state, segment_ids=more_ids).logits
        wanted = model(more, state=state, segment_ids=more_ids).logits
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


@torch.no_grad()
def test_padding_of_prism_keeps_every_tensor_of_the_state_to_the_bit():
    for name in VARIANTS:
        model = perturbed(VARIANTS[name])
        state = model(tokens_of(0, 2, 7), segment_ids=torch.zeros(2, 7, dtype=torch.long)).state
        for width in (1, 9):
            padding = torch.full((2, width), -1)
            after = model(tokens_of(1, 2, width), state=state, segment_ids=padding).state
            for a, b in zip(leaves(state), leaves(after), strict=True):
                torch.testing.assert_close(a, b, rtol=0, atol=1e-14)


@every_model
def test_gradients_of_padded_rows_are_those_of_rows_alone(name):
    model = model_of(name)
    prompts, tokens, ids = ragged("inside", (4, 9))
    more = tokens_of(7, 2, 3)
    parameters = list(model.parameters())

    def gradients(logits):
        found = torch.autograd.grad(sum(map(loss_of, logits)), parameters, allow_unused=True)
        return [torch.zeros(()) if g is None else g for g in found]

    output = model(tokens, segment_ids=ids)
    after = model(more, state=output.state).logits
    rows = [torch.cat([output.logits[i][ids[i] >= 0], after[i]])[None] for i in range(2)]
    alone = [model(torch.cat([p, m])[None]).logits for p, m in zip(prompts, more, strict=True)]
    for a, b in zip(gradients(rows), gradients(alone), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@given(config=configs(), seed=st.integers(0, 99), data=st.data())
@torch.no_grad()
def test_padding_put_anywhere_changes_no_real_token(config, seed, data):
    model, tokens = perturbed(config), tokens_of(seed, 1, 10)
    ids = torch.tensor([[0] * 4 + [1] * 6])
    wanted = model(tokens, segment_ids=ids).logits
    where = data.draw(st.lists(st.integers(0, 10), min_size=1, max_size=6).map(sorted))
    padded, padded_ids = tokens[0].tolist(), ids[0].tolist()
    for at in reversed(where):
        padded.insert(at, data.draw(st.integers(0, VOCAB - 1)))
        padded_ids.insert(at, -1)
    padded, padded_ids = torch.tensor([padded]), torch.tensor([padded_ids])
    cut = data.draw(st.integers(1, padded.shape[1] - 1))
    first = model(padded[:, :cut], segment_ids=padded_ids[:, :cut])
    second = model(padded[:, cut:], state=first.state, segment_ids=padded_ids[:, cut:])
    found = torch.cat([first.logits, second.logits], dim=1)[padded_ids >= 0]
    torch.testing.assert_close(found, wanted[0], rtol=0, atol=1e-10)


@torch.no_grad()
def test_routing_and_penalty_are_in_the_order_of_the_call():
    model = perturbed(VARIANTS["300m"])
    prompts, tokens, ids = ragged("left")
    output = model(tokens, segment_ids=ids, routing=True)
    for row, prompt in enumerate(prompts):
        alone = model(prompt[None], routing=True)
        real = ids[row] >= 0
        torch.testing.assert_close(output.penalty[row][real], alone.penalty[0], rtol=0, atol=1e-12)
        for found, wanted in zip(output.routing, alone.routing, strict=True):
            for key in ("probability", "bus_gates", "write_gates", "primitive"):
                if getattr(wanted, key) is not None:
                    torch.testing.assert_close(
                        getattr(found, key)[row][real], getattr(wanted, key)[0], rtol=0, atol=1e-12
                    )


@torch.no_grad()
def test_the_query_for_facts_holds_over_padding():
    model = perturbed(PrismConfig.from_dict({**SMALL.to_dict(), "holo_mode": True}))
    prompts, tokens, ids = ragged("inside")
    output = model(tokens, segment_ids=ids)
    more = tokens_of(7, len(prompts), 5)
    after = model(more, state=output.state).holo
    for row, prompt in enumerate(prompts):
        alone = model(torch.cat([prompt, more[row]])[None]).holo
        real, n = ids[row] >= 0, len(prompt)
        for key in ("keys", "query_mask", "position"):
            wanted = getattr(alone, key)[0]
            assert torch.equal(getattr(output.holo, key)[row][real], wanted[:n]), key
            assert torch.equal(getattr(after, key)[row], wanted[n:]), key
