"""The n-gram model is the formula, sums to one, and is what the text tables say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.compare.ngram import WittenBell, counted
from prism.compare.summary import ModelSummary, TaskSummary, ngram_lines
from tasks import TASKS

TEXTS = st.lists(st.lists(st.integers(0, 3), max_size=12), min_size=1, max_size=4)


def by_definition(texts: list[list[int]], history: list[int], w: int, vocab: int) -> float:
    """The formula with plain loops; ``history`` has at most n - 1 ids."""
    p = 1 / vocab
    for k in range(len(history) + 1):
        h = history[len(history) - k :]
        follow = [t[i + k] for t in texts for i in range(len(t) - k) if t[i : i + k] == h]
        if follow:
            n = len(set(follow))
            p = (follow.count(w) + n * p) / (len(follow) + n)
    return p


@given(TEXTS, st.lists(st.integers(0, 3), min_size=2, max_size=6), st.integers(1, 3))
def test_probabilities_follow_the_definition(texts, window, order):
    model = WittenBell(map(np.array, texts), 4, order)
    found = model.probability(np.array([window]))[0]
    for t in range(1, len(window)):
        history = window[max(0, t - order + 1) : t]
        assert found[t - 1] == pytest.approx(by_definition(texts, history, window[t], 4))


@given(TEXTS, st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_they_sum_to_one(texts, history):
    model = WittenBell(map(np.array, texts), 4)
    windows = np.array([[*history, w] for w in range(4)])
    assert model.probability(windows)[:, -1].sum() == pytest.approx(1)


def test_no_gram_reaches_over_the_edge_of_a_stretch():
    apart = WittenBell([np.array([0, 1]), np.array([2, 3])], 4)
    joined = WittenBell([np.array([0, 1, 2, 3])], 4)
    window = np.array([[1, 2]])
    assert apart.probability(window)[0, 0] < joined.probability(window)[0, 0]


def test_a_vocabulary_whose_grams_have_no_code_is_refused():
    with pytest.raises(ValueError, match=r"order = 3, vocab_size = 4000000: .* < 2 \*\* 63"):
        WittenBell([np.array([1])], 4_000_000)


def test_a_run_on_text_carries_the_line_and_the_remarks_name_who_is_above_it():
    task = TASKS["mini_lm"]
    found = counted(task, 8)
    assert found.keys() == {"3", "5"} and found["3"].keys() == {"128", "512"}
    assert 2 < found["5"]["128"] < found["3"]["128"] < 4
    run = {"task": "mini_lm", "train_length": 128, "metric": "bits_per_byte", "error": None}
    scores = {"prism": 2.0, "ssm": 2.5}
    models = {
        name: ModelSummary(
            name, [{**run, "seed": 0, "ngrams": found, "test": {"by_length": {"128": bits}}}]
        )
        for name, bits in scores.items()
    }
    first = models["prism"].runs[0]
    counts = {"3": {"128": 2.9}, "5": {"128": 2.2541}}
    lines = ngram_lines(TaskSummary("mini_lm", {**first, "ngrams": counts}, models))
    assert lines == [
        "mini_lm, T = 128: counted n-grams give 2.900 with n = 3 and 2.254 with n = 5; "
        "above it, so undertrained: ssm"
    ]
    assert ngram_lines(TaskSummary("copy", run, models)) == []
