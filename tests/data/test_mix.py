"""Data that a command line may name, and the errors for what it may not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prism.data.formats import format_from
from prism.data.mix import (
    HELD_OUT,
    MIXES,
    NAMED,
    SMALL,
    SMALL_HELD_OUT,
    Mix,
    Weighted,
    mix_from,
    parse_mix,
)
from prism.data.order import Place, Walk
from tests.data.fakes import mix_of, numbered


def first(mix: Mix, source: int = 0) -> str:
    return Walk(mix.sources[source].source, None).read(Place()).text


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with some files of each kind, being the working folder."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.txt").write_text("text a")
    (tmp_path / "deep" / "b.md").write_text("text b")
    (tmp_path / "deep" / "c.jsonl").write_text('{"text": "text c", "body": "body c"}\n')
    (tmp_path / "skip.bin").write_bytes(b"\0")
    (tmp_path / "settings.json").write_text("{}")
    (tmp_path / "bare").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files_with_weights(corpus: Path) -> None:
    mix = parse_mix("file:a.txt:3,file:deep/c.jsonl")
    assert [(s.source.name, s.weight) for s in mix.sources] == [("a.txt", 3), ("deep/c.jsonl", 1)]
    assert [first(mix, i) for i in range(2)] == ["text a", "text c"]


@pytest.mark.parametrize("text", ["folder:.", "file:.", "folder:.:0.5"])
def test_a_folder_is_every_file_of_a_known_kind_below(corpus: Path, text: str) -> None:
    source = parse_mix(text).sources[0].source
    texts = {source.window(i, 0).read(0).text for i in range(source.segments())}
    assert texts == {"text a", "text b", "text c"}


def test_a_pattern_is_what_it_matches(corpus: Path) -> None:
    assert parse_mix("file:**/*.md").sources[0].source.segments() == 1
    assert first(parse_mix(f"file:{corpus}/*/*.md")) == "text b"


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("pydoc", SMALL_HELD_OUT),
        ("pydoc,file:a.txt", SMALL_HELD_OUT),
        ("file:big.txt", HELD_OUT),
        ("file:a.txt,file:big.txt", HELD_OUT),
        ("hub:owner/words", HELD_OUT),
    ],
)
def test_more_is_held_out_of_little_text(corpus: Path, text: str, share: float) -> None:
    with (corpus / "big.txt").open("wb") as file:
        file.truncate(SMALL)
    assert parse_mix(text).held_out == share


def test_the_manual_with_a_weight() -> None:
    mix = parse_mix("pydoc:2")
    assert [(s.source.name, s.weight) for s in mix.sources] == [("pydoc", 2)]


def test_a_mix_of_ones_own(corpus: Path) -> None:
    source = {"kind": "file", "path": "deep/c.jsonl", "text": "body", "name": "c", "weight": 2}
    (corpus / "my.json").write_text(json.dumps({"sources": [source], "held_out": 0.2}))
    mix = parse_mix("mix:my.json")
    assert (mix.held_out, mix.sources[0].source.name, mix.sources[0].weight) == (0.2, "c", 2)
    assert first(mix) == "body c"


def test_a_json_file_of_rows(corpus: Path) -> None:
    Path("rows.json").write_text('{"k": {"title": "T", "extract": "E"}}')
    source = {"kind": "file", "path": "rows.json", "answer": "{title}\n{extract}"}
    Path("my.json").write_text(json.dumps({"sources": [source]}))
    assert first(parse_mix("mix:my.json")) == "T\nE"
    Path("rows.json").write_text("[3]")
    with pytest.raises(ValueError, match=r"rows\.json row 0: must be a JSON object"):
        first(parse_mix("mix:my.json"))


@pytest.mark.parametrize("name", NAMED)
def test_a_named_mix_is_described_completely_and_opens_without_a_network(name: str) -> None:
    mix = parse_mix(f"mix:{name}")
    assert sum(s.weight for s in mix.sources) == pytest.approx(1)
    for entry in json.loads((MIXES / f"{name}.json").read_text())["sources"]:
        options = {k: v for k, v in entry.items() if k in ("text", "messages", "prompt", "answer")}
        assert format_from(options).columns


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("web:x", "data 'web:x': must begin with one of pydoc, file, folder, hub, store, mix"),
        ("", "data '': must begin with one of"),
        ("file", "data file: needs a path: file:PATH"),
        ("file:none.txt", "source none.txt: none.txt: no such file or folder"),
        ("folder:a.txt", "source a.txt: a.txt: no such folder"),
        ("folder:bare", "source bare: folder bare holds no file of .txt, .md"),
        ("file:skip.bin", r"source skip.bin: skip.bin: must end in .txt, .md"),
        ("file:a.txt:0", "source a.txt: weight = 0.0: must be > 0"),
        ("file:a.txt:nan", "source a.txt: weight = nan: must be > 0"),
        ("file:a.txt,file:a.txt", "source 'a.txt' is named twice"),
        ("file:a.txt,b.txt", "no such file or folder; a comma divides sources where pydoc"),
        ("pydoc,web:x", "data 'pydoc,web:x': must begin with one of"),
        ("x=web:y", "data 'x=web:y': must begin with one of"),
        ("file:deep/run.txt", "no such file"),
        ("pydoc:deep", "data pydoc:deep: pydoc takes no path"),
        ("hub:words", "data hub:words: must be hub:OWNER/NAME"),
        ("mix:more", "mix:more: must be one of pretrain, instruct, retrieval, or a .json file"),
        ("mix:none.json", "mix:none.json: cannot be read"),
        ("mix:list.json", "mix:list.json: must be a JSON object"),
        ("mix:odd.json", "mix: 'extra': must be sources or held_out"),
    ],
)
def test_data_that_cannot_be_opened_is_refused_in_one_line(
    corpus: Path, text: str, says: str
) -> None:
    (corpus / "list.json").write_text("[]")
    (corpus / "odd.json").write_text('{"sources": [], "extra": 1}')
    with pytest.raises(ValueError, match=says) as refusal:
        parse_mix(text)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("described", "says"),
    [
        ({}, "sources = None: must be a list of objects"),
        ({"sources": []}, "mix: has no source"),
        ({"sources": [{"kind": "ftp"}]}, "mix: kind = 'ftp': must be one of"),
        (
            {"sources": [{"kind": "file", "path": "a.txt", "wieght": 2}]},
            "mix: 'wieght' of a.txt: must be one of kind, path, weight, name, text, messages",
        ),
        (
            {"sources": [{"kind": "folder", "path": "a", "split": "train"}]},
            "mix: 'split' of a: must be one of kind, path, weight, name",
        ),
        (
            {"sources": [{"kind": "pydoc", "text": "body"}]},
            "mix: 'text' of pydoc: must be one of kind, weight",
        ),
        ({"sources": [{"kind": "pydoc", "weight": "2"}]}, "weight = '2': must be a number"),
        ({"sources": [{"kind": "pydoc"}], "held_out": 0}, r"held_out = 0: must be in \(0, 0.5\]"),
        ({"sources": [{"kind": "pydoc"}], "held_out": "1%"}, "held_out = '1%': must be in"),
        ({"sources": [{"kind": "file", "path": "a.txt", "field": "x"}]}, "mix: 'field' of a.txt"),
    ],
)
def test_a_mix_that_is_described_badly_is_refused(
    corpus: Path, described: dict[str, object], says: str
) -> None:
    (corpus / "my.json").write_text(json.dumps(described))
    with pytest.raises(ValueError, match=says):
        parse_mix("mix:my.json")


def test_the_fingerprint_tells_data_apart(corpus: Path) -> None:
    one = parse_mix("file:a.txt").fingerprint()
    assert parse_mix("file:a.txt").fingerprint() == one
    assert parse_mix("file:a.txt:2").fingerprint() != one
    (corpus / "a.txt").write_text("text a, longer")
    assert parse_mix("file:a.txt").fingerprint() != one


def test_sources_must_have_their_own_names() -> None:
    with pytest.raises(ValueError, match="'shelf' is named twice"):
        mix_of(numbered(3), numbered(4))
    with pytest.raises(ValueError, match=r"weight = -1: must be > 0"):
        Mix((Weighted(numbered(3), -1),))


def test_a_comma_in_a_path_divides_nothing(corpus: Path) -> None:
    Path("comma,name.txt").write_text("text with a comma")
    mix = parse_mix("file:comma,name.txt:2,pydoc, file:a.txt:0.5")
    assert [(s.source.name, s.weight) for s in mix.sources] == [
        ("comma,name.txt", 2), ("pydoc", 1), ("a.txt", 0.5)]  # fmt: skip
    assert first(mix) == "text with a comma"


def test_a_file_whose_name_ends_like_a_weight_is_that_file(corpus: Path) -> None:
    folder = corpus / "deep:2"
    folder.mkdir()
    (folder / "a.txt").write_text("in the folder with a number")
    mix = parse_mix("folder:deep:2")
    assert (first(mix), mix.sources[0].weight) == ("in the folder with a number", 1.0)


def test_a_source_can_be_named_on_the_command_line(corpus: Path) -> None:
    mix = parse_mix(f"notes=file:{corpus}/a.txt:3,file:deep/b.md")
    assert [(s.source.name, s.weight) for s in mix.sources] == [("notes", 3), ("deep/b.md", 1)]


def test_paths_in_a_mix_are_looked_for_beside_its_file_first(corpus: Path) -> None:
    Path("deep/my.json").write_text('{"sources": [{"kind": "file", "path": "c.jsonl"}]}')
    assert first(parse_mix("mix:deep/my.json")) == "text c"
    Path("deep/my.json").write_text('{"sources": [{"kind": "file", "path": "deep/c.jsonl"}]}')
    assert first(parse_mix("mix:deep/my.json")) == "text c"  # from the working folder, as ever


def test_the_fingerprint_is_of_contents_not_of_places(corpus: Path) -> None:
    one = parse_mix("file:a.txt,folder:deep").fingerprint()
    Path("deep").rename("moved")
    Path("a.txt").rename("moved.txt")
    assert parse_mix(f"file:{corpus}/moved.txt,folder:moved").fingerprint() == one
    Path("moved.txt").write_text("text b")  # as long as before
    assert parse_mix("file:moved.txt,folder:moved").fingerprint() != one


def test_the_fingerprint_tells_formats_apart(corpus: Path) -> None:
    described = [{"kind": "file", "path": "deep/c.jsonl", "text": t} for t in ("text", "body")]
    mixes = [mix_from({"sources": [entry]}).fingerprint() for entry in described]
    assert mixes[0] != mixes[1]


def test_rows_of_messages_without_a_format_are_told_which_they_need(corpus: Path) -> None:
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    Path("chat.jsonl").write_text(json.dumps({"messages": turns}))
    with pytest.raises(ValueError, match=r'"messages": "messages" in a mix:FILE.json'):
        first(parse_mix("file:chat.jsonl"))
    Path("chat.jsonl").write_text(json.dumps({"id": [], "conversations": turns}))
    with pytest.raises(ValueError, match=r'"messages": "conversations" in a mix:FILE.json'):
        first(parse_mix("file:chat.jsonl"))
