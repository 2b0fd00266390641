"""The fit of the second opinion: weights, curves of sets that are left out, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from prism.inject.wordings.opinion import FEATURES
from prism.studies.facts.judging import Row, curve, fitted, judged, main
from prism.studies.facts.unseen_set import UnseenCase, UnseenSet

WORDING = UnseenCase("wording, no shared word", "X obeys", "value", 0)
SHARED = UnseenCase("wording, shared word", "The mayor whom X obeys is", "value", 0)
NEAR = UnseenCase("near miss", "X fears", "unchanged", 0)
TEXT = UnseenCase("unrelated", "X sleeps in", "unchanged", 0)
CHOSEN = UnseenSet("toy", (("mayor of X", "Y"),), (WORDING, SHARED, NEAR, TEXT))


def row(case: UnseenCase, covered: float, end: bool = True) -> Row:
    features = np.zeros(len(FEATURES))
    features[FEATURES.index("covered")] = covered
    return Row(case, features, end, case.expect == "value" and end)


def rows() -> list[Row]:
    good = [row(WORDING, 0.9 + i / 100) for i in range(5)]
    bad = [row(NEAR, 0.3 + i / 100) for i in range(20)]
    return [*good, *bad, row(TEXT, 0.2), row(WORDING, 0.1, end=False)]


def test_the_feature_that_parts_right_from_wrong_gets_the_weight() -> None:
    weights = fitted(rows())
    w = dict(zip([*FEATURES, "constant"], weights.weights, strict=True))
    assert w["covered"] > 1
    assert all(abs(w[f]) < 1e-9 for f in FEATURES if f != "covered")
    odds = weights.odds(np.stack([r.features for r in rows()]))
    right = np.array([r.right for r in rows()])
    assert odds[right].min() > 0 > odds[~right].max()


def test_a_feature_that_is_never_known_says_nothing() -> None:
    some = rows()
    for one in some:
        one.features[FEATURES.index("name")] = np.nan
    assert np.isfinite(fitted(some).weights).all()


def test_the_curve_counts_prompts_and_places() -> None:
    points = {p["level"]: p for p in curve(fitted(rows()), rows(), 1, CHOSEN)}
    at = points[0.0]
    assert (at["wording"], at["wording, no shared word"]) == (1.0, 1.0)
    assert (at["near miss"], at["unrelated places"]) == (1.0, 0)
    wordings = [points[level]["wording"] for level in sorted(points)]
    assert wordings == sorted(wordings, reverse=True)


def test_every_set_is_left_out_in_turn() -> None:
    data = judged({"a": (rows(), 1, CHOSEN), "b": (rows()[:-1], 0, CHOSEN)})
    assert set(data["left out"]) == {"a", "b"}
    assert data["rows"] == 2 * len(rows()) - 1
    assert len(data["weights"]) == len(FEATURES) + 1


def test_one_set_alone_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--sets", "one"])
    assert stop.value.code == 2
    assert "must be two at least" in capsys.readouterr().err
