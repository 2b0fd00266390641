"""Fixed codes of tokens: signs, orthogonal where there is room, the same in every process."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.config import PrismConfig, SymbolicConfig
from prism.model.prism import Prism
from prism.model.symbolic.codes import token_codes

ANSWERING = SymbolicConfig(answers=True, dials=2, reflections=2, width=8, reflection_width=16)


def answering() -> Prism:
    return Prism(PrismConfig(vocab_size=24, d_model=16, num_layers=1, symbolic=ANSWERING))


@given(st.integers(1, 6), st.integers(1, 64))
def test_codes_of_as_many_tokens_as_the_width_are_orthogonal(power: int, vocab: int) -> None:
    width = 2**power
    code = token_codes(min(vocab, width), width)
    product = code @ code.T / width
    torch.testing.assert_close(product, torch.eye(len(code)))


@pytest.mark.parametrize("width", [32, 128])
def test_codes_are_signs_and_no_two_are_equal(width: int) -> None:
    code = token_codes(5_000, width)
    assert code.shape == (5_000, width)
    assert code.abs().eq(1).all()
    assert len(code.unique(dim=0)) == 5_000


def test_codes_do_not_depend_on_a_seed_and_leave_the_generator_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = token_codes(100, 16)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(token_codes(100, 16), first)
    assert torch.equal(token_codes(50, 16), first[:50])


def test_nothing_trains_codes_and_a_saved_model_has_them() -> None:
    model = answering()
    trained = {name for name, _ in model.named_parameters()}
    assert {"machine.code", "machine.wide_code"} <= set(model.state_dict()) - trained


def test_a_machine_is_trained_by_its_own_answer_alone() -> None:
    model = answering().train()
    tokens = torch.randint(24, (2, 12))
    output = model(tokens)
    assert [own.shape for own in output.own] == [(2, 12, 24)] * 3
    output.logits.logsumexp(-1).sum().backward(retain_graph=True)
    assert all(p.grad is None for p in model.machine.dials.parameters())
    output.own[1].logsumexp(-1).sum().backward()
    assert model.machine.dials.value.weight.grad.abs().sum() > 0
    others = [p.grad for p in model.machine.reflections.parameters()]
    assert all(grad is None or not grad.any() for grad in others)


@pytest.mark.parametrize("field", ["width", "reflection_width"])
def test_a_width_below_one_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} = 0: must be an integer >= 1"):
        SymbolicConfig(answers=True, **{field: 0})


@pytest.mark.parametrize("width", [32, 128, 7])
def test_more_tokens_leave_the_codes_of_the_others(width: int) -> None:
    assert torch.equal(token_codes(5_000, width)[:257], token_codes(257, width))


@torch.no_grad()
def test_machines_for_more_tokens_say_of_the_others_what_they_said() -> None:
    model, tokens = answering().double(), torch.arange(9)[None]

    def said() -> torch.Tensor:
        embed = model.embed_normalised
        run = model.machine(tokens, embed(tokens), embed, None, None)
        return torch.stack(model.machine.logits(run.answers))

    before = said()
    model.machine.resize(40)
    after = said()
    assert after.shape == (3, 1, 9, 40)
    torch.testing.assert_close(after[..., :24], before, rtol=0, atol=1e-12)


def test_what_is_made_once_for_each_id_is_what_each_token_would_make() -> None:
    model = Prism(PrismConfig(vocab_size=24, d_model=16, num_layers=1, symbolic=ANSWERING)).double()
    tokens = torch.randint(24, (3, 20), generator=torch.Generator().manual_seed(0))
    segment_ids = torch.tensor([[0] * 8 + [1] * 12])
    results = []
    for rows in (tokens.split(1), [tokens]):  # a row has fewer tokens than there are ids
        runs = [model(row, segment_ids=segment_ids.expand(len(row), -1)) for row in rows]
        logits = torch.cat([run.logits for run in runs])
        own = [torch.cat(each) for each in zip(*(run.own for run in runs), strict=True)]
        loss = sum(x.square().sum() for x in (logits, *own))
        results.append((logits, *own, *torch.autograd.grad(loss, list(model.parameters()))))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10 * (1 + other.abs().max().item()))
