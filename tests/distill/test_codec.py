"""Codecs give states back to within what they promise; measured error is what it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from prism.distill.codec import ByteCodec, HalfCodec, measure
from prism.distill.fisher import FisherCodec, fit

WIDTH, VOCAB = 40, 120


def made_up(n: int, seed: int = 0) -> tuple[np.ndarray, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    mix = torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(9))
    states = torch.randn(n, WIDTH, generator=g) @ mix / WIDTH**0.5 + 0.3
    head = torch.randn(VOCAB, WIDTH, generator=torch.Generator().manual_seed(8))
    return states.numpy(), head


def test_half_precision_is_close_and_refuses_what_it_cannot_hold() -> None:
    states, head = made_up(50)
    codec = HalfCodec(WIDTH)
    raw = codec.encode(states)
    assert len(raw) == 2 * states.size
    assert float(measure(states, codec.decode(raw, 50), head).kl.mean()) < 1e-5
    states[3, 4] = 1e5
    with pytest.raises(ValueError, match="codec fp16: a state holds 100000: must be at most 65504"):
        codec.encode(states)


@pytest.mark.parametrize("width", [32, 40, 31])
def test_eight_bits_are_within_half_a_step_of_their_group(width: int) -> None:
    states = made_up(20)[0][:, :width] if width <= WIDTH else made_up(20)[0]
    codec = ByteCodec(width)
    raw = codec.encode(states)
    assert len(raw) == 20 * (width + 2 * -(-width // 32))
    back = codec.decode(raw, 20)
    step = np.abs(states).max(axis=1, keepdims=True) / 127
    assert (np.abs(back - states) <= step * 0.51).all()


def test_the_fisher_codec_keeps_its_bound_in_fewer_bytes_and_comes_back_from_its_tables() -> None:
    pytest.importorskip("constriction")
    states, head = made_up(2400)
    codec = fit(states[:2000], head, 1e-3)
    again = FisherCodec.from_tables(codec.tables())
    fresh = states[2000:]
    raw = codec.encode(fresh)
    back = again.decode(raw, len(fresh))
    assert np.array_equal(back, codec.decode(raw, len(fresh)))
    assert float(measure(fresh, back, head).kl.mean()) < 1.2e-3
    assert len(raw) < 0.8 * len(ByteCodec(WIDTH).encode(fresh))


def test_values_far_outside_the_tables_are_kept() -> None:
    pytest.importorskip("constriction")
    states, head = made_up(600)
    codec = fit(states, head, 1e-3)
    far = states[:5].copy()
    far[2] *= 50
    back = codec.decode(codec.encode(far), 5)
    q = codec.quantised(far)
    assert (np.abs(q[2]) > codec.largest).any()
    assert np.allclose(back, q @ codec.inverse + codec.mean, atol=1e-4)


def test_error_is_zero_of_the_same_states_and_the_divergence_of_others() -> None:
    states, head = made_up(9)
    same = measure(states, states.copy(), head)
    assert float(same.kl.abs().max()) == 0
    assert bool(same.agrees.all())
    other = states + 0.1
    p, q = ((torch.from_numpy(x) @ head.T).double().softmax(-1) for x in (states, other))
    assert torch.allclose(measure(states, other, head).kl, (p * (p / q).log()).sum(-1), rtol=1e-4)
