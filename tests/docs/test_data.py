"""Every command of docs/DATA.md runs, at the size of a toy, and its examples are what they say."""

from __future__ import annotations

import gzip
import json
import re
import shlex
from pathlib import Path

import pytest

from prism import run_scale, tokenizer
from prism.data import mix, parse_mix
from prism.data.files import KINDS
from prism.data.passages import PASSAGE
from prism.engine.logs.log import read
from tests.docs import pages
from tests.docs.test_training import toy

pytestmark = pytest.mark.long
PAGE = "docs/DATA.md"
COMMANDS = [command for command, _ in pages.commands(PAGE)]
RUNS = [c for c in COMMANDS if c.startswith("python")]
DEBIAN = [c for c in COMMANDS if not c.startswith("python")]


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the files that the page names."""
    monkeypatch.chdir(tmp_path)
    chapters = [f"Chapter {i} says hello to reader {i * i}." for i in range(600)]
    Path("book.txt").write_text("\n<|endoftext|>\n".join(chapters))
    rows = [{"text": f"Hello {i}.", "body": {"en": f"Good day {i}."}} for i in range(400)]
    Path("chat.jsonl").write_text("\n".join(map(json.dumps, rows)))
    rows = [{"question": f"What is {i}?", "answers": [f"It is {i}."]} for i in range(400)]
    Path("quiz.jsonl").write_text("\n".join(map(json.dumps, rows)))
    Path("my.json").write_text(pages.blocks(PAGE, "json")[0])
    unpacked_packages()
    return tmp_path


def unpacked_packages() -> None:
    """What ``dpkg-deb -x`` leaves of the packages, in small."""
    kernel = Path("text/usr/share/doc/linux-doc-6.1/Documentation")
    python = Path("text/usr/share/doc/python3.11/html/_sources")
    for folder in (kernel / "admin", kernel / "translations" / "it", python):
        folder.mkdir(parents=True)
    for i in range(200):
        with gzip.open(kernel / "admin" / f"{i}.rst.gz", "wt") as file:
            file.write(f"Part {i} of the kernel.\n")
        (python / f"{i}.rst.txt").write_text(f"Part {i} of the library.\n")
    (kernel / "translations" / "it" / "index.txt").write_text("In italiano.")


def small(command: str) -> list[str]:
    """The flags of a training command at the size of a toy."""
    words = toy(command)
    if "--tokenizer" in words:
        assert Path(words[words.index("--tokenizer") + 1]).is_file()  # trained further up
    return words


def test_the_commands_run_in_the_order_of_the_page(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in RUNS:
        if "prism.tokenizer" in command:
            assert tokenizer.main(shlex.split(command)[3:]) == 0
        else:
            assert run_scale.main(small(command)) == 0, command
    assert "bytes per token on" in capsys.readouterr().out
    runs = [re.search(r"--out-dir (\S+)", c) for c in RUNS]
    for found in runs:
        if found is not None:
            records = read(Path(found[1]))
            assert any("held_out_bits_per_byte" in r for r in records), found[1]
    assert [r["step"] for r in read(Path("runs/mixed")) if "loss" in r] == [2, 4]


def test_the_recipe_for_english_takes_the_packages_without_the_translations(corpus: Path) -> None:
    assert [c.split()[0] for c in DEBIAN] == ["apt-get", "for", "rm"]
    assert Path(shlex.split(DEBIAN[2])[2]).is_dir()
    data = next(c for c in RUNS if "linux-doc" in c).split("--data ")[1].split()[0]
    sources = [s.source for s in parse_mix(data).sources]
    texts = [s.window(i, 0).read(0).text for s in sources for i in range(s.segments())]
    assert sum("kernel" in t for t in texts) == sum("library" in t for t in texts) == 200


def test_the_mix_on_the_page_is_what_it_says(corpus: Path) -> None:
    found = parse_mix("mix:my.json")
    assert found.held_out == 0.05
    assert [s.source.name for s in found.sources] == ["the book", "chat.jsonl", "quiz.jsonl"]
    quiz = found.sources[2].source.window(0, 0).read(3)
    assert quiz.parts == (("Question: What is 3?\nAnswer:", False), (" It is 3.", True))
    assert found.sources[1].source.window(0, 0).read(3).text == "Good day 3."


def test_the_page_names_every_kind_and_its_constants_are_those_of_the_code() -> None:
    for ending in KINDS:
        assert f"`{ending}`" in pages.text(PAGE)
    for name in mix.NAMED:
        assert f"`mix:{name}`" in pages.text(PAGE)
    for kind in mix.KINDS:
        assert f"| `{kind}" in pages.text(PAGE)
    assert f"passage of about {PASSAGE // 1024} KiB" in pages.text(PAGE)
    assert f"The share is {mix.HELD_OUT:g}" in pages.text(PAGE)
    assert (
        f"less than {mix.SMALL // 2**20} MiB together it is {mix.SMALL_HELD_OUT:g}"
        in pages.text(PAGE)
    )


def test_readers_are_led_here() -> None:
    for page in ("README.md", "TRAINING.md"):
        assert f"({PAGE})" in pages.text(page)
