"""``--curriculum``, ``--token-selection`` and ``--token-recycling`` from the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

import prism
from prism.data import ByteTokenizer
from prism.engine.levers.token_weights import open_reference
from prism.engine.logs.log import read
from prism.engine.logs.panels import draw
from prism.engine.store import checkpoint, folder
from prism.record import write_json
from prism.run_scale import main

NARROW = ("d_model=16", "num_layers=1", "num_rates=4", "tape.num_slots=8", "tape.d_mem=4")
FLAGS = [
    *("--set", *NARROW, "--seq-len", "32", "--global-batch-size", "4"),
    *("--eval-tokens", "128", "--eval-every", "0", "--log-every", "1", "--device", "cpu"),
    *("--data", "file:web.txt:3,file:book.txt:1", "--steps", "6", "--save-every", "3"),
]
GROWING = ["--progressive", "tiny@0.5,tiny:num_layers=2@1.0"]
CURRICULUM = ["--curriculum", "anneal:book.txt=0.9@0.4", "lengths:4..16@0.8"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two sources and a run to be a reference."""
    where = tmp_path_factory.mktemp("levers")
    for name in ("web", "book"):
        texts = [f"The {name} says {i} times {i + 1}." for i in range(400)]
        (where / f"{name}.txt").write_text("\n<|endoftext|>\n".join(texts))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(where)
        assert main([*FLAGS, "--out-dir", "reference", "--seed", "3"]) == 0
    return where


@pytest.fixture(autouse=True)
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)


def tensors(run: Path) -> dict[str, torch.Tensor]:
    found = {}
    for file in folder.newest(run).glob("*.safetensors"):
        with safe_open(file, "pt") as f:
            found |= {name: f.get_tensor(name) for name in f.keys()}  # noqa: SIM118
    return found


@pytest.mark.parametrize(
    "lever",
    [
        [*CURRICULUM, "--micro-batch-size", "2", "--token-recycling"],
        ["--token-selection", "excess:0.3", "--reference", "reference"],
        ["--token-selection", "excess:0.3", "--reference", "reference", *GROWING],
    ],
    ids=["curriculum and recycling", "excess", "excess across a growth point"],
)
def test_six_steps_are_three_and_a_resume_and_three(
    lever: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*FLAGS, *lever, "--out-dir", str(tmp_path / "a")]) == 0
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    shutil.rmtree(tmp_path / "b" / "step-00000006")
    assert main(["--resume", str(tmp_path / "b")]) == 0
    a, b = ([r for r in read(tmp_path / x) if "loss" in r] for x in "ab")
    for name in ("loss", "selected"):
        assert [r[name] for r in a] == [r[name] for r in b]
    one, other = tensors(tmp_path / "a"), tensors(tmp_path / "b")
    assert one.keys() == other.keys()
    assert all(torch.equal(other[name], x) for name, x in one.items())
    lanes = [folder.newest(tmp_path / x) / "rank0000.json" for x in "ab"]
    assert lanes[0].read_text() == lanes[1].read_text()
    out = capsys.readouterr().out
    if "--curriculum" in lever:
        assert "curriculum: at 0 web.txt 0.75, book.txt 0.25; at 0.4" in out
        assert "pieces of 4 to 16 tokens until 0.8" in out
    else:
        assert "reference: reference, " in out


def test_the_loss_that_is_logged_stays_the_unweighted_one(tmp_path: Path) -> None:
    shares = {"excess:0.25": 0.25, "excess:1": 1.0}
    first = []
    for rule in shares:
        run = tmp_path / rule
        flags = ["--token-selection", rule, "--reference", "reference", "--out-dir", str(run)]
        assert main([*FLAGS, "--steps", "1", *flags]) == 0
        first.append(read(run)[0])
    assert first[0]["loss"] == first[1]["loss"]
    assert [r["selected"] for r in first] == pytest.approx(list(shares.values()), abs=0.01)


def test_the_report_draws_the_share_where_there_is_one() -> None:
    record = {"step": 1, "bits_per_byte": 2.0}
    titles = [
        [ax.get_title(loc="left") for ax in draw([r]).axes]
        for r in (record, record | {"selected": 0.5})
    ]
    assert titles == [["bits per byte"], ["bits per byte", "share of the targets trained on"]]


def test_the_dry_run_says_what_the_weights_cost(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--set", *NARROW, "--seq-len", "32", "--dry-run"]
    assert main([*flags, "--token-selection", "excess", "--reference", "reference"]) == 0
    out = capsys.readouterr().out
    assert "33.3%" in out  # a reference of the same size: one forward more beside three
    assert "more memory on each rank" in out
    assert main([*flags, "--token-recycling", "--micro-batch-size", "2"]) == 0
    out = capsys.readouterr().out
    assert "33.3%" in out  # the model's own second forward
    assert "reference, forward" not in out
    assert main([*flags, "--token-recycling"]) == 0
    assert " 0.0%" in capsys.readouterr().out
    assert main(flags) == 0
    assert "token weights" not in capsys.readouterr().out


def error(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(list(argv))
    assert stop.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


def test_the_reference_may_move_but_not_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--token-selection", "excess", "--reference", "reference"]
    run = str(tmp_path / "run")
    assert main([*FLAGS, *flags, "--steps", "2", "--out-dir", run]) == 0
    assert main(["--resume", "reference", "--export", str(tmp_path / "moved.safetensors")]) == 0
    moved = str(tmp_path / "moved.safetensors")
    assert main(["--resume", run, "--steps", "3", "--reference", moved]) == 0
    other = str(Path("reference") / "step-00000003")
    said = error(capsys, "--resume", run, "--steps", "4", "--reference", other)
    assert "reference was" in said and "must be the same" in said
    assert folder.newest(Path(run)).name == "step-00000003"  # nothing lost


def test_a_reference_that_cannot_be_read_or_compared_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    select = [*FLAGS, "--out-dir", str(tmp_path / "x"), "--token-selection", "excess"]
    assert "--reference nowhere: " in error(capsys, *select, "--reference", "nowhere")
    small = prism.Prism(prism.PrismConfig(vocab_size=64))
    small.save(tmp_path / "small")
    said = error(capsys, *select, "--reference", str(tmp_path / "small"))
    assert "vocab_size = 64: must be that of the run's tokenizer, 257" in said
    saved = folder.newest(Path("reference"))
    strange = tmp_path / "strange"
    shutil.copytree(saved, strange / saved.name)
    file = strange / saved.name / checkpoint.RUN
    run = folder.read_json(file)
    run["identity"]["tokenizer"] = "other"
    write_json(file, run)
    sizes = {p.name: p.stat().st_size for p in file.parent.iterdir() if p.name != folder.MARK}
    write_json(strange / saved.name / folder.MARK, sizes)
    said = error(capsys, *select, "--reference", str(strange))
    assert "its tokenizer is other: must be bytes" in said
    assert not list((tmp_path / "x").glob("step-*"))


def test_an_unknown_source_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [*FLAGS, "--out-dir", str(tmp_path), "--curriculum", "anneal:wiki=0.5"]
    said = error(capsys, *flags)
    assert "--curriculum anneal:wiki=0.5: no source 'wiki' in the mix" in said


def test_a_reference_is_frozen_and_in_the_dtype_of_the_run() -> None:
    for dtype, wanted in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        model = open_reference("reference", ByteTokenizer(), dtype, torch.device("cpu"))
        assert {p.dtype for p in model.parameters()} == {wanted}
        assert not any(p.requires_grad for p in model.parameters())
        assert not model.training
        assert all(b.dtype is not torch.bfloat16 for b in model.buffers())
