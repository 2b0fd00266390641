"""The seeded order: a permutation per epoch, computed from four integers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.data.order import Place, Walk, Window, mix64, permuted
from tests.data.fakes import Shelf, numbered

WORDS = st.integers(0, 2**64 - 1)


@st.composite
def shelves(draw: st.DrawFn) -> Shelf:
    """Segments of one or more windows of none or more documents, all with their own text."""
    sizes = draw(st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=3), min_size=1))
    shelf = [
        [[f"{s}.{w}.{i}" for i in range(n)] for w, n in enumerate(x)] for s, x in enumerate(sizes)
    ]
    return Shelf(shelf)


def read_epoch(walk: Walk, epoch: int) -> list[str]:
    found = []
    place = walk.find(Place(epoch))
    while place.epoch == epoch:
        found.append(walk.read(place).text)
        place = walk.find(place._replace(index=place.index + 1))
    return found


@given(n=st.integers(1, 300), key=WORDS)
def test_permuted_is_a_bijection(n: int, key: int) -> None:
    assert sorted(permuted(i, n, key) for i in range(n)) == list(range(n))


def test_permuted_spreads_evenly_over_keys() -> None:
    hits = [0] * 7
    for key in range(7000):
        hits[permuted(3, 7, mix64(key))] += 1
    assert all(abs(h - 1000) < 150 for h in hits)


def test_an_index_outside_is_refused() -> None:
    with pytest.raises(ValueError, match=r"index = 5: must be in 0\.\.4"):
        permuted(5, 5, 0)


def test_the_order_never_changes_between_versions() -> None:
    """A checkpoint holds places; their meaning is part of the format."""
    assert [permuted(i, 8, 1) for i in range(8)] == [1, 4, 2, 0, 3, 6, 7, 5]
    assert mix64(1, 2, 3) == 7702586659592502839


@given(shelf=shelves(), seed=st.none() | WORDS)
def test_every_epoch_reads_every_document_once(shelf: Shelf, seed: int | None) -> None:
    everything = sorted(text for segment in shelf.shelf for window in segment for text in window)
    if not everything:
        return
    walk = Walk(shelf, seed)
    for epoch in range(2):
        assert sorted(read_epoch(walk, epoch)) == everything


def test_epochs_and_seeds_differ_and_no_seed_is_the_stored_order() -> None:
    shelf = numbered(40)
    stored = read_epoch(Walk(shelf, None), 0)
    assert stored == [f"<shelf{i}>" for i in range(40)]
    orders = [read_epoch(Walk(shelf, seed), epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert all(a != b for a, b in pairwise([stored, *orders]))


@given(shelf=shelves(), seed=WORDS, steps=st.lists(st.integers(0, 30), max_size=5))
def test_a_long_step_lands_where_short_ones_do(shelf: Shelf, seed: int, steps: list[int]) -> None:
    if not any(window for segment in shelf.shelf for window in segment):
        return
    walk = Walk(shelf, seed)
    far = walk.find(Place(index=sum(steps)))
    near = walk.find(Place())
    for step in steps:
        near = Walk(shelf, seed).find(near._replace(index=near.index + step))
    assert near == far


def test_a_place_opens_its_own_segment_only() -> None:
    class Counting(Shelf):
        opened = 0

        def window(self, segment: int, cursor: int) -> Window:
            self.opened += 1
            return super().window(segment, cursor)

    shelf = Counting([[[str(i)]] for i in range(10_000)])
    walk = Walk(shelf, 0)
    walk.read(Place(epoch=3, position=7_777))
    assert shelf.opened == 1


@pytest.mark.parametrize("shelf", [[], [[[]]], [[[], []], [[]]]])
def test_a_source_without_documents_says_so(shelf: list[list[list[str]]]) -> None:
    with pytest.raises(ValueError, match=r"source shelf: (is empty|holds no document)"):
        Walk(Shelf(shelf), 0).find(Place())


@given(shelf=shelves(), seed=st.none() | WORDS)
def test_passes_never_go_back_and_are_whole_at_the_end_of_an_epoch(
    shelf: Shelf, seed: int | None
) -> None:
    if not any(window for segment in shelf.shelf for window in segment):
        return
    walk, place, seen = Walk(shelf, seed), Place(), []
    while (place := walk.find(place)).epoch < 3:
        seen.append((place.epoch, walk.passes(place)))
        place = place._replace(index=place.index + 1)
    passes = [x for _, x in seen]
    assert passes == sorted(passes)
    assert all(epoch <= x < epoch + 1 for epoch, x in seen)


def test_passes_of_one_window_count_its_documents() -> None:
    walk = Walk(numbered(8, per_segment=4), seed=1)
    places = [walk.find(Place(index=i)) for i in (0, 1, 4, 6, 8, 17)]
    assert [walk.passes(place) for place in places] == [0.0, 0.125, 0.5, 0.75, 1.0, 2.125]
