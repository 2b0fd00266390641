"""A run that grows on the way is one run: killed and resumed anywhere it gives the same bits."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from prism.engine.builders import build_spec
from prism.engine.levers.progressive import grown_checkpoint, stages
from prism.engine.logs.log import read
from prism.engine.loop.trainer import Trainer
from prism.engine.parallel.world import world
from prism.engine.run import GROWING, run
from prism.engine.settings import Settings
from prism.engine.store import checkpoint, folder
from tests.engine.fakes import Ranks

GROWTH = 10
STEPS = 20
# width, blocks, heads, values and units grow; rates and slots are those of the last stage
SCHEDULE = "tiny:d_model=16:num_layers=1@0.5,tiny:d_model=24:num_layers=2:tape.d_mem=6@1.0"
SMALL = ("num_rates=4", "half_life_max=32", "chunk_size=8", "tape.num_slots=8", "tape.d_mem=4",
         "symbolic.units=4", "symbolic.suffixes=[1]", "router_topk=2",
         "vocab_size=257")  # fmt: skip


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "book.txt"
    path.write_text("\n<|endoftext|>\n".join(f"Chapter {i} says hello to {i}." for i in range(400)))
    return path


def flags(book: Path, run_folder: Path, **values: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "progressive": SCHEDULE,
        "set": SMALL,
        "data": f"file:{book}",
        "seq_len": 24,
        "global_batch_size": 2,
        "steps": STEPS,
        "schedule": "wsd",
        "lr": 3e-3,
        "device": "cpu",
        "log_every": 1,
        "eval_every": 0,
        "eval_tokens": 64,
        "save_every": 3,
        "keep": STEPS,
        "async_save": False,
        "out_dir": str(run_folder),
    }
    return {**usual, **values}


def end(run_folder: Path) -> tuple[list[float], dict[str, Tensor], list[Any]]:
    """Losses, all tensors and what every rank saved at the end of a run."""
    last = folder.newest(run_folder)
    assert checkpoint.read_run(last)["step"] == checkpoint.read_run(last)["settings"]["steps"]
    losses = [r["loss"] for r in read(run_folder) if "loss" in r]
    return losses, checkpoint.read_tensors(last), checkpoint.read_ranks(last)


def same(a: Path, b: Path) -> None:
    (losses, tensors, ranks), (other_losses, other_tensors, other_ranks) = end(a), end(b)
    assert losses == other_losses
    assert ranks == other_ranks
    assert tensors.keys() == other_tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, other_tensors[name]), name


def killed(run_folder: Path, copy: Path, step: int) -> Path:
    """The folder as a kill after ``step`` leaves it, in the middle of growing if it is time."""
    shutil.copytree(run_folder, copy)
    for late in folder.complete(copy):
        if checkpoint.read_run(late)["step"] > step:
            shutil.rmtree(late)
    if step == GROWTH:
        (copy / GROWING).mkdir()
        (copy / GROWING / "shard-00001-model-00001-of-00001.safetensors").write_bytes(b"torn")
    return copy


@pytest.fixture(scope="module")
def through(book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run from the first to the last step, every checkpoint kept."""
    where = tmp_path_factory.mktemp("through") / "run"
    assert run(flags(book, where)) == 0
    return where


@pytest.mark.parametrize("step", [GROWTH - 1, GROWTH, GROWTH + 2])
def test_killed_before_at_or_after_the_growth_it_goes_on_to_the_bit(
    step: int, through: Path, tmp_path: Path
) -> None:
    copy = killed(through, tmp_path / "run", step)
    assert run({"resume": str(copy)}) == 0
    same(through, copy)
    assert not (copy / GROWING).exists()


def test_other_steps_move_the_growth_that_is_ahead_and_one_that_is_due_comes_at_once(
    through: Path, tmp_path: Path
) -> None:
    copy = killed(through, tmp_path / "run", GROWTH - 1)
    assert run({"resume": str(copy), "steps": 12}) == 0
    assert (copy / f"grown-{GROWTH - 1:08d}.txt").is_file()
    assert folder.newest(copy).name == "step-00000012"
    assert checkpoint.config(folder.newest(copy)).d_model == 24


