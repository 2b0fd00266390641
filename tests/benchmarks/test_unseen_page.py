"""The chapters on unseen texts: bars on the last set, every share, every text that went wrong."""

from __future__ import annotations

from typing import Any

from benchmarks.facts.unseen import BARS, unseen_criteria, unseen_sections


def content(rate: float) -> dict[str, Any]:
    kinds = ["near miss", "wording, no shared word", "form", "unrelated", "wording, all",
             "positions of unrelated text, bit-identical"]  # fmt: skip
    rows = [{"kind": k, "rate": rate, "low": rate - 0.1, "high": 1.0, "count": 50} for k in kinds]
    cases = [
        {"kind": "near miss", "prompt": "The CFO of X is", "right": False, "said": " Bo"},
        {"kind": "form", "prompt": "X's CEO is", "right": False, "said": None},
        {"kind": "form", "prompt": "The CEO of X is", "right": True, "said": " Al"},
    ]
    curve = [{"shift": s, **dict.fromkeys(kinds, rate - s / 10)} for s in (-0.5, 0.0)]
    run = {"set": "four", "second opinion": True, "rows": rows, "cases": cases, "curve": curve}
    return {"meta": {"profile": "full"}, "runs": [run]}


def test_each_bar_is_judged_on_its_share() -> None:
    assert [c.number for c in unseen_criteria(content(1.0))] == [f"U{i}" for i in range(1, 6)]
    assert all(c.met for c in unseen_criteria(content(1.0)))
    met = {c.asks.rpartition(" ≥ ")[2]: c.met for c in unseen_criteria(content(0.9))}
    assert met == {f"{low:g}": low <= 0.9 for low in BARS.values()}
    assert unseen_criteria(None) == []


def test_the_page_has_shares_curve_and_what_went_wrong() -> None:
    text = "\n".join(unseen_sections(content(0.9)))
    assert "| near miss | 0.9000 [0.8000, 1.0000] | 50 |" in text
    assert "| −0.5 | 0.9500 |" in text
    assert "* near miss: `The CFO of X is`; said: `Bo`" in text
    assert "* form: `X's CEO is`; said: nothing" in text
    assert "The CEO of X is" not in text
