"""MQAR: eight pairs, each asked for once, in slots that follow the power law."""

from __future__ import annotations

import pytest
import torch

from tasks import IGNORE, TASKS

mqar = TASKS["mqar"]


@pytest.mark.parametrize("length", [32, 64, 512])
def test_eight_pairs_come_first_and_every_key_is_asked_for_once(length: int) -> None:
    batch = mqar.batch("train", 0, 0, 256, length)
    keys, values = batch.tokens[:, 0:16:2], batch.tokens[:, 1:16:2]
    assert ((keys >= 1) & (keys <= 63)).all()
    assert ((values >= 64) & (values <= 127)).all()
    for drawn in (keys, values):
        assert (drawn.sort(dim=1).values.diff(dim=1) > 0).all()
    rest = batch.tokens[:, 16:]
    assert (rest[:, 1::2] == 0).all()
    asked = batch.targets[:, 16:] != IGNORE
    assert torch.equal(asked, rest != 0)
    assert torch.equal(rest[asked].view(-1, 8).sort().values, keys.sort().values)
    assert (batch.targets[:, :16] == IGNORE).all()


def test_slots_are_drawn_with_the_power_law() -> None:
    """The first key gets the first draw, whose law is p(i) itself."""
    tokens = mqar.batch("train", 0, 0, 20_000).tokens
    slot = (tokens[:, 16::2] == tokens[:, :1]).long().argmax(dim=1)
    share = torch.bincount(slot, minlength=24).double() / len(slot)
    p = torch.arange(1, 25).double() ** (0.01 - 1)
    p = p / p.sum()
    assert ((share - p).abs() < 5 * (p * (1 - p) / len(slot)).sqrt()).all()


def test_the_last_key_finds_the_early_slots_taken() -> None:
    tokens = mqar.batch("train", 0, 0, 20_000).tokens
    first, last = (
        (tokens[:, 16::2] == tokens[:, 2 * i : 2 * i + 1]).long().argmax(dim=1).double().mean()
        for i in (0, 7)
    )
    assert last > first + 1


@pytest.mark.parametrize("length", [30, 33])
def test_a_length_without_a_slot_per_key_or_with_half_a_slot_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=rf"^mqar: length = {length}: must be one of 32, 34, "):
        mqar.batch("train", 0, 0, 8, length)
