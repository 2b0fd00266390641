"""SplitMix64: the published numbers, and one mixing whatever holds the words."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.data.order import mix64
from prism.holo.algebra import codes
from prism.ops import rolling
from prism.splitmix import FACTORS, GAMMA, WORD, mix

WORDS = st.lists(st.integers(0, WORD), min_size=1, max_size=20)


def test_the_generator_gives_the_published_numbers() -> None:
    # The first outputs for the seed 1234567, as the reference implementation in C prints them
    # (Vigna, https://prng.di.unimi.it/splitmix64.c).
    outputs = [mix(1234567 + (i + 1) * GAMMA) for i in range(5)]
    assert outputs == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@given(WORDS)
def test_numpy_and_torch_mix_as_the_reference_does(words: list[int]) -> None:
    expected = [mix(word) for word in words]
    assert codes.mix(np.array(words, np.uint64)).tolist() == expected
    signed = torch.from_numpy(np.array(words, np.uint64).view(np.int64))
    assert rolling.mix(signed).numpy().view(np.uint64).tolist() == expected


@given(WORDS)
def test_the_chained_form_mixes_one_value_after_the_other(words: list[int]) -> None:
    h = 0
    for word in words:
        h = (h + word + GAMMA) % 2**64
        h = (h ^ h >> 30) * FACTORS[0] % 2**64
        h = (h ^ h >> 27) * FACTORS[1] % 2**64
        h ^= h >> 31
    assert mix64(*words) == h
    assert mix64(words[0]) == int(codes.mix(np.array([words[0]], np.uint64) + codes.STEP)[0])


@given(st.lists(st.integers(0, WORD), unique=True, min_size=2, max_size=50))
def test_mixing_is_a_bijection(words: list[int]) -> None:
    assert len({mix(word) for word in words}) == len(words)
