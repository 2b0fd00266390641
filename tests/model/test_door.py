"""Arguments of a call are checked at its door: one line names thing, value and what is allowed."""

import re

import numpy as np
import pytest
import torch

from prism import PrismConfig
from prism.baselines import build
from tests.model.families import VARIANTS, VOCAB, perturbed, tokens_of

SMALL = PrismConfig(vocab_size=VOCAB, d_model=32, num_layers=2)
NAMES = ("prism", "transformer", "ssm", "gdn")
every_model = pytest.mark.parametrize("name", NAMES)
TOKENS = tokens_of(0, 2, 7)
ZERO = torch.zeros_like(TOKENS)

CALLS = {
    "one dimension": ((TOKENS[0],), {}, "tokens of shape [7]: must be [B, T] with B >= 1"),
    "no time": ((TOKENS[:, :0],), {}, "tokens of shape [2, 0]: must be [B, T] with B >= 1 and T"),
    "no rows": ((TOKENS[:0],), {}, "tokens of shape [0, 7]: must be [B, T] with B >= 1 and T >= 1"),
    "numpy": ((TOKENS.numpy(),), {}, "tokens = ndarray: must be a tensor of int64 or int32 ids"),
    "list": ((TOKENS.tolist(),), {}, "tokens = list: must be a tensor"),
    "uint8": ((TOKENS.byte(),), {}, "tokens of torch.uint8: must be int64 or int32 ids"),
    "float": ((TOKENS.float(),), {}, "tokens of torch.float32: must be int64 or int32 ids"),
    "meta": ((TOKENS.to("meta"),), {}, "tokens on meta: must be on cpu, the model's"),
    "too large": ((TOKENS * 0 + VOCAB,), {}, f"tokens: ids {VOCAB} to {VOCAB}: must be in 0..10"),
    "negative": ((TOKENS * 0 - 1,), {}, "tokens: ids -1 to -1: must be in 0..10"),
    "bool ids": ((TOKENS,), {"segment_ids": ZERO.bool()}, "segment_ids of torch.bool: must be"),
    "mask": (
        (TOKENS,),
        {"segment_ids": ZERO.byte()},
        "segment_ids of torch.uint8: must be signed integers, negative = padding; of a mask, "
        "mask.long() - 1",
    ),
    "float ids": ((TOKENS,), {"segment_ids": ZERO.float()}, "segment_ids of torch.float32: must"),
    "nan ids": ((TOKENS,), {"segment_ids": ZERO * torch.nan}, "segment_ids of torch.float32: must"),
    "ids of one row": (
        (TOKENS,),
        {"segment_ids": ZERO[0]},
        "segment_ids of shape [7]: must be [2, 7], as tokens are",
    ),
    "ids elsewhere": (
        (TOKENS,),
        {"segment_ids": ZERO.to("meta")},
        "segment_ids on meta: must be on cpu, as tokens",
    ),
    "list of ids": ((TOKENS,), {"segment_ids": [0]}, "segment_ids = list: must be a tensor of"),
}


@every_model
@pytest.mark.parametrize("call", CALLS)
def test_an_argument_that_is_none_is_named(name, call):
    model = build(name, SMALL)
    args, named, says = CALLS[call]
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        model(*args, **named)
    assert "\n" not in str(caught.value)


@every_model
def test_a_state_of_another_model_batch_type_or_place_is_named(name):
    model = build(name, SMALL)
    output = model(TOKENS)
    state, deeper = output.state, build(name, SMALL, num_layers=3)(TOKENS).state
    other = build("ssm" if name == "prism" else "prism", SMALL)(TOKENS).state
    wider = build(name, SMALL, d_model=64)(TOKENS).state
    parts = "blocks" if name == "prism" else "layers"
    for given, says in (
        (output, f"state = PrismOutput: must be a {type(state).__name__}"),
        (other, f"state = {type(other).__name__}: must be a {type(state).__name__}"),
        (deeper, f"state.{parts}: 3 layers: must be 2 layers, as this model has"),
        (wider, f"state.{parts}[0]"),
        (state.select([0]), f"state.{parts}[0].*: 1 rows: must be 2, as tokens have"),
        (state.to(torch.float64), f"state.{parts}[0].*torch.float64.*must be torch.float32"),
        (state.to("meta"), f"state.{parts}[0].* on meta: must be on cpu, as tokens are"),
        ([state], f"state = list: must be a {type(state).__name__}"),
    ):
        pattern = re.escape(says).replace(r"\.\*", ".*")
        with pytest.raises(ValueError, match=pattern):
            model(TOKENS, state=given)


