"""``--modular-phase`` from the command line: backbone, branches, assembly, refusals."""

from __future__ import annotations

import shutil
from pathlib import Path
from unittest.mock import patch

import pytest
import torch

import prism
from prism import Prism
from prism.engine.levers.modular import modular_flags
from prism.engine.run import settings_of
from prism.engine.store import checkpoint, folder
from prism.modular import backbone_hash, output_penalty, parameter_group
from prism.record import write_json
from prism.run_scale import main
from tests.engine.fakes import SMALL

SHAPE = ("--device", "cpu", "--seq-len", "16", "--global-batch-size", "2", "--eval-every", "0",
         "--eval-tokens", "64", "--no-async-save", "--lr", "1e-2")  # fmt: skip


def phase(runs: Path, name: str, *flags: str, out: str | None = None) -> int:
    where = ("--modular-phase", name, "--out-dir", str(runs / (out or name)))
    return main([*where, *SHAPE, *flags])


def ckpt(runs: Path, *names: str) -> list[str]:
    return [x for name in names for x in (f"--modular-{name}-ckpt", str(runs / name))]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone and two branches on it."""
    where = tmp_path_factory.mktemp("modular")
    assert phase(where, "backbone", "--data", "pydoc", "--steps", "20", "--set", *SMALL) == 0
    for kind in ("neural", "memory"):
        assert phase(where, kind, *ckpt(where, "backbone"), "--steps", "10") == 0
    return where


def weights(run: Path) -> dict[str, torch.Tensor]:
    return prism.load(run).state_dict()


def test_a_run_of_each_phase_is_a_plain_model(runs: Path) -> None:
    kinds = {"backbone": (), "neural": ("neural",), "memory": ("memory",)}
    for name, wanted in kinds.items():
        model = prism.load(runs / name)
        assert isinstance(model, Prism)
        assert model.config.expert_kinds == wanted
        assert model.config.d_model == 16


def test_a_branch_has_moved_and_its_backbone_has_not(runs: Path) -> None:
    backbone = weights(runs / "backbone")
    for kind in ("neural", "memory"):
        found = weights(runs / kind)
        for name, x in found.items():
            if parameter_group(name) == "backbone":
                assert torch.equal(x, backbone[name]), name
        assert found[f"blocks.0.{kind}.write.weight"].abs().sum() > 0


def test_only_what_learns_has_moments(runs: Path) -> None:
    saved = checkpoint.read_tensors(folder.newest(runs / "memory"))
    names = [name for name in saved if name.startswith("optimizer.")]
    assert names
    assert {parameter_group(name.removeprefix("optimizer.")) for name in names} == {
        "memory",
        "router",
    }


def test_a_branch_reads_mostly_its_own_data_and_the_backbones(runs: Path, tmp_path: Path) -> None:
    text = tmp_path / "own.txt"
    text.write_text("\n\n".join(f"line {i} of my own" for i in range(500)))
    flags = {"modular_phase": "memory", "modular_backbone_ckpt": str(runs / "backbone")}
    s = settings_of({**flags, "data": f"file:{text}"})
    assert (s.mix, s.modular_shared) == (f"file:{text}", "pydoc")
    other = settings_of({**flags, "modular_shared": f"file:{text}"})
    assert (other.mix, other.modular_shared) == ("pydoc", f"file:{text}")


def test_out_of_domain_sources_are_printed_and_penalised(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "own.txt"
    text.write_text("\n<|endoftext|>\n".join(f"line {i} of my own" for i in range(500)))
    flags = ("--steps", "8", "--global-batch-size", "16", "--exploration", "0")
    flags += ("--data", f"file:{text}")
    found = []
    for cost in (1.0, 1e6):
        with patch.object(output_penalty, "OUT_OF_DOMAIN_FACTOR", cost):
            assert phase(tmp_path, "memory", *ckpt(runs, "backbone"), *flags, out=f"at {cost}") == 0
        assert "out of domain: pydoc" in capsys.readouterr().out
        found.append(weights(tmp_path / f"at {cost}")["blocks.0.memory.write.weight"])
    assert found[1].norm() < 0.9 * found[0].norm()
    assert phase(tmp_path, "memory", *ckpt(runs, "backbone"), "--steps", "1", out="alone") == 0
    assert "out of domain" not in capsys.readouterr().out


def test_the_assembled_run_is_the_sum_of_its_parts(runs: Path, capsys) -> None:
    assert phase(runs, "assemble", *ckpt(runs, "backbone", "neural", "memory")) == 0
    said = capsys.readouterr().out
    model = prism.load(runs / "assemble")
    parts = {kind: weights(runs / kind) for kind in ("neural", "memory")}
    assert model.config.expert_kinds == ("neural", "memory")
    for name, x in model.state_dict().items():
        if parameter_group(name) in parts:
            assert torch.equal(x, parts[parameter_group(name)][name]), name
    report = (runs / "assemble" / "assemble.txt").read_text()
    digest = backbone_hash(prism.load(runs / "backbone"))
    assert report.startswith(f"backbone {digest[:16]} with neural, memory: ")
    assert report.splitlines()[0] in said
    assert "memory  blocks.0.memory.write.weight" in report
    assert backbone_hash(model) == digest
    saved = settings_of({"resume": str(runs / "assemble")})
    assert saved.steps == (20 + 10 + 10) * 5 // 100


def test_a_branch_goes_on_without_the_run_of_its_backbone(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "memory", tmp_path / "memory")
    shutil.copytree(runs / "backbone", tmp_path / "backbone")
    shutil.rmtree(tmp_path / "backbone")
    assert main(["--resume", str(tmp_path / "memory"), "--steps", "12"]) == 0
    before, after = weights(runs / "memory"), weights(tmp_path / "memory")
    moved = {parameter_group(name) for name, x in after.items() if not torch.equal(x, before[name])}
    assert moved == {"memory", "router"}


def with_former_names(run: Path) -> None:
    """Rewrite the settings of ``run`` as an older version had them."""
    newest = folder.newest(run)
    saved, settings = folder.read_json(newest / "run.json"), folder.read_json(run / "settings.json")
    for values in (saved["settings"], settings):
        values["modular_trunk_ckpt"] = values.pop("modular_backbone_ckpt")
        if values["modular_phase"] == "backbone":
            values["modular_phase"] = "trunk"
    write_json(run / "settings.json", settings)
    write_json(newest / "run.json", saved)
    sizes = folder.read_json(newest / folder.MARK)
    sizes["run.json"] = (newest / "run.json").stat().st_size
    write_json(newest / folder.MARK, sizes)


def test_runs_with_the_former_names_resume_and_are_started_from(runs: Path, tmp_path: Path) -> None:
    for name, steps in (("backbone", "22"), ("memory", "12")):
        shutil.copytree(runs / name, tmp_path / name)
        with_former_names(tmp_path / name)
        assert isinstance(prism.load(tmp_path / name), Prism)
        assert main(["--resume", str(tmp_path / name), "--steps", steps]) == 0
    shutil.copytree(runs / "backbone", tmp_path / "older")
    with_former_names(tmp_path / "older")
    older = ("--modular-backbone-ckpt", str(tmp_path / "older"), "--steps", "1")
    assert phase(tmp_path, "neural", *older) == 0


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--modular-trunk-ckpt", "x"], "--modular-trunk-ckpt: is now --modular-backbone-ckpt"),
        (["--modular-trunk-ckpt=x"], "--modular-trunk-ckpt: is now --modular-backbone-ckpt"),
        (["--modular-phase", "trunk"], "--modular-phase trunk: is now backbone"),
    ],
)
def test_former_names_on_the_command_line_are_one_clear_line(
    flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(flags)
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"prism.run_scale: {said}\n"


def test_a_branch_of_another_backbone_is_one_clear_line(runs: Path, tmp_path: Path, capsys) -> None:
    flags = ("--data", "pydoc", "--steps", "10", "--seed", "5", "--set", *SMALL)
    assert phase(tmp_path, "backbone", *flags) == 0
    capsys.readouterr()
    where = [*ckpt(tmp_path, "backbone"), *ckpt(runs, "memory")]
    with pytest.raises(SystemExit) as caught:
        phase(tmp_path, "assemble", *where, "--steps", "1", out="sum")
    said = capsys.readouterr().err
    assert caught.value.code == 2
    assert said.count("\n") == 1
    for place in (tmp_path, runs):
        assert backbone_hash(prism.load(place / "backbone")) in said
    assert not list((tmp_path / "sum").glob("step-*"))


def test_gates_may_see_a_twentieth_of_the_tokens(runs: Path) -> None:
    flags = {"modular_phase": "assemble", "seq_len": 16, "global_batch_size": 2}
    flags |= {f"modular_{name}_ckpt": str(runs / name) for name in ("backbone", "memory")}
    with pytest.raises(ValueError, match=r"--steps 2: gates may see 5% of the 960 tokens .* <= 1"):
        modular_flags({**flags, "steps": 2})
    with pytest.raises(ValueError, match=r"--steps 1: .*must be <= 0 at this batch size"):
        modular_flags({**flags, "global_batch_size": 8})


BAD = {
    "--modular-backbone-ckpt x: needs --modular-phase": {"modular_backbone_ckpt": "x"},
    "--modular-shared pydoc: needs --modular-phase neural": {"modular_shared": "pydoc"},
    "--modular-phase memory: needs --modular-backbone-ckpt DIR": {"modular_phase": "memory"},
    "--modular-phase assemble: needs --modular-KIND-ckpt": {
        "modular_phase": "assemble",
        "modular_backbone_ckpt": "x",
    },
    "--modular-memory-ckpt y: must not be given with --modular-phase memory": {
        "modular_phase": "memory",
        "modular_backbone_ckpt": "x",
        "modular_memory_ckpt": "y",
    },
    "--progressive jump: --modular-phase backbone begins elsewhere": {
        "modular_phase": "backbone",
        "progressive": "jump",
    },
}


@pytest.mark.parametrize("message", BAD)
def test_flags_that_do_not_fit_are_one_clear_line(message: str) -> None:
    with pytest.raises(ValueError) as caught:
        modular_flags(BAD[message])
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_branch_takes_size_and_tokenizer_from_its_backbone(runs: Path) -> None:
    flags = {"modular_phase": "memory", "modular_backbone_ckpt": str(runs / "backbone")}
    with pytest.raises(ValueError, match="--preset 350m: the backbone has tiny; must be it"):
        modular_flags({**flags, "preset": "350m"})
    with pytest.raises(ValueError, match=r"modular backbone: expert_kinds = .'memory',."):
        modular_flags({**flags, "modular_backbone_ckpt": str(runs / "memory")})
    wide = settings_of({**flags, "set": ("tape.d_mem=8",)})
    assert "tape.d_mem=8" in wide.set


def test_without_a_phase_nothing_changes() -> None:
    flags = {"steps": 3, "preset": "tiny"}
    assert modular_flags(flags) == flags
