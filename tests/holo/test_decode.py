"""Joint decoders read what the filter cannot, know when they are right, and notice changes."""

from __future__ import annotations

import numpy as np
import pytest

from prism.holo import HoloTape
from prism.holo.capacity.evolution import decodable, safe_facts


def filled(facts: int, size: int = 100, dim: int = 1024, decoder: str = "amp", **config) -> tuple:
    tape = HoloTape(dim, dtype="int32", values=size, decoder=decoder, overfill=True, **config)
    values = np.random.default_rng(1).integers(0, size, facts)
    tape.bind_many(np.arange(facts), values)
    return tape, values


@pytest.mark.parametrize(("size", "facts"), [(100, 210), (1000, 105)])
def test_amp_reads_exactly_at_a_load_where_the_filter_fails(size: int, facts: int) -> None:
    tape, values = filled(facts, size)
    hashes = tape.hash(np.arange(facts))
    assert (tape.read(hashes, decoder="filter").ids == values).mean() < 0.7
    reading = tape.read(hashes)
    assert np.array_equal(reading.ids, values)
    assert tape.joint.decode(0).exact
    assert (reading.p_value == 0).all()


def test_amp_reads_hashed_codes_as_well() -> None:
    tape = HoloTape(1024, dtype="int16", decoder="amp")
    values = [f"v{i % 90}" for i in range(190)]
    tape.bind_many(np.arange(190), values)
    assert [r.value for r in tape.recall_many(np.arange(190))] == values


def test_cancellation_reads_three_times_what_the_filter_does() -> None:
    tape, values = filled(80, 1000, 1024, "sic")
    hashes = tape.hash(np.arange(80))
    assert np.array_equal(tape.read(hashes).ids, values)
    assert (tape.read(hashes, decoder="filter").ids == values).mean() < 0.8


def test_amplitude_layers_multiply_what_fits() -> None:
    safe = safe_facts(1024, 100, layers=4)
    assert safe > 2.9 * safe_facts(1024, 100)
    assert decodable(100, 4) * 1024 > safe
    tape, values = filled(safe, 100, 1024, layers=4)
    assert np.array_equal(tape.read(tape.hash(np.arange(safe))).ids, values)
    assert tape.joint.decode(0).exact


def test_beyond_the_limit_the_decoder_does_not_claim_to_be_right() -> None:
    tape, values = filled(600, 1000)
    reading = tape.read(tape.hash(np.arange(600)))
    assert not tape.joint.decode(0).exact
    assert (reading.ids == values).mean() < 0.5
    wrong = reading.ids != values
    assert reading.accepted[wrong].mean() < 0.1


@pytest.mark.parametrize("decoder", ["sic", "amp"])
def test_a_write_is_seen_by_the_next_question(decoder: str) -> None:
    tape = HoloTape(1024, 4, values=50, decoder=decoder)
    tape.bind_many(np.arange(40), np.arange(40))
    assert tape.recall(7).value == 7
    tape.update(7, 49)
    tape.forget(8)
    tape.bind("new", 3)
    found = [tape.recall(k).value for k in (7, 8, "new", 9)]
    assert found == [49, None, 3, 9]
    assert tape.recall(7).method == decoder


def test_an_untouched_bank_is_not_decoded_again() -> None:
    tape = HoloTape(256, 4, values=50, decoder="amp")
    tape.bind_many(np.arange(40), np.arange(40))
    before = [tape.joint.decode(b) for b in range(4)]
    tape.forget(0)
    after = [tape.joint.decode(b) for b in range(4)]
    assert sum(a is b for a, b in zip(before, after, strict=True)) == 3


def test_an_empty_bank_decodes_to_nothing() -> None:
    tape = HoloTape(256, 4, values=50, decoder="amp")
    assert tape.joint.decode(2).exact
    assert tape.recall("k").value is None
    assert tape.recall("k", decoder="amp").value is None


def test_sequences_decode_jointly() -> None:
    tape = HoloTape(1024, 2, dtype="int16", values=30, sequence=True, decoder="amp")
    values = [tuple((i + j) % 30 for j in range(3)) for i in range(60)]
    tape.bind_many(np.arange(60), values)
    assert [r.value for r in tape.recall_many(np.arange(60))] == values
