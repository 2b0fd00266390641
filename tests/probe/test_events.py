"""Ordinals number the representable numbers; movements come back to the bit."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.probe.store.events import Movements, applied, decoded
from prism.probe.store.ordinal import (
    FORMATS,
    bits_of,
    bits_of_ordinals,
    format_of,
    ordinals,
    spacing,
    tensor_of,
    values,
)


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_ordinals_of_neighbours_differ_by_one_over_the_whole_format(name: str) -> None:
    form = FORMATS[name]
    everything = np.arange(-(1 << 15), 1 << 15, dtype=np.int16)
    numbers = values(everything, form)
    finite = everything[np.isfinite(numbers)]
    order = np.sort(values(finite, form)[finite != np.iinfo(np.int16).min])  # without -0
    bits = bits_of(torch.from_numpy(order).to(form.torch))
    assert (np.diff(ordinals(bits).astype(int)) == 1).all()  # across binades and across zero
    assert ordinals(bits)[order == 0] == 0


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1))
def test_ordinals_go_back_to_the_bits_but_for_the_sign_of_zero(some: list[int]) -> None:
    bits = np.array(some, np.int32)
    back = bits_of_ordinals(ordinals(bits))
    assert (back == np.where(bits == np.iinfo(np.int32).min, 0, bits)).all()


def test_spacing_is_the_distance_to_the_next_number() -> None:
    for form in FORMATS.values():
        x = torch.tensor([1.0, 1.5, 2.0, -3.0, 2.0**-14, 0.0, 0.02]).to(form.torch)
        bits = bits_of(x)
        larger = bits_of_ordinals((np.abs(ordinals(bits)) + 1).astype(form.bits))
        assert (spacing(bits, form) == values(larger, form) - np.abs(values(bits, form))).all()


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"float64: must be one of torch\.bfloat16"):
        format_of(torch.float64)


@st.composite
def histories(draw: st.DrawFn) -> tuple[str, list[np.ndarray]]:
    """A format, and the bits of a matrix at some steps: small and wild movements, zeros of
    both signs."""
    form = FORMATS[draw(st.sampled_from(sorted(FORMATS)))]
    width, height = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    source = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    info = np.iinfo(form.bits)
    bits = source.integers(info.min, info.max, width * height, form.bits, endpoint=True)
    history = [bits]
    for _ in range(draw(st.integers(1, 6))):
        kind = source.integers(0, 5, bits.size)
        wild = source.integers(info.min, info.max, bits.size, form.bits, endpoint=True)
        near = bits_of_ordinals((ordinals(bits) // 2 + source.integers(-3, 3)).astype(form.bits))
        bits = np.select(
            [kind == 0, kind == 1, kind == 2, kind == 3], [wild, near, info.min, 0], bits
        ).astype(form.bits)
        history.append(bits)
    return form.name, history


@given(histories())
def test_movements_come_back_to_the_bit(case: tuple[str, list[np.ndarray]]) -> None:
    name, history = case
    form, size = FORMATS[name], history[0].size
    movements = Movements(form.steps)
    for before, after in pairwise(history):
        movements.add(before, after)
    bits = history[0].copy()
    count = len(movements)
    for step, after in zip(decoded(movements.encoded(), count, size), history[1:], strict=True):
        applied(bits, step)
        assert (bits == after).all()
    assert tensor_of(bits, form).dtype == form.torch


@given(histories(), st.randoms(use_true_random=False))
def test_movements_of_some_numbers_are_those_among_all(
    case: tuple[str, list[np.ndarray]], chance: Random
) -> None:
    name, history = case
    form, size = FORMATS[name], history[0].size
    movements = Movements(form.steps)
    for before, after in pairwise(history):
        movements.add(before, after)
    chosen = np.array(chance.sample(range(size), chance.randint(1, size)))
    place = np.full(size, -1)
    place[chosen] = np.arange(len(chosen))
    bits, count = history[0][chosen], len(movements)
    for step, after in zip(
        decoded(movements.encoded(), count, size, place), history[1:], strict=True
    ):
        applied(bits, step)
        assert (bits == after[chosen]).all()
