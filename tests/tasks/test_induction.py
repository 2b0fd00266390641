"""Induction: four triggers apart from each other, one of them asked for at the end."""

from __future__ import annotations

import pytest
import torch

from tasks import IGNORE, TASKS

induction = TASKS["induction"]


@pytest.mark.parametrize("length", [10, 11, 64, 512])
def test_four_different_triggers_stand_apart_and_one_comes_again(length: int) -> None:
    tokens = induction.batch("train", 0, 0, 512, length).tokens
    trigger = tokens >= 16
    assert trigger[:, -1].all()
    assert not trigger[:, -3:-1].any()
    assert (trigger[:, :-1].sum(dim=1) == 4).all()
    assert not (trigger[:, 1:] & trigger[:, :-1]).any()
    shown = tokens[:, :-1][trigger[:, :-1]].view(-1, 4)
    assert (shown.sort(dim=1).values.diff(dim=1) > 0).all()
    assert (shown == tokens[:, -1:]).any(dim=1).all()


def test_only_the_last_position_is_asked_for_an_ordinary_symbol() -> None:
    targets = induction.batch("train", 0, 0, 512).targets
    assert (targets[:, :-1] == IGNORE).all()
    assert ((targets[:, -1] >= 0) & (targets[:, -1] < 16)).all()


def test_triggers_fall_everywhere_and_each_is_asked_for_as_often() -> None:
    tokens = induction.batch("train", 0, 0, 8192).tokens
    places = (tokens[:, :-1] >= 16).double().mean(dim=0)
    assert (places[:-2] > 0.04).all() and (places[:-2] < 0.1).all()
    asked = (tokens[:, -1:] == tokens[:, :-1]).long().argmax(dim=1)
    rank = (tokens[:, :-1] >= 16).long().cumsum(dim=1).gather(1, asked[:, None])
    share = torch.bincount(rank.flatten(), minlength=5)[1:] / len(tokens)
    assert (share - 0.25).abs().max() < 0.025
    which = torch.bincount(tokens[:, -1] - 16, minlength=8) / len(tokens)
    assert (which - 0.125).abs().max() < 0.02


def test_too_short_a_sequence_has_no_room() -> None:
    with pytest.raises(ValueError, match=r"^induction: length = 9: must be one of 10, 11, "):
        induction.batch("train", 0, 0, 8, 9)
