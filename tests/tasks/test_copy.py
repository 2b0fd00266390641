"""Copy: the second half asks for the first, and shows nothing of it."""

from __future__ import annotations

import pytest
import torch

from tasks import IGNORE, TASKS

copy = TASKS["copy"]
SEP, BLANK = 16, 17


@pytest.mark.parametrize("length", [2, 16, 40])
def test_the_data_comes_first_and_is_asked_for_from_the_separator_on(length: int) -> None:
    k = length // 2
    batch = copy.batch("train", 0, 0, 8, length)
    assert (batch.tokens[:, :k] < 16).all()
    assert (batch.tokens[:, k] == SEP).all()
    assert (batch.tokens[:, k + 1 :] == BLANK).all()
    assert (batch.targets[:, :k] == IGNORE).all()
    assert torch.equal(batch.targets[:, k:], batch.tokens[:, :k])


def test_an_odd_length_has_no_second_half() -> None:
    with pytest.raises(ValueError, match=r"^copy: length = 15: must be one of 2, 4, \.\.\., "):
        copy.batch("train", 0, 0, 8, 15)


def test_every_data_token_is_equally_likely() -> None:
    data = copy.batch("train", 0, 0, 4096).tokens[:, :8]
    share = torch.bincount(data.flatten(), minlength=16) / data.numel()
    assert (share - copy.chance).abs().max() < 5 * (copy.chance / data.numel()) ** 0.5
