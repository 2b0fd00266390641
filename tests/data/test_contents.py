"""Fingerprints see every edit of a small source; a refusal names the file that has changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prism.data import contents, parse_mix
from prism.data.contents import difference, digests
from prism.data.files import Files
from prism.data.mix import Mix


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(1, 5000), at=st.integers(0, 4999), bit=st.integers(0, 7))
def test_any_flipped_bit_of_a_small_source_is_seen(
    tmp_path: Path, size: int, at: int, bit: int
) -> None:
    path = tmp_path / "a.txt"
    raw = bytearray(b"x" * size)
    path.write_bytes(raw)
    before = Files("a", [path]).fingerprint()
    raw[at % size] ^= 1 << bit
    path.write_bytes(raw)
    assert Files("a", [path]).fingerprint() != before


def test_of_a_large_source_the_first_and_last_bytes_and_blocks_between_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "WHOLE", 1000)
    monkeypatch.setattr(contents, "BLOCKS", 4)
    monkeypatch.setattr(contents, "BLOCK", 10)
    contents._digest.cache_clear()
    path = tmp_path / "a.txt"
    seen = set()
    for place in (None, 0, 9, 10, 500, 663, 1999):
        raw = bytearray(b"x" * 2000)
        if place is not None:
            raw[place] = 0
        path.write_bytes(raw)
        seen.add((place, digests([path])[0][1]))
    plain = dict(seen)[None]
    assert {p for p, d in seen if p is not None and d == plain} == {10, 500}
    contents._digest.cache_clear()


def test_the_digest_is_kept_while_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text")
    digests([path])
    hits = contents._digest.cache_info().hits
    digests([path])
    assert contents._digest.cache_info().hits == hits + 1


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mix:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for name in "ace":
        Path(f"in/{name}.txt").write_text(f"text of {name}")
    return parse_mix("folder:in")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda: Path("in/c.txt").write_text("tixt of c"),
         r"source in: in/c.txt has changed \(9 bytes then, 9 now\)"),
        (lambda: Path("in/c.txt").unlink(), "source in: in/c.txt is gone"),
        (lambda: Path("in/e.txt").unlink(), "source in: in/e.txt is gone"),
        (lambda: Path("in/b.txt").write_text("more"), "source in: in/b.txt is new"),
        (lambda: Path("in/z.txt").write_text("more"), "source in: in/z.txt is new"),
        (lambda: Path("in/a.txt").rename("in/d.txt"),
         "source in: the files are in another order, in/a.txt is in/d.txt now"),
        (lambda: [Path(f"in/{x}.txt").write_text(f"text of {y}") for x, y in ("ac", "ca")],
         "source in: the files are in another order, in/a.txt is in/c.txt now"),
    ],
    ids=["edited", "gone", "last gone", "new", "last new", "renamed", "swapped"],
)  # fmt: skip
def test_the_file_that_has_changed_is_named(corpus: Mix, change: object, says: str) -> None:
    import re

    before = corpus.listing()
    assert difference(before, parse_mix("folder:in").listing()) == ""
    change()  # type: ignore[operator]
    assert re.fullmatch(says, difference(before, parse_mix("folder:in").listing()))


def test_other_weights_and_sources_are_named(corpus: Mix) -> None:
    before = corpus.listing()
    assert "weight was 1.0, is 2.0" in difference(before, parse_mix("folder:in:2").listing())
    assert "were 1 sources, there are 2" in difference(
        before, parse_mix("folder:in,pydoc").listing()
    )
