"""Parity: a running bit that every one flips."""

from __future__ import annotations

import torch

from tasks import TASKS

parity = TASKS["parity"]


def test_a_one_flips_every_later_answer_and_a_zero_none() -> None:
    batch = parity.batch("train", 0, 0, 64, 256)
    flipped = batch.targets[:, 1:] != batch.targets[:, :-1]
    assert torch.equal(flipped, batch.tokens[:, 1:] == 1)
    assert torch.equal(batch.targets[:, 0], batch.tokens[:, 0])


def test_even_and_odd_are_equally_likely_at_every_position() -> None:
    odd = parity.batch("train", 0, 0, 8192).targets.double().mean(dim=0)
    assert (odd - parity.chance).abs().max() < 5 * 0.5 / 8192**0.5
