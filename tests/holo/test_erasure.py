"""After erasing, a tape and its file are as if what is gone had never been bound."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism import HoloTape

STEPS = st.lists(
    st.tuples(st.sampled_from(["bind", "update", "forget"]), st.integers(0, 5), st.integers(0, 5)),
    max_size=20,
)


def played(steps: list[tuple[str, int, int]], sequence: bool) -> tuple[HoloTape, dict[str, object]]:
    """A tape after some changes, and what it holds."""
    tape, held = HoloTape(512, 2, sequence=sequence), {}
    for what, key, value in steps:
        name = f"key {key}"
        new = (f"v{value}", "x") if sequence else f"v{value}"
        if what == "forget" and name in held:
            del held[name]
            tape.forget(name)
        elif what == "update" or (what == "bind" and name not in held):
            held[name] = new
            tape.bind_many([name], [new], source=f"s{value}", on_conflict="replace")
    return tape, held


@given(STEPS, st.booleans())
def test_answers_facts_and_register_stay_and_the_history_is_gone(
    steps: list[tuple[str, int, int]], sequence: bool
) -> None:
    tape, held = played(steps, sequence)
    facts, accumulator = list(tape.facts()), tape.accumulator.numbers.clone()
    rows = len(tape.ledger)
    dropped = tape.erase_history()
    assert dropped == rows - len(tape.ledger)
    assert list(tape.facts()) == facts
    assert bool((tape.accumulator.numbers == accumulator).all())
    assert {key: tape.recall(key).value for key in held} == held
    assert tape.audit().consistent
    assert tape.erase_history() == 0
    values = {v for value in held.values() for v in (value if sequence else (value,))}
    assert set(tape.vocabulary.items) == values
    tape.bind("later", ("v0", "new") if sequence else "new")
    assert tape.recall("later").value == (("v0", "new") if sequence else "new")


def test_the_file_holds_no_trace_of_what_was_erased(tmp_path: Path) -> None:
    tape = HoloTape(512, 2, resolver=True)
    tape.bind("kept", "value", source="shown")
    tape.bind("gone", "a secret", source="a witness")
    tape.recall("kept")  # the codebook is made with the value that goes
    tape.forget("gone")
    path = tmp_path / "tape.safetensors"
    tape.save(path)
    assert b"a secret" in path.read_bytes()
    assert tape.erase_history() == 1
    tape.save(path)
    for word in (b"a secret", b"a witness", b"gone"):
        assert word not in path.read_bytes()
    again = HoloTape.load(path)
    assert again.recall("kept").value == "value"
    assert again.recall("kept").source == "shown"
    assert again.history("gone") == []


def test_a_joint_decoder_decodes_anew() -> None:
    tape = HoloTape(512, decoder="amp")
    tape.bind_many(["a", "b", "c"], ["1", "2", "3"])
    assert tape.recall("c").value == "3"
    tape.forget("a")
    assert tape.recall("c").value == "3"
    tape.erase_history()
    assert tape.recall("c").value == "3"


def test_a_tape_without_a_ledger_has_no_history() -> None:
    with pytest.raises(ValueError, match="no ledger"):
        HoloTape(512, ledger=False).erase_history()
