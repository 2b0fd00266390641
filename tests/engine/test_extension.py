"""Losses and observers from outside the engine: exact over any split, saved, resumed, named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from prism import run_scale
from prism.data import open_tokenizer, parse_mix
from prism.engine.builders import BUILT_IN
from prism.engine.extension import Extension, Parts, flag_fields
from prism.engine.levers.token_weights import WeightedCrossEntropy
from prism.engine.logs.log import read
from prism.engine.loop.loss import CrossEntropy, Loss, ModelPenalties, OwnAnswer
from prism.engine.loop.observer import ObserverError, Observers
from prism.engine.loop.step import accumulate
from prism.engine.settings import Settings
from prism.engine.store import checkpoint, folder
from tests.engine.fakes import TOP2, Ranks, fit, small, small_trainer, whole
from tests.engine.toys import TOY, EveryThird, FromHidden, Recorder, ToyFlags

SIZE = ("--set", "d_model=16", "num_layers=1", "num_rates=4", "tape.num_slots=8", "tape.d_mem=4",
        "router_topk=2")  # fmt: skip
FLAGS = (*SIZE, "--seq-len", "24", "--global-batch-size", "4", "--steps", "6", "--save-every", "3",
         "--eval-tokens", "64", "--eval-every", "0", "--log-every", "1", "--device", "cpu",
         "--lr", "1e-2", "--no-async-save")  # fmt: skip


def gradients(s: Settings, run: Path, losses: tuple[Loss, ...]) -> tuple[dict[str, Any], Any]:
    with small_trainer(s, run) as t:
        for _ in range(2):
            t.optimizers.zero_grad()
            found = accumulate(t.model, t.spec.feed.next(), t.states, t.w, losses)
        return whole({n: p.grad for n, p in t.model.named_parameters()}), found.logs


def close(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    scale = max(g.abs().max() for g in b.values())
    for name, g in b.items():
        assert (a[name] - g).abs().max() / scale < 1e-9, name


USUAL = (CrossEntropy(), OwnAnswer(), ModelPenalties())
OWN = (FromHidden(), OwnAnswer(), ModelPenalties())


@pytest.mark.parametrize("model", ["prism", "gdn", "transformer"])
def test_a_loss_of_hidden_states_and_head_has_the_gradients_of_one_of_logits(
    model: str, tmp_path: Path
) -> None:
    s = small(dtype="fp64", model=model)
    usual, own = gradients(s, tmp_path, USUAL), gradients(s, tmp_path, OWN)
    close(own[0], usual[0])
    assert own[1] == pytest.approx(usual[1], rel=1e-12)


@pytest.mark.parametrize("unit", [0, 10**9])
def test_terms_with_counts_of_their_own_are_exact_over_any_split(
    unit: int, pair: Ranks, tmp_path: Path
) -> None:
    losses = (*OWN, EveryThird())
    one, without = (gradients(small(dtype="fp64", set=TOP2), tmp_path, x) for x in (losses, OWN))
    name = "embedding.weight"
    assert (one[0][name] - without[0][name]).abs().max() > 1e-4
    assert one[1]["third"] > 0
    s = small(dtype="fp64", set=TOP2, micro_batch_size=1)
    for found in (
        gradients(s, tmp_path, losses),
        *pair.run(gradients, tmp_path, s, tmp_path, losses),
        *pair.run(gradients, tmp_path, replace(s, recompute=True), tmp_path, losses),
    ):
        close(found[0], one[0])
        assert found[1] == pytest.approx(one[1], rel=1e-12)


def recorded(s: Settings, run: Path, start: Path | None = None) -> tuple[Any, ...]:
    """What a recorder has at the end, and the final weights."""
    recorder = Recorder()
    with small_trainer(s, run, start, start is not None, observers=(recorder,)) as t:
        fit(t)
        end = recorder.matrix(t)
    return torch.stack(recorder.series), recorder.seen, recorder.resumed, end


def test_every_step_of_a_matrix_is_recorded_exactly_also_over_a_resume(
    pair: Ranks, tmp_path: Path
) -> None:
    s = small(set=TOP2)
    with small_trainer(s, tmp_path / "without") as t:
        fit(t)
        wanted = Recorder().matrix(t)
    series, seen, resumed, end = recorded(s, tmp_path / "a")
    assert torch.equal(end, wanted)  # looking changes nothing
    assert torch.equal(series[-1], end)
    assert (len(series), [x[0] for x in seen], resumed) == (7, list(range(6)), [])
    assert len(torch.unique(series, dim=0)) == 7
    start = folder.final_name(tmp_path / "a", 3)
    again = recorded(s, tmp_path / "b", start)
    assert torch.equal(again[0], series)
    assert (again[1], again[2]) == (seen, [3])
    two = pair.run(recorded, tmp_path, s, tmp_path / "c")
    assert torch.equal(two[0][0], two[1][0])
    resumed_two = pair.run(recorded, tmp_path, s, tmp_path / "d", tmp_path / "c" / start.name)
    assert torch.equal(resumed_two[0][0], two[0][0])
    alone = recorded(s, tmp_path / "e", tmp_path / "c" / start.name)
    assert torch.equal(alone[0][:4], two[0][0][:4])


def test_a_checkpoint_that_knows_no_observer_or_flags_goes_on(tmp_path: Path) -> None:
    s = small(set=TOP2)
    with small_trainer(s, tmp_path / "a") as t:
        fit(t)
    start = folder.final_name(tmp_path / "a", 3)
    values = json.loads((start / checkpoint.RUN).read_text())
    for name in ("observers", "flags"):  # written since there are extensions
        del values[name]
    (start / checkpoint.RUN).write_text(json.dumps(values))
    series, _, resumed, _ = recorded(s, tmp_path / "b", start)
    assert (len(series), resumed) == (4, [3])


def failing(run: Path) -> str:
    """The second rank's hook fails in step 4; the error."""
    with small_trainer(small(), run, observers=(Recorder(fail="4:1"),)) as t:
        with pytest.raises(ObserverError) as raised:
            fit(t)
        return str(raised.value)


