"""Mini-LM: splits that share no text, windows that stay inside them, files refused clearly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tasks import SPLITS, TASKS, MiniLM
from tasks.mini_lm import MIN_BYTES

default = TASKS["mini_lm"]


def write(path: Path, size: int) -> Path:
    path.write_bytes(np.random.default_rng(0).bytes(size))
    return path


def test_the_default_corpus_is_readable_prose() -> None:
    text = default.text.tobytes().decode()
    assert len(text) > 200_000
    assert 'The "if" statement is used for conditional execution' in text


def test_the_splits_share_the_text_out_without_overlap() -> None:
    owner = np.zeros(len(default.text), dtype=int)
    for stretches in default.stretches.values():
        for first, end in stretches:
            owner[first:end] += 1
    assert (owner == 1).all()
    size = {split: int(np.diff(default.stretches[split]).sum()) for split in SPLITS}
    assert size["validation"] == pytest.approx(len(default.text) / 16, rel=1e-3)
    assert size["test"] == pytest.approx(len(default.text) / 16, rel=1e-3)


def test_held_out_text_does_not_come_again_in_the_training_text() -> None:
    """Topics quote each other; without dropping repeats 38% and 58% of the pieces would."""
    text = default.text.tobytes()
    parts = {
        split: [text[first:end] for first, end in stretches.tolist()]
        for split, stretches in default.stretches.items()
    }
    known = {part[i : i + 64] for part in parts["train"] for i in range(len(part) - 63)}
    for split in ("validation", "test"):
        pieces = [part[i : i + 64] for part in parts[split] for i in range(0, len(part) - 63, 7)]
        assert sum(piece in known for piece in pieces) / len(pieces) < 0.02


def test_every_byte_of_a_split_is_drawn_and_no_other(tmp_path: Path) -> None:
    """The text counts its own positions, three bytes each, so a window tells where it was."""
    size = MIN_BYTES // 3 + 1
    counter = np.arange(size, dtype="<u4").view(np.uint8).reshape(size, 4)[:, :3]
    path = tmp_path / "counter"
    path.write_bytes(counter.tobytes())
    task = MiniLM(path)
    text = task.text.tobytes()
    for split in SPLITS:
        seen = np.zeros(len(text), dtype=bool)
        batch = task.batch(split, 0, 0, 512, 512)
        for tokens, targets in zip(batch.tokens.tolist(), batch.targets.tolist(), strict=True):
            start = text.index(bytes([*tokens, targets[-1]]))
            seen[start : start + 513] = True
        own = np.zeros(len(text), dtype=bool)
        for first, end in task.stretches[split]:
            own[first:end] = True
        assert not (seen & ~own).any()
        assert (seen & own).sum() > 0.9 * own.sum()


def test_the_smallest_file_that_is_taken_fills_every_split(tmp_path: Path) -> None:
    task = MiniLM(write(tmp_path / "just enough", MIN_BYTES))
    for split in SPLITS:
        assert task.batch(split, 0, 0, 4, 512).tokens.shape == (4, 512)
    with pytest.raises(ValueError, match=r"length = 513: must be one of 1, 2, \.\.\., 512"):
        task.batch("train", 0, 0, 4, 513)


def test_a_file_that_is_too_small_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "short", MIN_BYTES - 1)
    with pytest.raises(ValueError, match=rf"short: {MIN_BYTES - 1} bytes; must be at least 32832"):
        MiniLM(path)


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="must be a readable file"):
        MiniLM(tmp_path / name)
