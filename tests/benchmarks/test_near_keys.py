"""The rule of typing errors on texts that it was not written from."""

from __future__ import annotations

from benchmarks.holo.near_keys import near_keys


def test_different_things_stay_apart_and_typing_errors_are_understood() -> None:
    found = near_keys()
    assert (found["pairs"], found["slips"]["n"]) == (200, 300)
    assert found["taken"] <= 2 and found["slips_wrong"] == 0
    assert found["slips"]["share"] >= 0.98
