"""The ledger finds what a dict would find, and keeps what was."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prism.holo.algebra.codes import mix
from prism.holo.ledger import FORGOTTEN, Ledger


def rows(ledger: Ledger, keys: list[int], value: int = 0) -> np.ndarray:
    array = np.array(keys, np.uint64)
    return ledger.append(array, np.full(len(keys), value), np.zeros(len(keys)), 0, 0.0)


@given(st.lists(st.sets(st.integers(0, 60), min_size=1), max_size=12), st.data())
def test_it_finds_what_a_dict_finds(batches: list[set[int]], data: st.DataObject) -> None:
    ledger, latest, live = Ledger(), {}, {}
    for keys in batches:
        found = rows(ledger, sorted(keys))
        latest |= dict(zip(sorted(keys), found.tolist(), strict=True))
        live |= dict(zip(sorted(keys), found.tolist(), strict=True))
        gone = data.draw(st.sets(st.sampled_from(sorted(live))))
        ledger.supersede(np.array([live.pop(k) for k in sorted(gone)], int))
    asked = np.arange(80, dtype=np.uint64)
    assert ledger.latest(asked).tolist() == [latest.get(k, -1) for k in range(80)]
    assert ledger.find(asked).tolist() == [live.get(k, -1) for k in range(80)]


def test_keys_that_meet_in_one_slot_are_told_apart() -> None:
    candidates = np.arange(1, 200_000, dtype=np.uint64)
    crowd = candidates[(mix(candidates) & np.uint64(0xFFF)) == 7]  # one slot of a table of 4096
    ledger = Ledger()
    rows(ledger, crowd.tolist())
    assert ledger.find(crowd).tolist() == list(range(len(crowd)))


def test_columns_survive_growth_and_a_round_trip() -> None:
    ledger = Ledger()
    for start in range(0, 3000, 7):
        rows(ledger, list(range(start, start + 7)), value=start)
    ledger.supersede(np.array([4, 9]), FORGOTTEN)
    again = Ledger.from_arrays(ledger.arrays(), ledger.sources)
    keys = np.arange(3200, dtype=np.uint64)
    assert np.array_equal(again.find(keys), ledger.find(keys))
    assert np.array_equal(again.column("value"), np.repeat(np.arange(0, 3000, 7), 7))
    assert len(again.live_rows()) == len(ledger) - 2


def test_the_history_of_a_key_is_kept_in_order() -> None:
    ledger = Ledger()
    first = rows(ledger, [5, 6], value=1)
    second = rows(ledger, [5], value=2)
    ledger.supersede(first[:1], second)
    assert ledger.history(np.array([5], np.uint64)).tolist() == [0, 2]
    assert ledger.history(np.array([6, 5, 9], np.uint64)).tolist() == [0, 1, 2]
    assert ledger.column("superseded_by")[0] == 2
    assert ledger.find(np.array([5], np.uint64)).tolist() == [2]


def test_a_chain_is_a_fact_and_the_positions_after_it() -> None:
    ledger = Ledger()
    keys = np.arange(6, dtype=np.uint64)
    ledger.append(keys, keys, np.array([0, 1, 2, 0, 0, 1]), 0, 0.0)
    found, owner = ledger.chain(np.array([0, 3, 4]))
    facts = [sorted(found[owner == i].tolist()) for i in range(3)]
    assert facts == [[0, 1, 2], [3], [4, 5]]
