"""A planted structure is recovered exactly, and nothing is found in noise of the same size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from prism.probe.readings.crystal import crystal
from prism.probe.store.ordinal import Bits, bits_of, bits_of_ordinals, ordinals

WIDTH, CLASSES, SHARED, SINGLES = 64, 13, 2100, 112
SIZES = (814, 704, 306, 228, 11, 10, 6, 5, 4, 4, 3, 3, 2)


def noise(rows: int, seed: int = 0) -> Bits:
    g = torch.Generator().manual_seed(seed)
    return bits_of((torch.randn(rows, WIDTH, generator=g) * 0.02).bfloat16())


def neighbour(row: Bits, column: int, by: int) -> Bits:
    place = ordinals(row).astype(np.int16)
    place[column] += by
    return bits_of_ordinals(place)


def planted() -> tuple[Bits, list[tuple[int, int]]]:
    """2,100 rows in 13 classes and 112 singletons. Class 0 has neighbours: class 1 across a binade,
    class 2 across zero, and the first two singletons in a chain behind class 2."""
    assert sum(SIZES) == SHARED and len(SIZES) == CLASSES
    rows = noise(CLASSES + SINGLES, seed=1)
    rows[0, 0] = bits_of(torch.tensor([0.25]).bfloat16())[0] - 1  # the largest below 0.25
    rows[0, 1] = 1  # the smallest positive number
    rows[1] = neighbour(rows[0], 0, 1)
    rows[2] = neighbour(neighbour(rows[0], 1, -1), 1, 0)  # 0, then with -0 in its copies
    rows[13] = neighbour(rows[2], 1, -1)  # the smallest negative number
    rows[14] = neighbour(rows[13], 1, -1)
    cloud = np.concatenate([np.repeat(rows[:CLASSES], SIZES, axis=0), rows[CLASSES:]])
    begin = sum(SIZES[:2])
    cloud[begin : begin + 100, 1] = np.iinfo(np.int16).min  # -0 is 0
    # 1 and 2 differ by one in columns 0 and 1; 13 is two steps from 0, 14 two from 2
    return cloud, [(0, 1), (0, 2), (1, 2), (2, 13), (13, 14)]


def test_the_planted_structure_is_recovered_exactly() -> None:
    cloud, wanted = planted()
    order = np.random.default_rng(2).permutation(len(cloud))
    found = crystal(cloud[order])
    report = found.summary()
    assert (report["rows"], report["distinct"]) == (2212, 125)
    assert (report["classes"], report["rows_in_classes"]) == (13, 2100)
    assert report["class_sizes"] == list(SIZES)
    label = np.concatenate([np.repeat(np.arange(13), SIZES), 13 + np.arange(SINGLES)])[order]
    of_class = {int(c): int(i) for c, i in zip(found.classes, label, strict=True)}
    edges = {tuple(sorted((of_class[a], of_class[b]))) for a, b in found.edges.tolist()}
    assert edges == set(wanted)
    assert report["components"] == 1 and report["component_sizes"] == [[5, 814 + 704 + 306 + 2]]
    assert report["neighbours_by_distance"] == {"1": 4, "2": 1}


def test_nothing_is_found_in_noise_of_the_same_size() -> None:
    report = crystal(noise(2212)).summary()
    assert (report["distinct"], report["classes"]) == (2212, 0)
    assert (report["neighbours"], report["components"]) == (0, 0)


def slow(bits: Bits) -> tuple[int, set[tuple[int, int]]]:
    nodes = np.unique(ordinals(bits).astype(int), axis=0)
    near = np.abs(nodes[:, None] - nodes[None]).max(axis=2) <= 1
    return len(nodes), {(int(a), int(b)) for a, b in np.argwhere(near) if a < b}


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 5), st.integers(0, 999))
def test_the_search_is_the_plain_one(rows: int, width: int, range_: int, seed: int) -> None:
    source = np.random.default_rng(seed)
    place = source.integers(-range_, range_, (rows, width), np.int16, endpoint=True)
    bits = bits_of_ordinals(place)
    bits[(place == 0) & (source.random(place.shape) < 0.5)] = np.iinfo(np.int16).min
    found = crystal(bits)
    count, edges = slow(bits)
    assert found.sizes.sum() == rows and len(found.sizes) == count
    assert {tuple(sorted(e)) for e in found.edges.tolist()} == edges


@pytest.mark.parametrize("rows", [1, 2])
def test_identical_rows_are_one_class_of_one_component(rows: int) -> None:
    report = crystal(np.repeat(noise(1), rows, axis=0)).summary()
    assert report["distinct"] == 1 and report["neighbours"] == 0
