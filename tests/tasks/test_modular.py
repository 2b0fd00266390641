"""Modular: a running sum whose every partial result is uniform."""

from __future__ import annotations

import torch

from tasks import TASKS

modular = TASKS["modular"]


def test_each_target_is_the_one_before_plus_the_digit() -> None:
    batch = modular.batch("train", 0, 0, 64, 256)
    steps = (batch.targets[:, 1:] - batch.targets[:, :-1]) % 5
    assert torch.equal(steps, batch.tokens[:, 1:])
    assert torch.equal(batch.targets[:, 0], batch.tokens[:, 0])


def test_answers_are_uniform_at_every_position() -> None:
    """So a blind guess is right one time in five, early and late."""
    targets = modular.batch("train", 0, 0, 8192).targets
    for answer in range(5):
        share = (targets == answer).double().mean(dim=0)
        assert (share - modular.chance).abs().max() < 5 * (0.2 * 0.8 / 8192) ** 0.5
