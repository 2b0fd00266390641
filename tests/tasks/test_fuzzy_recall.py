"""Fuzzy recall: rows of pairs, parsed once more; what is asked was said before."""

from __future__ import annotations

from itertools import groupby

import pytest

from tasks import IGNORE, TASKS

fuzzy = TASKS["fuzzy_recall"]


def pairs_of(row: list[int]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Keys and values of a row: runs of key tokens (0..6) and of value tokens (7..14)."""
    runs = [tuple(run) for _, run in groupby(row, key=lambda token: token < 7)]
    return list(zip(runs[0::2], runs[1::2], strict=True))


def whole_rows(split: str, length: int) -> list[tuple[list[int], list[int]]]:
    """Rows with the last answer's token put back, filler removed, and their targets."""
    batch = fuzzy.batch(split, 0, 0, 64, length)
    rows = []
    for tokens, targets in zip(batch.tokens.tolist(), batch.targets.tolist(), strict=True):
        whole = [*tokens, targets[-1]]
        first = next(i for i, token in enumerate(whole) if token != 15)
        assert set(whole[:first]) <= {15} and 15 not in whole[first:]
        rows.append((whole[first:], [IGNORE, *targets][first:]))
    return rows


@pytest.mark.parametrize("length", [12, 128, 512])
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_key_keeps_its_value_and_is_asked_when_it_comes_again(split: str, length: int) -> None:
    for row, asked in whole_rows(split, length):
        seen: dict[tuple[int, ...], tuple[int, ...]] = {}
        expected: list[int] = []
        for key, value in pairs_of(row):
            assert seen.get(key, value) == value
            expected += [IGNORE] * len(key)
            expected += value if key in seen else [IGNORE] * len(value)
            seen[key] = value
        assert expected == asked
        assert expected[-1] != IGNORE, "the last pair was there before"


def test_keys_and_values_have_one_to_three_different_tokens_and_test_keys_three() -> None:
    sizes = {split: set() for split in ("train", "test")}
    for split, found in sizes.items():
        for row, _ in whole_rows(split, 128):
            for key, value in pairs_of(row):
                assert len(set(key)) == len(key) and len(set(value)) == len(value)
                found.add((len(key), len(value)))
    assert sizes["train"] == {(k, v) for k in (1, 2, 3) for v in (1, 2, 3)}
    assert sizes["test"] == {(3, v) for v in (1, 2, 3)}


def test_rows_are_nearly_full() -> None:
    for row, _ in whole_rows("train", 128):
        assert len(row) > 128 - 12
