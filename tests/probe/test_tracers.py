"""Tracers: the copy of the run equals it to the bit, others go their own way."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from prism.engine.loop.loss import ModelPenalties
from prism.probe.commands import main
from prism.probe.tracers import Tracers, counted, log_spaced
from prism.run_scale import main as run_scale

FLAGS = ("--data", "pydoc", "--model", "transformer", "--set", "d_model=16", "num_layers=1",
         "--steps", "30", "--seq-len", "24", "--global-batch-size", "2", "--save-every", "15",
         "--eval-every", "0", "--eval-tokens", "64", "--log-every", "15", "--device", "cpu",
         "--beta2", "0.999", "--no-async-save", "--tracer-rows", "16")  # fmt: skip
PURE = ("--dtype", "bf16", "--weights", "bf16")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "pure"
    tracers = ("--tracers", "causes", "sigma=0", "--probe", "embedding", "--out-dir", str(out))
    assert run_scale([*FLAGS, *PURE, *tracers]) == 0
    return out


def test_the_copy_of_the_run_is_its_rows_to_the_bit(run: Path) -> None:
    report = json.loads((run / "tracers.json").read_text("utf-8"))
    assert report["equal_to_the_bit"] and report["step"] == 30
    assert report["gradient_error"] < 0.01
    found = report["variants"]
    assert found["live"]["sha256"] == found["w16 m16 near"]["sha256"]
    assert len({v["sha256"] for v in found.values()}) == len(found) - 1
    assert found["sigma=0"]["crystal"]["distinct"] == 1  # equal rows get equal gradients
    assert found["live"]["crystal"]["distinct"] == 16


def test_causes_are_counted_by_window_and_every_noted_step_once() -> None:
    noted = [{"step": 25 * i, "moved": 0.5, "below_half": 0.25, "other": 0.25} for i in range(1, 9)]
    found = counted(noted, 0, [25, 100, 200], 8)
    assert found["noted"] == [1, 3, 4] and found["moved"] == [4, 12, 16]
    assert found["below_half"] == [2, 6, 8] and found["latched"] == [0, 0, 0]
    assert log_spaced(1000, 4) == [0, 1, 32, 1000] and len(log_spaced(10_000, 100)) > 60


def test_a_copy_of_a_run_with_decay_clipping_and_fp32_is_equal_too(tmp_path: Path) -> None:
    more = ("--weight-decay", "0.3", "--grad-clip", "0.1", "--tracers", "w16 stoch")
    assert run_scale([*FLAGS, *more, "--out-dir", str(tmp_path / "run")]) == 0
    report = json.loads((tmp_path / "run" / "tracers.json").read_text("utf-8"))
    assert report["equal_to_the_bit"] and report["gradient_error"] < 1e-4


def test_a_loss_whose_gradient_the_copies_do_not_know_is_refused(tmp_path: Path) -> None:
    tracers = Tracers(tmp_path / "tracers.json", np.arange(2), [], seed=0)
    trainer = SimpleNamespace(spec=SimpleNamespace(losses=(ModelPenalties(),)))
    with pytest.raises(ValueError, match="--tracers: the loss is ModelPenalties; must be"):
        tracers.before_step(trainer, None)


def test_commands_read_the_log(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = str(run / "embedding.weight.probe")
    said = {}
    for name in ("replay", "census", "survival", "crystal"):
        assert main([name, log]) == 0
        said[name] = json.loads(capsys.readouterr().out)
    assert said["replay"]["step"] == 30 and said["crystal"]["neighbours"] == 0
    assert said["census"]["seen"]["unseen"] == said["survival"]["rows"] == said["crystal"]["rows"]
    for name in ("comoving", "lattice"):
        assert main([name, log, "--rows", "all"]) == 0
        assert capsys.readouterr().out.splitlines()[0].split()[0] == "step"
    assert main(["report", log]) == 0
    paths = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [p.name for p in paths] == ["probe.json", "probe.gif", "probe.html"]
    content, page = json.loads(paths[0].read_text("utf-8")), paths[2].read_text("utf-8")
    assert content["tracers"]["equal_to_the_bit"] and content["dead"] == said["survival"]["rows"]
    assert "What earlier tools got wrong" in page and f"{content['dead']:,} of them" in page
    assert paths[1].read_bytes()[:4] == b"GIF8" and content["frames"] > 20


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["replay", "LOG", "--step", "31"], "--step 31: must be in 0..30"),
        (["census", "LOG", "--text", "pydoc"], "--text pydoc: needs --tokenizer"),
        (["crystal", "nowhere.probe"], "nowhere.probe: no such file"),
        (["dead", "nowhere"], "nowhere: no model there"),
    ],
)
def test_bad_input_of_the_commands_is_one_line(
    argv: list[str], message: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = str(run / "embedding.weight.probe")
    with pytest.raises(SystemExit) as stop:
        main([log if word == "LOG" else word for word in argv])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--probe", "nothing"], "--probe nothing: must be one of the matrices embedding.weight"),
        (["--probe", "head"], "this model's head is its embedding"),
        (["--probe", "embedding", "--dtype", "fp64"], "--dtype fp64 has others"),
        (["--tracers", "w8"], "tracer 'w8'"),
        (["--tracers", "causes", *PURE, "--rounding", "stochastic"], "needs AdamW without chance"),
        (["--probe-rows", "dead"], "--probe-rows dead: needs --probe"),
        (["--labels", "none"], "--labels none: must be one of right, shuffled, wrong"),
    ],
)
def test_bad_flags_of_a_run_are_one_line(
    flags: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = [x for x in FLAGS if x not in ("--tracer-rows", "16")]
    with pytest.raises(SystemExit) as stop:
        run_scale([*base, *flags, "--out-dir", str(tmp_path / "run")])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_dead_tokens_of_a_run_are_listed(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dead", str(run), "--text", "pydoc", "--top", "3", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["kinds"] == {"plain": 128, "partial": 128, "special": 1}
    assert len(report["table"]) == 3 and report["truth"]["dead that could occur"] > 10