def test_what_goes_on_and_what_the_report_says(through: Path) -> None:
    before, after = (folder.final_name(through, step) for step in (GROWTH, GROWTH + 2))
    small, large = checkpoint.config(before), checkpoint.config(after)
    assert (small.d_model, small.num_layers, small.tape.d_mem) == (16, 1, 4)
    assert (large.d_model, large.num_layers, large.tape.d_mem) == (24, 2, 6)
    assert small.bus_half_lives == large.bus_half_lives
    tokens = [checkpoint.read_run(folder.final_name(through, n))["tokens"] for n in (10, 20)]
    assert tokens == [10 * 2 * 24, 20 * 2 * 24]
    report = (through / f"grown-{GROWTH:08d}.txt").read_text()
    assert report.startswith("exact: ")
    assert "blocks.1.bus.write.weight" in report
    step = "optimizer.blocks.{}.neural.write.weight.step"
    moments = checkpoint.read_tensors(after)
    assert [moments[step.format(block)].item() for block in (0, 1)] == [GROWTH + 2, 2]


def losses_on_ranks(values: dict[str, Any]) -> list[float]:
    assert run(values) == 0
    where = Path(values.get("resume") or values["out_dir"])
    return [r["loss"] for r in read(where) if "loss" in r]


def test_two_ranks_grow_to_the_bit_and_one_goes_on_from_two(
    book: Path, pair: Ranks, tmp_path: Path
) -> None:
    first = tmp_path / "run"
    values = flags(book, first, dtype="fp64", steps=8, save_every=3, async_save=True)
    losses = pair.run(losses_on_ranks, tmp_path, values)[0]
    again, alone = (killed(first, tmp_path / name, 4) for name in ("again", "alone"))
    assert pair.run(losses_on_ranks, tmp_path, {"resume": str(again)})[0] == losses
    same(first, again)
    assert losses_on_ranks({"resume": str(alone)}) == pytest.approx(losses, rel=1e-9)


def held_out_losses(values: dict[str, Any], scratch: Path) -> list[float]:
    """Before and right after growing from the newest checkpoint of a run, in that order."""
    s = Settings.from_dict(values)
    plan, start = stages(s), folder.newest(Path(s.out_dir))
    with world(s) as w:
        small = Trainer(build_spec(s, w, plan[0]), w, scratch, start, resume=True)
        target = scratch / "grown"
        grown_checkpoint(start, target, s, plan[1])
        large = Trainer(build_spec(s, w, plan[1]), w, scratch, target, resume=True)
        rows = small.spec.feed.next()
        large.spec.feed.next()
        found = []
        for trainer in (small, large):
            out = trainer.model(rows.tokens, trainer.states.states[0], rows.segment_ids)
            found.append(out.logits.detach())
        torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-5)
        return [t.validate()["held_out_loss"] for t in (small, large)]


@pytest.mark.parametrize("schedule", [SCHEDULE, "jump"])
def test_the_held_out_loss_and_the_lanes_do_not_notice_the_growth(
    schedule: str, book: Path, through: Path, tmp_path: Path
) -> None:
    run_folder = tmp_path / "run"
    if schedule == "jump":
        small = (*SMALL, "d_model=16", "num_layers=4")
        run(flags(book, run_folder, progressive=schedule, set=small, steps=2))
        values = flags(book, killed(run_folder, tmp_path / "copy", 1), progressive=schedule,
                       set=small, steps=2)  # fmt: skip
    else:
        values = flags(book, killed(through, run_folder, GROWTH))
    before, after = held_out_losses(values, tmp_path / "scratch")
    assert after == pytest.approx(before, abs=1e-5)


def test_two_steps_after_growing_every_new_entry_has_had_a_gradient(through: Path) -> None:
    tensors = checkpoint.read_tensors(folder.final_name(through, GROWTH + 2))
    hard = ("choice", "preference", "theta", "gate_start")  # only what was picked hears
    for name, tensor in tensors.items():
        if name.endswith("exp_avg_sq") and name.split(".")[-2] not in hard:
            assert bool((tensor > 0).all()), name
