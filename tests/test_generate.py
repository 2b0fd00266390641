"""``python -m prism.generate``: text as it comes, with what a tape put into it marked."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import Tensor

from prism import Prism, PrismConfig, generate, load
from prism.baselines import MODELS, build
from prism.command import plain
from prism.data.tokens import ByteTokenizer, open_tokenizer
from prism.engine.store import folder
from prism.engine.store.export import export
from prism.generate import main
from prism.holo import HoloTape
from prism.inject import AttachedLM, Injection
from prism.inject.addresses import AnswerAccumulator, banks_for
from prism.inject.sync import parts
from prism.model.generation.text import stream_text
from prism.pretrained import smollm2
from prism.run_scale import main as run_scale


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


class Script(AttachedLM):
    """A model that says a text, of which the bytes in [brackets] come from a fact."""

    def __init__(self, text: str) -> None:
        self.tokenizer = ByteTokenizer()
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
        injection = None
        if place is not None:
            injection = Injection(at, token, 7.25, "Mu", "king", place, 0.1, "Mu", "typo", "atlas")
        return logits, at + 1, [None] * (len(tokens) - 1) + [injection]


def scripted(monkeypatch: pytest.MonkeyPatch, text: str) -> int:
    """Let :class:`Script` say ``text`` in place of every taught model; its number of bytes."""
    reader = Script(text)
    monkeypatch.setattr(generate, "taught", lambda *_: reader)
    return len(reader.plan)


def test_the_text_is_what_the_model_generates(
    checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
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
    pieces = [piece for piece, _ in reader.stream("x", len(reader.plan))]
    assert "".join(pieces) == text
    assert pieces[:2] == ["", "é"]
    assert Script("é").generate("x", 1) == "\N{REPLACEMENT CHARACTER}"


def test_the_end_of_text_stops() -> None:
    def step(tokens: Tensor, state: Any) -> tuple[Tensor, Any, Any]:
        logits = torch.zeros(1, 257)
        logits[-1, 256 if state else ord("a")] = 9
        return logits, True, None

    assert list(stream_text(step, ByteTokenizer(), "x", 5)) == [("a", ord("a"), None)]


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


def test_a_fact_cannot_colour_a_terminal(
    checkpoint: str, facts: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    number = scripted(monkeypatch, " [\x1b\\31mRED:ab:]")  # brackets are the script's own
    flags = ("--checkpoint", checkpoint, "--tape", facts, "--prompt", "\x1b[1mHe")
    out = said(capsys, *flags, "--max-new-tokens", str(number), "--explain")
    assert out.startswith("\\u001b[1mHe [\\u001b\\31mRED:ab:]\n")
    assert "\x1b" not in out


def test_json_holds_the_text_and_the_facts_in_it() -> None:
    reader = Script(" is [X] now")
    found = generate.sample(reader.stream("He", len(reader.plan)), ByteTokenizer())
    assert found["text"] == " is X now"
    (fact,) = found["facts"]
    assert (fact["text"], fact["subject"], fact["relation"]) == ("X", "Mu", "king")
    assert (fact["source"], fact["z"]) == ("atlas", 7.25)


def test_json_is_one_object(checkpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--checkpoint", checkpoint, "--prompt", "a", "--max-new-tokens", "3")
    plain = said(capsys, *flags)
    found = json.loads(said(capsys, *flags, "--json"))
    (sample,) = found["samples"]
    assert found["prompt"] + sample["text"] + "\n" == plain
    assert (sample["seed"], sample["facts"], found["skipped"]) == (0, [], [])


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
        ("head of state of Freedonia", ("Freedonia", "head of state")),
        ("country of origin of brundle cheese", ("brundle cheese", "country of origin")),
        ("The capital of Freedonia is", ("Freedonia", "capital")),
        ("The king of Sylvania was called", ("The king of Sylvania was called",)),
        ("Freedonia lies in", ("Freedonia lies in",)),
    ],
)
def test_a_key_is_a_phrase_or_a_sentence(key: str, told: tuple[str, ...]) -> None:
    assert parts(key) == told


def test_a_register_grows_with_the_facts() -> None:
    few, many = (AnswerAccumulator(vocab_size=256, banks=banks_for(n, 256)) for n in (10, 10_000))
    assert few.accumulator.banks == 1 < many.accumulator.banks
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
        (["--checkpoint", "words"], "words: vocab_size 64: must be given a tokenizer.json"),
        (["--top-k", "0", "--temperature", "1"], "--top-k 0: must be >= 1"),
        (["--top-k", "3"], "--top-k: needs a --temperature above 0"),
        (["--top-p", "0.5"], "--top-p: needs a --temperature above 0"),
        (["--min-p", "0.5"], "--min-p: needs a --temperature above 0"),
        (["--top-p", "0", "--temperature", "1"], "--top-p 0.0: must be above 0 and at most 1"),
        (["--min-p", "2", "--temperature", "1"], "--min-p 2.0: must be in [0, 1]"),
        (["--repetition-penalty", "0"], "--repetition-penalty 0.0: must be a finite number"),
        (["--repetition-penalty", "inf"], "--repetition-penalty inf: must be a finite number"),
        (["--num-samples", "2"], "--num-samples: needs a --temperature above 0"),
        (["--num-samples", "0"], "--num-samples 0: must be >= 1"),
        (["--seed", str(2**63)], "must be >= 0 and below 2**63"),
        (["--stop", ""], "--stop '': must not be empty"),
        (["--tokenizer", "none.json"], "tokenizer none.json: no such file"),
        (["--tape", "none.safetensors"], "none.safetensors: no such file"),
        (["--tape", "empty.safetensors"], "holds no fact that can be given to a model"),
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

    monkeypatch.setattr(generate, "stream_text", stop)
    assert main(["--checkpoint", checkpoint, "--prompt", "The bus"]) == 130
    assert capsys.readouterr().out == "The bus\n"


def test_top_k_of_one_is_greedy_at_any_temperature(
    checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--checkpoint", checkpoint, "--prompt", "a", "--max-new-tokens", "8")
    greedy = said(capsys, *flags)
    assert said(capsys, *flags, "--temperature", "2", "--top-k", "1") == greedy
    assert said(capsys, *flags, "--temperature", "2", "--top-k", "200") != greedy


def test_weights_that_are_nan_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Prism(PrismConfig(vocab_size=256, d_model=16, num_layers=1, num_rates=4))
    with torch.no_grad():
        model.last_norm.weight.fill_(float("nan"))
    model.save(tmp_path)
    error = refused(["--checkpoint", str(tmp_path), "--prompt", "a"], capsys)
    assert error.count("\n") == 1 and "logits of row 0 hold NaN" in error


def test_stop_ends_the_text_before_it(checkpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--checkpoint", checkpoint, "--prompt", "a", "--max-new-tokens", "24")
    flags += ("--temperature", "1", "--top-k", "9", "--seed", "1")
    text = said(capsys, *flags)
    first, second = text[5:7], text[14:15]
    assert (first + second).isascii() and "\\" not in first + second
    end = min(text.index(first, 1), text.index(second, 1))
    assert said(capsys, *flags, "--stop", first, "--stop", second) == text[:end] + "\n"


def test_every_rule_changes_the_draw(checkpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--checkpoint", checkpoint, "--prompt", "a", "--max-new-tokens", "24")
    hot = (*flags, "--temperature", "3")
    free = said(capsys, *hot)
    greedy = said(capsys, *flags)
    assert said(capsys, *hot, "--top-p", "0.001") == greedy != free
    assert said(capsys, *hot, "--min-p", "1") == greedy
    assert said(capsys, *flags, "--repetition-penalty", "1e6") != greedy


def test_samples_are_the_texts_of_the_seeds_that_follow(
    checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--checkpoint", checkpoint, "--prompt", "a", "--max-new-tokens", "8")
    flags += ("--temperature", "1")
    alone = [said(capsys, *flags, "--seed", seed) for seed in "567"]
    together = said(capsys, *flags, "--seed", "5", "--num-samples", "3")
    heads = [f"sample {i + 1} of 3, seed {5 + i}:\n" for i in range(3)]
    assert together == "\n".join(head + text for head, text in zip(heads, alone, strict=True))


def test_samples_read_the_prompt_once(
    checkpoint: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = []
    forward = Prism.forward

    def counted(self: Prism, tokens: Tensor, **rest: Any) -> Any:
        lengths.append(tokens.shape[1])
        return forward(self, tokens, **rest)

    monkeypatch.setattr(Prism, "forward", counted)
    flags = ("--checkpoint", checkpoint, "--prompt", "abc", "--max-new-tokens", "2")
    said(capsys, *flags, "--temperature", "1", "--num-samples", "3")
    assert lengths == [3, 1, 1, 1]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level tokenizer.json of 300 ids."""
    library = pytest.importorskip("tokenizers")
    path = tmp_path_factory.mktemp("words") / "tokenizer.json"
    inner = library.Tokenizer(library.models.BPE())
    inner.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = library.decoders.ByteLevel()
    trainer = library.trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|end|>"],
        initial_alphabet=sorted(library.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    inner.train_from_iterator(["the bus is late and the river rose é " * 9], trainer)
    inner.save(str(path))
    return path


def trained(run: Path, tokenizer: str) -> Path:
    """The folder of a run of one step."""
    text = run.with_name("text.txt")
    text.write_text("".join(f"bus {i} is late\n<|endoftext|>\n" for i in range(200)))
    flags = ["--data", f"file:{text}", "--tokenizer", tokenizer, "--out-dir", str(run)]
    flags += ["--steps", "1", "--seq-len", "16", "--global-batch-size", "2", "--eval-tokens", "16"]
    sizes = ["d_model=16", "num_layers=1", "num_rates=4"]
    assert run_scale([*flags, "--device", "cpu", "--set", *sizes]) == 0
    return run


@pytest.mark.parametrize("kind", ["bytes", "file"])
def test_a_run_its_checkpoint_and_its_export_speak_with_their_tokenizer(
    kind: str, words: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "bytes" if kind == "bytes" else str(words)
    tokenizer = open_tokenizer(name)
    run = trained(tmp_path / "run", name)
    export(run, tmp_path / "model.safetensors")
    flags = ("--prompt", "the bus é", "--max-new-tokens", "6")
    places = (run, folder.newest(run), tmp_path / "model.safetensors")
    found = {said(capsys, "--checkpoint", str(place), *flags) for place in places}
    model = load(run)
    prompt = torch.tensor(tokenizer.encode("the bus é"))
    new = model.generate(prompt, 6, temperature=0)[len(prompt) :].tolist()
    new = new[: new.index(tokenizer.end)] if tokenizer.end in new else new
    text = b"".join(tokenizer.piece(i) for i in new).decode("utf-8", "replace")
    assert found == {f"the bus é{text}\n"}


def test_another_tokenizer_than_the_models_is_refused(
    words: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(tmp_path / "run", "bytes")
    argv = ["--checkpoint", str(run), "--prompt", "x", "--tokenizer", str(words)]
    assert "must be bytes, the model's" in refused(argv, capsys)


@pytest.mark.parametrize("kind", ["run", "checkpoint", "save"])
def test_the_tokenizer_may_lie_beside_the_model(
    kind: str, words: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Copied from another machine, where the file of the training no longer is."""
    away = tmp_path / "words.json"
    away.write_bytes(words.read_bytes())
    run = trained(tmp_path / "run", str(away))
    flags = ("--prompt", "the bus", "--max-new-tokens", "4")
    wanted = said(capsys, "--checkpoint", str(run), *flags)
    places = {
        "run": (run, run),
        "checkpoint": (folder.newest(run), run),
        "save": (tmp_path / "saved", tmp_path / "saved"),
    }
    place, beside = places[kind]
    if kind == "save":
        load(run).save(place)
    away.unlink()
    assert "must be" in refused(["--checkpoint", str(place), *flags], capsys)
    (beside / "tokenizer.json").write_bytes(words.read_bytes())
    assert said(capsys, "--checkpoint", str(place), *flags) == wanted


@pytest.mark.parametrize("half", [False, True])
def test_an_export_needs_nothing_beside_it(
    half: bool, words: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    away = tmp_path / "words.json"
    away.write_bytes(words.read_bytes())
    run = trained(tmp_path / "run", str(away))
    flags = ("--prompt", "the bus", "--max-new-tokens", "4")
    wanted = said(capsys, "--checkpoint", str(run), *flags)
    export(run, tmp_path / "out" / "model.safetensors", half=half)
    away.unlink()
    assert said(capsys, "--checkpoint", str(tmp_path / "out" / "model.safetensors"), *flags) == (
        wanted
    )


@pytest.mark.parametrize("name", MODELS)
def test_a_save_of_every_model_speaks(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = build(name, PrismConfig(vocab_size=256, d_model=32, num_layers=2, num_rates=4))
    model.save(tmp_path / "saved")
    prompt = torch.tensor(list(b"The bus"))
    wanted = bytes(model.generate(prompt, 6, temperature=0).tolist()).decode("utf-8", "replace")
    flags = ("--prompt", "The bus", "--max-new-tokens", "6")
    shown = plain(wanted, keep="\n\t")
    assert said(capsys, "--checkpoint", str(tmp_path / "saved"), *flags) == shown + "\n"
