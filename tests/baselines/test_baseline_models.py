"""Invariants of every baseline and arm, the same as PRISM's."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from prism.baselines import BASELINES, build_with_budget
from prism.baselines.transformer import document_position
from prism.config import PrismConfig
from prism.model.protocol import map_state
from prism.recipe import decays

VOCAB = 11
CONFIG = PrismConfig(vocab_size=VOCAB, d_model=16, num_layers=2, chunk_size=8, seed=3)
PARAMETERS = 12_000
every_baseline = pytest.mark.parametrize("name", BASELINES)


def model_of(name: str, **changes: int):
    config = PrismConfig.from_dict({**CONFIG.to_dict(), **changes})
    model = build_with_budget(name, config, PARAMETERS).double()
    larger = 5.0 if model.arm.start == "gpt2" else 1.5
    with torch.no_grad():  # larger than at the start, so that errors would show
        for parameter in model.parameters():
            if parameter.dim() == 2 and len(parameter) > 4:
                parameter.mul_(larger)
            elif parameter.dim() == 2:  # a convolution may start as the identity
                parameter.add_(torch.linspace(-0.3, 0.3, len(parameter))[:, None])
    return model


def tokens_of(seed: int, batch: int, length: int) -> torch.Tensor:
    return torch.randint(VOCAB, (batch, length), generator=torch.Generator().manual_seed(seed))


def segments_of(seed: int, batch: int, length: int) -> torch.Tensor:
    """Packed rows: documents of a few tokens, some padding (-1) between them."""
    g = torch.Generator().manual_seed(seed)
    run = (torch.rand(batch, length, generator=g) < 0.25).long().cumsum(dim=1)
    ids = torch.randint(-1, 3, (batch, length + 1), generator=g)
    return ids.gather(1, run)


def loss_of(logits: torch.Tensor) -> torch.Tensor:
    weight = torch.linspace(-1, 1, logits.numel(), dtype=logits.dtype).view_as(logits)
    return (logits * weight).sum()


def gradients(model, logits: torch.Tensor) -> list[torch.Tensor]:
    return list(torch.autograd.grad(loss_of(logits), list(model.parameters())))


def read_in_pieces(model, tokens, cuts, segment_ids=None) -> torch.Tensor:
    state, logits = None, []
    edges = [0, *cuts, tokens.shape[1]]
    for a, b in pairwise(edges):
        ids = None if segment_ids is None else segment_ids[:, a:b]
        output = model(tokens[:, a:b], state=state, segment_ids=ids)
        state = output.state
        logits.append(output.logits)
    return torch.cat(logits, dim=1)


@every_baseline
@given(seed=st.integers(0, 99), length=st.integers(2, 30), data=st.data())
def test_the_future_never_changes_the_past(name, seed, length, data):
    model, tokens = model_of(name), tokens_of(seed, 2, length)
    at = data.draw(st.integers(1, length - 1))
    changed = tokens.clone()
    changed[:, at:] = (changed[:, at:] + 1) % VOCAB
    difference = model(tokens).logits - model(changed).logits
    assert difference[:, :at].abs().max() <= 1e-12
    assert difference[:, at:].abs().max() > 1e-6


@every_baseline
def test_a_sample_never_changes_another(name):
    model, tokens = model_of(name), tokens_of(0, 3, 21)
    changed = tokens.clone()
    changed[1] = (changed[1] + 1) % VOCAB
    assert torch.equal(model(tokens).logits[[0, 2]], model(changed).logits[[0, 2]])


@every_baseline
@given(seed=st.integers(0, 99), length=st.integers(2, 30), packed=st.booleans(), data=st.data())
def test_any_split_into_calls_is_one_call(name, seed, length, packed, data):
    model, tokens = model_of(name), tokens_of(seed, 2, length)
    ids = segments_of(seed, 2, length) if packed else None
    cuts = data.draw(st.lists(st.integers(1, length - 1), unique=True, max_size=6).map(sorted))
    whole = model(tokens, segment_ids=ids).logits
    pieces = read_in_pieces(model, tokens, cuts, ids)
    torch.testing.assert_close(pieces, whole, rtol=0, atol=1e-10)
    for a, b in zip(gradients(model, pieces), gradients(model, whole), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@every_baseline
def test_token_by_token_in_fp32(name):
    model, tokens = model_of(name).float(), tokens_of(0, 2, 40)
    whole = model(tokens).logits
    steps = read_in_pieces(model, tokens, range(1, 40))
    assert (steps - whole).abs().max() <= 1e-5 * whole.abs().max()


@every_baseline
@given(seed=st.integers(0, 99), length=st.integers(1, 30))
def test_a_packed_document_is_the_document_alone(name, seed, length):
    model, tokens, ids = model_of(name), tokens_of(seed, 2, length), segments_of(seed, 2, length)
    packed = model(tokens, segment_ids=ids).logits
    for row in range(2):
        real = (ids[row] >= 0).nonzero()[:, 0]  # padding is no document and parts none
        of = ids[row, real]
        starts = [t for t in range(1, len(real)) if of[t] != of[t - 1]]
        for a, b in pairwise([0, *starts, len(real)] if len(real) else []):
            alone = model(tokens[row, real[a:b]][None]).logits[0]
            torch.testing.assert_close(packed[row, real[a:b]], alone, rtol=0, atol=1e-12)
        assert not packed[row][ids[row] < 0].any()


@every_baseline
def test_a_new_document_forgets_the_carried_state(name):
    model, tokens = model_of(name), tokens_of(0, 2, 20)
    first = model(tokens, segment_ids=torch.zeros_like(tokens))
    after = model(tokens, state=first.state, segment_ids=torch.ones_like(tokens)).logits
    torch.testing.assert_close(after, model(tokens).logits, rtol=0, atol=1e-12)


@every_baseline
def test_padding_never_changes_a_real_token(name):
    model, tokens = model_of(name), tokens_of(0, 2, 20)
    ids = torch.full_like(tokens, 7)
    ids[0, :6] = -1
    ids[1, 15:] = -1
    other = torch.where(ids < 0, (tokens + 1) % VOCAB, tokens)
    real = ids >= 0
    got, want = model(tokens, segment_ids=ids).logits, model(other, segment_ids=ids).logits
    assert torch.equal(got[real], want[real])
    torch.testing.assert_close(got[0, 6:], model(tokens[:1, 6:]).logits[0], rtol=0, atol=1e-12)


@every_baseline
def test_segment_ids_may_begin_after_calls_without_them(name):
    model, tokens = model_of(name), tokens_of(0, 2, 24)
    ids = torch.tensor([[5] * 4 + [6] * 8] * 2)
    first = model(tokens[:, :6])
    second = model(tokens[:, 6:18], state=first.state, segment_ids=ids)
    third = model(tokens[:, 18:], state=second.state)
    got = torch.cat([first.logits, second.logits, third.logits], dim=1)
    torch.testing.assert_close(got[:, :10], model(tokens[:, :10]).logits, rtol=0, atol=1e-12)
    torch.testing.assert_close(got[:, 10:], model(tokens[:, 10:]).logits, rtol=0, atol=1e-12)


@every_baseline
def test_chunk_size_changes_nothing(name):
    tokens = tokens_of(0, 2, 37)
    want = model_of(name, chunk_size=64)(tokens).logits
    for size in (1, 5, 16):
        got = model_of(name, chunk_size=size)(tokens).logits
        torch.testing.assert_close(got, want, rtol=0, atol=1e-10)


@every_baseline
def test_the_seed_decides_the_weights_and_leaves_the_global_generator_alone(name):
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = build_with_budget(name, CONFIG, PARAMETERS).state_dict()
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(2)
    second = build_with_budget(name, CONFIG, PARAMETERS).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    other = PrismConfig.from_dict({**CONFIG.to_dict(), "seed": 4})
    third = build_with_budget(name, other, PARAMETERS).state_dict()
    assert any(not torch.equal(first[key], third[key]) for key in first)


@every_baseline
def test_every_parameter_element_gets_a_gradient_within_two_steps(name):
    model, tokens = build_with_budget(name, CONFIG, PARAMETERS), tokens_of(0, 8, 40)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    touched = {key: torch.zeros_like(p, dtype=torch.bool) for key, p in model.named_parameters()}
    for _ in range(2):
        optimizer.zero_grad()
        F.cross_entropy(
            model(tokens).logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()
        ).backward()
        for key, parameter in model.named_parameters():
            touched[key] |= parameter.grad != 0
        optimizer.step()
    assert {key: int((~seen).sum()) for key, seen in touched.items() if not seen.all()} == {}


@every_baseline
def test_matrices_are_decayed_and_vectors_are_not(name):
    for key, parameter in build_with_budget(name, CONFIG, PARAMETERS).named_parameters():
        table = key == "lookup.gain"
        assert decays(key, parameter) == (parameter.dim() == 2 and not table), key


@every_baseline
def test_loss_and_gradients_are_finite_at_length(name):
    model, tokens = build_with_budget(name, CONFIG, PARAMETERS), tokens_of(0, 1, 2048)
    logits = model(tokens).logits
    F.cross_entropy(logits[0, :-1], tokens[0, 1:]).backward()
    assert logits.isfinite().all()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@every_baseline
def test_generation_is_the_forward_pass_taken_step_by_step(name):
    model, prompt = model_of(name), tokens_of(0, 2, 5)
    text = model.generate(prompt, max_new_tokens=6, temperature=0)
    assert torch.equal(text[:, 5:], model(text).logits[:, 4:-1].argmax(dim=-1))
    assert torch.equal(
        model.generate(prompt, 6, top_k=4, seed=1), model.generate(prompt, 6, top_k=4, seed=1)
    )


@every_baseline
def test_state_grows_with_the_context_only_where_there_is_attention(name):
    model = build_with_budget(name, CONFIG, PARAMETERS)
    short, long = model.state_bytes(16), model.state_bytes(256)
    if name.startswith("transformer"):
        # the rest, a lookup's tables, has one size
        assert long - short == 240 * (model.state_bytes(17) - short) > 0
    else:
        assert long == short


@every_baseline
def test_state_is_a_value(name):
    model, tokens = model_of(name), tokens_of(0, 2, 12)
    state = model(tokens).state
    copy = map_state(state, torch.clone)
    first, second = (model(tokens, state=state).logits for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(first, model(tokens, state=copy).logits)


@every_baseline
def test_half_precision_weights_keep_a_wide_residual(name):
    model, tokens = build_with_budget(name, CONFIG, PARAMETERS), tokens_of(0, 2, 20)
    want = model(tokens).logits
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = model(tokens).logits
    got = model.bfloat16()(tokens).logits
    assert got.dtype == torch.bfloat16
    for logits in (mixed, got):
        assert (logits.float() - want).abs().max() < 0.1 * want.abs().max()


@every_baseline
def test_a_tiny_copy_batch_is_learned(name):
    model = build_with_budget(name, CONFIG, PARAMETERS)
    data = tokens_of(0, 8, 4)
    tokens = torch.cat([data, data], dim=1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(tokens).logits[:, 3:-1].flatten(0, 1), data.flatten())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_positions_count_from_the_start_of_each_document():
    """RoPE sees only differences, so the logits cannot show this; rounding in bf16 would."""
    doc_index = torch.tensor([[0, 0, 1, 1, 1, 2], [1, 1, 1, 1, 2, 3]])
    before = torch.tensor([7, 7])
    want = torch.tensor([[7, 8, 0, 1, 2, 0], [0, 1, 2, 3, 0, 0]])
    assert torch.equal(document_position(before, 6, doc_index), want)
    assert document_position(before, 3, None).tolist() == [[7, 8, 9], [7, 8, 9]]


@pytest.mark.filterwarnings("ignore")  # torch's tracer warns about itself
def test_attention_is_traced_whole_at_any_length():
    torch.compiler.reset()
    model = model_of("transformer").eval()
    traced = torch.compile(model, backend="eager", fullgraph=True, dynamic=True)
    with torch.no_grad():
        for length in (7, 12):
            tokens = torch.arange(length)[None] % 11
            wanted, found = model(tokens), traced(tokens)
            assert torch.equal(found.logits, wanted.logits)
            again = traced(tokens[:, :1], state=found.state).logits
            assert torch.equal(again, model(tokens[:, :1], state=wanted.state).logits)