def test_a_hook_that_raises_on_one_rank_stops_all_of_them(pair: Ranks, tmp_path: Path) -> None:
    said = "observer recorder: after_step at step 4: "
    assert pair.run(failing, tmp_path, tmp_path) == [
        f"{said}failed on another rank",
        f"{said}KeyError: 'no such thing'",
    ]
    assert folder.newest(tmp_path).name == "step-00000003"


def test_observers_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = pytest.raises(ValueError, match="observer 'recorder': there are two")
    with small_trainer(small(), tmp_path) as t, twice:
        Observers((Recorder(), Recorder()), t.w)


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command with the toy in its list."""
    monkeypatch.setattr(run_scale, "EXTENSIONS", [*run_scale.EXTENSIONS, TOY])
    return run_scale.main


def test_the_command_hands_over_a_loss_an_observer_data_and_their_flags(
    main: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--toy-loss" in run_scale.parser().format_help()
    text = tmp_path / "own.txt"
    text.write_text("\n<|endoftext|>\n".join(f"Line {i} of my own." for i in range(400)))
    run, log = tmp_path / "run", tmp_path / "log"
    flags = (*FLAGS, "--out-dir", str(run), "--toy-data", f"file:{text}", "--toy-loss")
    assert main([*flags, "--toy-record", str(log)]) == 0
    assert "toy loss" in capsys.readouterr().out
    assert all("third" in r for r in read(run) if "loss" in r)
    lines = log.read_text().splitlines()
    assert [x.split()[0] for x in lines] == list("123456")
    saved = checkpoint.read_run(folder.newest(run))
    assert saved["identity"]["data"] == parse_mix(f"file:{text}").fingerprint()
    assert saved["identity"]["toy"] == "1"
    late = folder.final_name(run, 6)
    late.rename(tmp_path / "late")
    assert main(["--resume", str(run)]) == 0
    assert log.read_text().splitlines() == lines
    one, other = (checkpoint.read_tensors(x) for x in (tmp_path / "late", late))
    assert all(torch.equal(other[name], x) for name, x in one.items())
    assert other["observer.recorder.series"].shape[0] == 7


def test_a_recorder_goes_on_over_a_growth_point(main: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    grow = "tiny:num_layers=1@0.5,tiny:num_layers=2@1.0"
    assert main([*FLAGS, "--out-dir", str(tmp_path / "run"), "--progressive", grow,
                 "--toy-record", str(log)]) == 0  # fmt: skip
    assert [x.split()[0] for x in log.read_text().splitlines()] == list("123456")


def error(main: Any, capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(list(argv))
    assert stop.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


def test_what_does_not_fit_is_one_line(
    main: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = str(tmp_path / "run")
    assert main([*FLAGS, "--out-dir", run, "--toy-record", str(tmp_path / "log")]) == 0
    capsys.readouterr()
    said = error(main, capsys, "--resume", run, "--toy-loss")
    assert "--toy-loss True: the run was started with False" in said
    twice = (*FLAGS, "--out-dir", str(tmp_path / "x"), "--toy-loss", "--token-recycling")
    assert "token weights and toy give a loss each; choose one" in error(main, capsys, *twice)
    assert main(["--resume", run, "--steps", "7", "--toy-fail", "7:0"]) == 4
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "observer recorder: after_step at step 7: KeyError: 'no such thing'; --resume" in said[0]
    monkeypatch.setattr(run_scale, "EXTENSIONS", list(BUILT_IN))
    said = error(main, capsys, "--resume", run)
    assert "--toy-record: the run was started with it; is unknown here" in said


def test_two_extensions_with_one_flag_are_refused() -> None:
    with pytest.raises(ValueError, match="--toy-loss: two extensions have it"):
        flag_fields([TOY, Extension("other", ToyFlags)])
    assert Parts().loss is None


def test_the_built_in_loss_is_in_the_list_too(tmp_path: Path) -> None:
    assert [e.name for e in run_scale.EXTENSIONS] == ["token weights", "distillation", "probe"]
    with small_trainer(small(token_recycling=True), tmp_path) as t:
        assert isinstance(t.spec.losses[0], WeightedCrossEntropy)
    with small_trainer(small(), tmp_path) as t:
        assert isinstance(t.spec.losses[0], CrossEntropy)
    assert open_tokenizer("bytes").vocab_size == 257


COMMAND = """
import sys
from prism import run_scale
from tests.engine.toys import TOY
run_scale.EXTENSIONS.append(TOY)
sys.exit(run_scale.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_killed_without_warning_the_recorder_goes_on_to_the_bit(tmp_path: Path) -> None:
    def start(*flags: str) -> subprocess.Popen[bytes]:
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        quiet = {"stdout": subprocess.DEVNULL, "env": env, "cwd": Path(__file__).parents[2]}
        return subprocess.Popen([sys.executable, "-c", COMMAND, *flags], **quiet)

    steps = ["60" if before == "--steps" else x
             for before, x in zip(["", *FLAGS], FLAGS, strict=False)]  # fmt: skip
    logs = [tmp_path / "a.log", tmp_path / "b.log"]
    runs = [str(tmp_path / x) for x in "ab"]
    assert start(*steps, "--out-dir", runs[0], "--toy-record", str(logs[0])).wait() == 0
    killed = start(*steps, "--out-dir", runs[1], "--toy-record", str(logs[1]))
    deadline = time.monotonic() + 120
    while len(folder.complete(Path(runs[1]))) == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert start("--resume", runs[1]).wait() == 0
    assert logs[0].read_text() == logs[1].read_text()
    ends = [checkpoint.read_tensors(folder.newest(Path(run))) for run in runs]
    assert all(torch.equal(ends[1][name], x) for name, x in ends[0].items())
