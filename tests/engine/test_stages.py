"""``--progressive``: what a schedule says, what its sizes share, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from prism import Prism, presets
from prism.engine.cost import tables as cost
from prism.engine.levers.progressive import NAMED, Stage, stage_of, stages
from prism.engine.models import model_config
from prism.engine.run import run, settings_of
from prism.engine.settings import Settings
from prism.engine.store import checkpoint, folder
from prism.run_scale import main

VOCAB = 257


def plan(text: str, **values: Any) -> tuple[Stage, ...]:
    return stages(Settings(progressive=text, **values), VOCAB)


def parameters(stage: Stage) -> int:
    with torch.device("meta"):
        return Prism(stage.config).num_parameters()


def test_a_run_without_a_schedule_has_one_stage_to_its_end() -> None:
    s = Settings(preset="300m", set=("d_model=64",), steps=7)
    assert stages(s, VOCAB) == (Stage("300m", "300m", s.set, model_config(s, VOCAB), 7),)


def test_fractions_are_shares_of_the_steps_up_to_the_end_of_a_stage() -> None:
    found = plan("tiny:num_layers=1@0.25,tiny:num_layers=2@0.6,tiny@1.0", steps=200)
    assert [stage.end for stage in found] == [50, 120, 200]
    assert [stage.config.num_layers for stage in found] == [1, 2, 4]


def test_presets_share_what_growth_cannot_change() -> None:
    small, large = plan("tiny@0.3,350m@1.0")
    assert large.config == presets.m350(vocab_size=VOCAB)
    assert small.config.bus_half_lives == large.config.bus_half_lives
    assert small.config.tape.num_slots == large.config.tape.num_slots == 64
    assert small.taken == (
        "tape.num_slots=64",
        "symbolic.suffix_slots=4096",
        "half_life_max=8192.0",
    )
    tiny = presets.tiny(vocab_size=VOCAB)
    for field in ("d_model", "num_layers", "hidden", "memory_layers"):
        assert getattr(small.config, field) == getattr(tiny, field)
    assert small.config.tape.d_mem == tiny.tape.d_mem


def test_an_override_of_a_stage_stays_and_set_holds_for_all() -> None:
    text = "tiny:num_rates=4:half_life_max=64@0.5,tiny:half_lives=[0.25,1,3.1,64,99]:d_model=200@1"
    with pytest.raises(ValueError, match=r"--progressive tiny:.* to tiny:.*half_lives"):
        plan(text)
    small, large = plan("tiny:d_model=64@0.5,tiny@1", set=("d_model=96", "tape.num_slots=16"))
    assert (small.config.d_model, large.config.d_model) == (64, 96)
    assert small.config.tape.num_slots == large.config.tape.num_slots == 16


def test_the_flags_of_a_stage_give_its_model_to_a_run_without_stages() -> None:
    for text in ("tiny@0.3,350m@1.0", *NAMED):
        s = Settings(progressive=text, seed=5, set=("router_z_loss=0.01",))
        for stage in stages(s, VOCAB):
            alone = dataclasses.replace(s, progressive=None, preset=stage.preset, set=stage.set)
            assert model_config(alone, VOCAB) == stage.config


@pytest.mark.parametrize("preset", presets.BY_NAME)
def test_a_jump_starts_with_a_quarter_of_the_blocks(preset: str) -> None:
    small, large = plan("jump", preset=preset)
    assert large.config == presets.get(preset, vocab_size=VOCAB)
    assert small.config.num_layers == max(1, large.config.num_layers // 4)
    assert small.end == 500


def test_the_first_recipe_starts_at_the_size_of_its_preset() -> None:
    found = plan("seed", steps=1000)
    assert [stage.end for stage in found] == [400, 750, 1000]
    assert [stage.preset for stage in found] == ["350m", "700m", "1b"]
    with torch.device("meta"):
        wanted = Prism(presets.m350(vocab_size=VOCAB)).num_parameters()
    assert parameters(found[0]) == pytest.approx(wanted, rel=0.001)
    assert parameters(found[0]) < parameters(found[1]) < parameters(found[2])


REFUSED = {
    "tiny@0.5,350m": r"must be STAGE@FRACTION,.* or one of jump, seed$",
    "bigger": r"--progressive bigger: must be STAGE@FRACTION",
    "tiny@half,350m@1": r"--progressive tiny@half: the fraction must be a number",
    "tiny@0.5,350m@0.9": r"fractions 0.5, 0.9: must rise from above 0 to 1 at last",
    "tiny@0,350m@1": r"fractions 0, 1: must rise from above 0",
    "tiny@0.7,350m@0.7,1b@1": r"fractions 0.7, 0.7, 1: must rise",
    "tiny@nan,350m@1": r"fractions nan, 1: must rise",
    "tiny@0.0001,350m@1": r"fractions 0.0001, 1 of --steps 1000: every stage must have a step",
    "small@0.5,350m@1": r"--progressive small: preset = 'small': must be one of",
    "tiny:width=3@0.5,tiny@1": r"--progressive tiny:width=3: width: must be one of .*d_model",
    "tiny:d_model@0.5,tiny@1": r"--progressive tiny:d_model: d_model: must be KEY=VALUE",
    "tiny@0.5,tiny:growth=copy@1": r"tiny:growth=copy: growth=copy: must be exact or stack",
    "tiny@0.5,tiny@1": r"--progressive tiny to tiny: both have the same config",
    "350m@0.5,700m@1": r"350m to 700m: PrismConfig.num_layers = 20: must be at least 24",
    "tiny:tape.num_slots=8@0.5,tiny@1": r"PrismConfig.tape.num_slots = 32: must be 8",
    "tiny:memory_layers=[0,1]@0.5,tiny@1": r"PrismConfig.memory_layers = .*: must be such that",
    "tiny:d_model=100@0.5,tiny@1": r"tiny:d_model=100: PrismConfig.d_model = 100: must be a mult",
    "tiny@0.5,tiny:num_layers=6:growth=stack:memory_layers=[0]@1": r"PrismConfig.memory_layers",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_schedule_that_cannot_be_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=REFUSED[text]) as refusal:
        plan(text)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).startswith("--progressive")


def test_a_baseline_does_not_grow_and_the_schedule_names_the_presets() -> None:
    with pytest.raises(ValueError, match=r"--model gdn does not grow; must be"):
        plan("tiny:num_layers=1@0.5,tiny@1", model="gdn")
    with pytest.raises(ValueError, match=r"--preset 350m: --progressive names the presets"):
        settings_of({"preset": "350m", "progressive": "seed"})
    assert settings_of({"preset": "350m", "progressive": "jump"}).preset == "350m"


def test_a_checkpoint_of_another_size_is_of_no_stage() -> None:
    found = plan("tiny:num_layers=1@0.5,tiny@1.0")
    assert [stage_of(found, stage.config) for stage in found] == [0, 1]
    with pytest.raises(ValueError, match=r"not of this run's sizes, tiny:num_layers=1, tiny$"):
        stage_of(found, presets.tiny(vocab_size=VOCAB, num_layers=2))


def test_the_cost_is_that_of_the_tokens_at_each_size() -> None:
    s = Settings(progressive="tiny:num_layers=1@0.4,tiny@1.0", steps=100, seq_len=64)
    found = stages(s, VOCAB)
    (first, small), (second, large) = cost.stage_flops(s, found)
    assert (first, second) == (40 * 64 * 8, 60 * 64 * 8)
    assert 3 < (large / second) / (small / first) < 4  # four blocks for one, and the head
    three = cost.stage_flops(s, plan("seed", steps=100))
    each = [flops / tokens for tokens, flops in three]
    assert each == sorted(each)


def test_the_dry_run_prints_what_each_stage_costs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--progressive", "tiny@0.3,350m@1.0", "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert "prism 350m" in text
    shares = [float(x) for x in re.findall(r"([\d.]+)% │\n", text.partition("from scratch")[2])]
    assert len(shares) == 3
    assert shares[0] + shares[1] == pytest.approx(shares[2], abs=0.11)
    assert 70 < shares[2] < 71  # nearly nothing for the small stage


def test_another_run_can_start_from_a_stage(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("\n<|endoftext|>\n".join(f"Chapter {i} says hello." for i in range(300)))
    common = {"data": f"file:{book}", "seq_len": 16, "global_batch_size": 2, "eval_tokens": 32,
              "device": "cpu", "async_save": False}  # fmt: skip
    text = "tiny:d_model=16:num_layers=1:num_rates=4:half_life_max=9@0.5,tiny:d_model=16@1.0"
    small = ("num_rates=4", "half_life_max=9", "tape.num_slots=8")
    first = {"progressive": text, "set": small, "steps": 2, "out_dir": str(tmp_path / "a")}
    assert run(common | first) == 0
    folder.prune(tmp_path / "a", keep=1)
    start = {"init_from": str(tmp_path / "a"), "steps": 1, "out_dir": str(tmp_path / "b")}
    assert run(common | start) == 0
    ends = [checkpoint.config(folder.newest(tmp_path / name)) for name in "ab"]
    assert ends[0] == ends[1]
    saved = json.loads((tmp_path / "b" / "settings.json").read_text())
    assert (saved["preset"], saved["progressive"]) == ("tiny", None)
