"""Two mixes in one: shares of tokens, sources that stand in both, what is held out."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.data import parse_mix
from prism.data.mix import Mix, blended


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    where = tmp_path_factory.mktemp("blend")
    found = {}
    for name in "abc":
        found[name] = where / f"{name}.txt"
        found[name].write_text(f"the text of {name}\n")
    return found


def mix_of(files: dict[str, Path], **weights: float) -> Mix:
    return parse_mix(",".join(f"file:{files[name]}:{w}" for name, w in weights.items()))


def shares(mix: Mix) -> dict[str, float]:
    return {Path(s.source.name).stem: s.weight for s in mix.sources}


weights = st.floats(0.01, 100)


@given(own=weights, first=weights, second=weights, share=st.floats(0.01, 0.99))
def test_each_mix_keeps_its_share_and_its_proportions(files, own, first, second, share):
    found = shares(blended(mix_of(files, a=own), mix_of(files, b=first, c=second), share))
    assert found["a"] == pytest.approx(share)
    assert found["b"] + found["c"] == pytest.approx(1 - share)
    assert found["b"] / found["c"] == pytest.approx(first / second)


def test_a_source_of_both_has_the_sum_of_its_weights(files):
    found = shares(blended(mix_of(files, a=5), mix_of(files, a=1, b=1), 0.7))
    assert found == {"a": pytest.approx(0.85), "b": pytest.approx(0.15)}


def test_what_only_the_shared_mix_has_is_out_of_domain(files):
    mix = blended(mix_of(files, a=5), mix_of(files, a=1, b=1, c=2), 0.7)
    assert {Path(s.source.name).stem: s.out_of_domain for s in mix.sources} == {
        "a": False,
        "b": True,
        "c": True,
    }


def test_one_is_at_home_in_ones_own_text_however_it_is_reached(files, monkeypatch):
    monkeypatch.chdir(files["a"].parent)
    found = blended(parse_mix("file:a.txt"), mix_of(files, a=1, b=1), 0.7)
    assert [(s.source.name, s.out_of_domain) for s in found.sources] == [
        ("a.txt", False),
        (str(files["a"]), False),
        (str(files["b"]), True),
    ]


def test_what_is_held_out_is_what_the_shared_mix_holds_out(files):
    own, shared = (
        dataclasses.replace(mix_of(files, **{name: 1}), held_out=share)
        for name, share in (("a", 0.2), ("b", 0.03))
    )
    assert blended(own, shared, 0.7).held_out == 0.03


def test_two_sources_of_one_name_are_refused(files, tmp_path):
    mixes = []
    for name in "ab":
        path = tmp_path / f"{name}.json"
        source = {"kind": "file", "path": str(files[name]), "name": "mine"}
        path.write_text(json.dumps({"sources": [source]}))
        mixes.append(parse_mix(f"mix:{path}"))
    with pytest.raises(ValueError, match="source 'mine' is another one in the shared mix"):
        blended(*mixes, 0.7)
