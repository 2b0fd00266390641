"""Noisy recall, selective copying and memorising: counts and shares that their rules state."""

from __future__ import annotations

import torch

from tasks import IGNORE, TASKS
from tasks.memorize import TABLE


def test_a_fifth_of_the_pairs_is_noise() -> None:
    tokens = TASKS["noisy_recall"].batch("train", 0, 0, 2048).tokens
    noise = tokens[:, 0::2] >= 16
    assert torch.equal(noise, tokens[:, 1::2] >= 16)
    share = noise[:, :-1].double().mean()
    expected = 0.2 * 62 / 63  # one of the 63 pairs before the last is kept for it to repeat
    assert abs(share - expected) < 0.005
    assert not noise[:, -1].any()


def test_every_row_of_noisy_recall_asks_at_its_last_key() -> None:
    targets = TASKS["noisy_recall"].batch("train", 0, 0, 256, 4).targets
    assert (targets[:, 2] != IGNORE).all() and (targets[:, [0, 1, 3]] == IGNORE).all()


def test_sixteen_tokens_are_copied_whatever_the_length() -> None:
    for length in (33, 256, 512):
        batch = TASKS["selective_copy"].batch("test", 0, 0, 64, length)
        assert ((batch.tokens < 14).sum(dim=1) == 16).all()
        assert ((batch.targets != IGNORE).sum(dim=1) == 16).all()
        assert (batch.tokens[:, -17] == 15).all()


def test_no_blank_comes_between_the_last_token_and_copy() -> None:
    tokens = TASKS["selective_copy"].batch("train", 0, 0, 64).tokens
    assert (tokens[:, -18] < 14).all()


def test_the_table_is_one_to_one_and_the_same_in_every_split() -> None:
    assert sorted(TABLE) == list(range(127, 254))
    for split in ("train", "test"):
        batch = TASKS["memorize"].batch(split, 1, 2, 8)
        assert torch.equal(batch.targets[:, 1::2], torch.from_numpy(TABLE)[batch.tokens[:, 0::2]])
