"""States of the row streams: each owns its bytes, and padding at the end of a step holds them."""

from __future__ import annotations

import pytest
import torch

from prism import PrismConfig
from prism.baselines import build
from prism.engine.loop.stream_states import StreamStates
from prism.model.state import leaves

SMALL = PrismConfig(vocab_size=11, d_model=32, num_layers=2)
recurrent = pytest.mark.parametrize("name", ["prism", "ssm", "gdn"])


@recurrent
def test_streams_hold_no_more_than_their_states(name: str) -> None:
    model, states = build(name, SMALL), StreamStates(range(4), micro=2, carry=True)
    tokens = torch.zeros(2, 1024, dtype=torch.long)
    for index in range(2):
        states.keep(index, model(tokens, segment_ids=tokens).state)
    tensors = [x for state in states.states for x in leaves(state)]
    storages = {x.untyped_storage().data_ptr(): x.untyped_storage().nbytes() for x in tensors}
    assert sum(storages.values()) <= 1.1 * sum(state.nbytes for state in states.states)
    assert not any(x.requires_grad for x in tensors)


@recurrent
@torch.no_grad()
def test_a_stream_goes_on_after_a_step_that_ended_in_padding(name: str) -> None:
    model, states = build(name, SMALL).double(), StreamStates(range(2), micro=2, carry=True)
    tokens = torch.randint(11, (2, 14), generator=torch.Generator().manual_seed(0))
    ids = torch.tensor([[0] * 14, [0] * 6 + [-1] * 8])
    states.keep(0, model(tokens, segment_ids=ids).state)
    saved = states.tensors()
    again = StreamStates(range(2), micro=2, carry=True)
    again.load(saved, states.states[0])
    more = tokens[:, :5]
    found = model(more, state=again.states[0], segment_ids=torch.zeros_like(more)).logits
    for row, real in enumerate((14, 6)):
        whole = torch.cat([tokens[row, :real], more[row]])[None]
        torch.testing.assert_close(found[row], model(whole).logits[0, real:], rtol=0, atol=1e-10)
