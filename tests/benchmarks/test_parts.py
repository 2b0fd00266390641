"""Parts removed one by one: the sizes are equal, and the page says what was measured."""

from __future__ import annotations

import pytest

from benchmarks.parts.page import page
from benchmarks.parts.variants import TOLERANCE, VARIANTS, WHOLE, _size, of_equal_size
from prism.compare.protocol import toy_config
from tasks import TASKS


@pytest.mark.parametrize("part", VARIANTS)
def test_every_variant_has_the_size_of_the_whole(part: str) -> None:
    whole = toy_config(TASKS["mini_lm"], 0)
    variant = of_equal_size(whole, VARIANTS[part])
    assert abs(_size(variant) - _size(whole)) <= TOLERANCE * _size(whole)
    same = of_equal_size(whole, {})
    assert (variant == same) == (part == WHOLE)


def run(part: str, seed: int, score: float) -> dict:
    setting = {"task": "mini_lm", "corpus": None, "steps": 9, "lr": 0.01, "dropout": 0.1}
    scores = {"metric": "bits_per_byte", "test": {"by_length": {"128": score}}}
    return (
        setting
        | scores
        | {"part": part, "seed": seed, "code": "c", "cpu_seconds": 7.0}
        | {"error": None}
    )


def test_differences_are_paired_by_seed() -> None:
    runs = [run(WHOLE, 0, 2.0), run(WHOLE, 1, 3.0), run("no filter", 0, 2.1)]
    runs += [run("no filter", 1, 3.1), run("no reset", 1, 2.9)]
    text = page(runs)
    assert "| whole | 2 | 2.5000 | 7 |" in text
    assert "| no filter | 2 | 2.6000 (+0.1000 ± 0.0000) | 7 |" in text
    assert "| no reset | 1 | 2.9000 (-0.1000) | 7 |" in text