@pytest.mark.parametrize("name", (*NAMES, *VARIANTS))
@pytest.mark.parametrize("dtype", (torch.float32, torch.float64, torch.bfloat16), ids=str)
@torch.no_grad()
def test_every_state_of_a_model_passes_its_own_door(name, dtype):
    model = build(name, SMALL).to(dtype) if name in NAMES else perturbed(VARIANTS[name], dtype)
    state = model(TOKENS).state
    state = model(TOKENS, state=state, segment_ids=TOKENS - 2).state
    assert model(TOKENS[:, :1], state=state).logits.isfinite().all()


@every_model
@torch.no_grad()
def test_a_state_made_under_automatic_casting_goes_on_with_and_without_it(name):
    model = build(name, SMALL)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        state = model(TOKENS).state
        assert model(TOKENS, state=state).logits.isfinite().all()
    assert model(TOKENS, state=state).logits.isfinite().all()


@every_model
@pytest.mark.parametrize("dtype", (torch.int32, torch.int64), ids=str)
@torch.no_grad()
def test_ids_of_both_integer_types_read_the_same(name, dtype):
    model, ids = build(name, SMALL), TOKENS - 3
    found = model(TOKENS.to(dtype), segment_ids=ids.to(torch.int16)).logits
    assert torch.equal(found, model(TOKENS, segment_ids=ids).logits)


@every_model
@torch.no_grad()
def test_a_mask_is_made_into_segment_ids_as_the_error_says(name):
    model = build(name, SMALL).double()
    mask = torch.tensor([[1] * 5 + [0] * 2, [0] * 3 + [1] * 4])
    found = model(TOKENS, segment_ids=mask.long() - 1).logits
    torch.testing.assert_close(found[0, :5], model(TOKENS[:1, :5]).logits[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(found[1, 3:], model(TOKENS[1:, 3:]).logits[0], rtol=0, atol=1e-12)


@every_model
def test_the_context_of_state_bytes_is_at_least_one(name):
    with pytest.raises(ValueError, match="context = 0: must be >= 1"):
        build(name, SMALL).state_bytes(0)


@every_model
def test_the_checks_are_traced_without_a_break(name):
    """The door alone: the graph holds the moves of padding and no branch on a value."""
    model = build(name, SMALL)
    state = model(TOKENS).state.detach()

    def door(tokens, ids):
        return model.begin(tokens, state, ids).doc_index

    whole = torch.compile(door, fullgraph=True, backend="eager")
    assert torch.equal(whole(TOKENS, TOKENS - 3), door(TOKENS, TOKENS - 3))


@every_model
def test_the_checks_look_at_no_value(name):
    """On the meta device there are none; whatever asked for one would raise."""
    with torch.device("meta"):
        model = build(name, SMALL)
    tokens = TOKENS.to("meta")
    state = model(tokens, segment_ids=tokens).state
    assert model(tokens, state=state, segment_ids=tokens).logits.is_meta


@every_model
def test_one_call_serves_all_models(name):
    model = build(name, SMALL)
    output = model(TOKENS, state=None, segment_ids=ZERO, routing=True)
    assert (output.routing is not None) == (name == "prism")
    assert model.generate(TOKENS, 2).shape == (2, 9)


def test_numbers_of_numpy_make_the_same_config():
    config = PrismConfig(
        vocab_size=np.int64(11),
        d_model=np.int32(32),
        num_layers=np.uint8(2),
        half_lives=tuple(np.array([1.0, 8.0])),
        memory_layers=[np.int64(1)],
        balance_rate=np.float32(0.5),
        seed=np.uint64(3),
    )
    assert type(config.d_model) is int
    assert type(config.balance_rate) is float
    assert config == PrismConfig.from_dict(config.to_dict())
    assert config.half_lives == (1.0, 8.0)
    with pytest.raises(ValueError, match=r"PrismConfig\.d_model = True"):
        PrismConfig(vocab_size=11, d_model=True)
