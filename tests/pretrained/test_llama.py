"""A Llama reads the same in one call or many, and shows what it looks at."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.pretrained.llama import LlamaConfig
from tests.inject.tiny import llama

TOKENS = torch.arange(3, 43).view(2, 20) * 5 % 256
EVERY = [(block, head) for block in range(2) for head in range(2)]


@given(cut=st.integers(1, 19))
def test_a_split_with_the_carried_state_gives_the_same_logits(cut):
    model = llama().double()
    with torch.no_grad():
        whole = model(TOKENS).logits
        first = model(TOKENS[:, :cut])
        second = model(TOKENS[:, cut:], state=first.state)
    assert second.state.length == 20
    torch.testing.assert_close(
        torch.cat([first.logits, second.logits], 1), whole, atol=1e-5, rtol=0
    )


def test_later_tokens_never_change_earlier_logits():
    model = llama()
    other = TOKENS.clone()
    other[:, 12:] = 7
    with torch.no_grad():
        torch.testing.assert_close(model(TOKENS).logits[:, :12], model(other).logits[:, :12])


def test_looking_on_changes_nothing():
    model = llama()
    with torch.no_grad():
        plain, seen = model(TOKENS), model.read(TOKENS, None, [0, 1], EVERY)
        hidden, attention = model.watch(TOKENS, [0], [(1, 0)])
    assert torch.equal(plain.logits, seen.logits)
    assert torch.equal(hidden[0], seen.streams[0])
    assert torch.equal(attention[1, 0], seen.attention[1, 0])


def test_attention_is_causal_and_sums_to_one():
    model = llama()
    with torch.no_grad():
        past = model.read(TOKENS[:, :8], None)
        seen = model.read(TOKENS[:, 8:], past.state, [], EVERY)
    for weights in seen.attention.values():
        assert weights.shape == (2, 12, 20)
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, 12))
        assert not weights[:, 0, 9:].any()


def test_the_logits_follow_from_the_last_hidden_state():
    model = llama()
    with torch.no_grad():
        seen = model.read(TOKENS, None, [1])
        logits = model.norm(seen.streams[1]) @ model.embedding.weight.T
    torch.testing.assert_close(logits, seen.logits)


@pytest.mark.parametrize(
    ("sizes", "field"), [({"d_model": 30}, "d_model"), ({"num_kv_heads": 3}, "num_kv_heads")]
)
def test_sizes_that_do_not_divide_are_refused(sizes, field):
    right = {"vocab_size": 8, "d_model": 32, "num_layers": 1, "num_heads": 4, "num_kv_heads": 2}
    with pytest.raises(ValueError, match=rf"LlamaConfig\.{field}"):
        LlamaConfig(**(right | {"hidden": 8} | sizes))
