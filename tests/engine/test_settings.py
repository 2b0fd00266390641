"""The flags: few, all documented, all checked, and what a resume may change."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import Any

import pytest

from prism.config import PrismConfig
from prism.engine.effects import EFFECTS, FIELD_EFFECTS
from prism.engine.flags import add_flags, flag_name, given
from prism.engine.run import settings_of
from prism.engine.settings import LEVERS, Settings, renewed
from prism.engine.store import checkpoint, folder
from prism.record import write_json
from prism.run_scale import main

FLAGS = """
async-save beta2 carry compile data decay device dry-run dtype eval-every eval-tokens exploration
export global-batch-size gpu grad-clip init-from keep log-every lr mfu micro-batch-size min-lr-ratio
model optimizer out-dir phase preset recompute resume save-every schedule seed seq-len set shards
show-settings skip-bad-rows skip-outliers smoke steps tensorboard tokenizer wandb warmup
weight-decay
"""


LEVER_FLAGS = """
curriculum modular-memory-ckpt modular-neural-ckpt modular-phase modular-shared
modular-symbolic-ckpt modular-backbone-ckpt moments progressive reference rounding token-recycling
token-selection weights
"""


def flags_of(levers: bool) -> list[str]:
    fields = dataclasses.fields(Settings)
    return sorted(flag_name(f.name) for f in fields if (f.metadata["group"] == LEVERS) is levers)


def test_the_core_flags_are_these_and_at_most_46() -> None:
    names = flags_of(levers=False)
    assert names == sorted(f"--{name}" for name in FLAGS.split())
    assert len(names) <= 46


def test_the_levers_are_these() -> None:
    assert flags_of(levers=True) == sorted(f"--{name}" for name in LEVER_FLAGS.split())


def parse(*argv: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    add_flags(parser, Settings)
    return given(parser.parse_args(argv))


def test_only_flags_that_were_given_are_reported() -> None:
    flags = parse("--steps", "7", "--set", "d_model=32", "seed=1", "--no-async-save", "--no-carry")
    assert flags == {
        "steps": 7,
        "set": ("d_model=32", "seed=1"),
        "async_save": False,
        "carry": False,
    }


def test_settings_survive_json() -> None:
    s = Settings(set=("d_model=32",), curriculum=("lengths:8..64",), lr=0.1, micro_batch_size=2)
    assert Settings.from_dict(json.loads(json.dumps(s.to_dict()))) == s


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, r"--steps 0: must be >= 1"),
        ({"lr": 0.0}, r"--lr 0: must be > 0"),
        ({"lr": float("nan")}, r"--lr nan: must be a finite number >= 0"),
        ({"lr": float("inf")}, r"--lr inf: must be a finite number >= 0"),
        ({"global_batch_size": 10**9}, r"--global-batch-size 1000000000: must be in 1 .. 65536"),
        ({"dtype": "fp8"}, r"--dtype fp8: must be one of fp32, tf32, bf16, fp64"),
        ({"mfu": 2.0}, r"--mfu 2.0: must be in 0.01 .. 1"),
        ({"seq_len": "long"}, r"--seq-len long: must be of type int"),
        ({"micro_batch_size": 3}, r"--micro-batch-size 3: must divide --global-batch-size 8"),
        ({"phase": "instruct"}, r"--phase instruct: needs --init-from"),
        ({"export": "x"}, r"--export x: needs --resume"),
        ({"reference": "x"}, r"--reference x: needs --token-selection"),
        ({"token_selection": "excess"}, r"--token-selection excess: needs --reference PATH"),
        (
            {"token_selection": "excess:1.5", "reference": "x"},
            r"--token-selection excess:1.5: must be excess or excess:SHARE, SHARE in \(0, 1\]",
        ),
        ({"token_selection": "hard", "reference": "x"}, r"--token-selection hard: must be excess"),
        (
            {"token_selection": "excess", "reference": "x", "token_recycling": True},
            r"--token-recycling: --token-selection is given; choose one",
        ),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings(**values)


def test_the_command_line_prints_one_line_and_exits_with_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for argv in (["--steps", "0"], ["--stepz"], ["--preset", "2b", "--dry-run"]):
        with pytest.raises(SystemExit) as stop:
            main(argv)
        assert stop.value.code == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_resume_may_change_the_machine_but_not_the_mathematics() -> None:
    saved = Settings(lr=0.01, micro_batch_size=4)
    assert renewed(saved, {"steps": 9, "micro_batch_size": 2}).steps == 9
    assert renewed(saved, {"lr": 0.01}) == saved
    with pytest.raises(ValueError, match=r"--lr 0.1: the run was started with 0.01; --resume can"):
        renewed(saved, {"lr": 0.1})


def test_the_settings_of_an_older_run_are_read() -> None:
    old = {"modular_phase": "trunk", "modular_trunk_ckpt": "runs/trunk"}
    s = Settings.from_dict(old)
    assert (s.modular_phase, s.modular_backbone_ckpt) == ("backbone", "runs/trunk")


def test_the_default_data_depend_on_the_phase() -> None:
    assert Settings().mix == "pydoc"
    assert Settings(phase="instruct", init_from="runs/x").mix == "mix:instruct"
    assert Settings(data="file:a.txt").mix == "file:a.txt"


# flags, and what is said where they have no effect
NO_EFFECT: list[tuple[str, str]] = [
    ("--decay 0.3", "--decay 0.3: needs --schedule wsd"),
    ("--decay 0.3 --curriculum anneal:a=0.5@0.4", "--decay 0.3: needs --schedule wsd"),
    ("--mfu 0.5", "--mfu 0.5: needs --dry-run"),
    ("--gpu a100", "--gpu a100: needs --dry-run"),
    ("--exploration 0.2", "--exploration 0.2: needs a router that chooses"),
    ("--exploration 0.2 --model gdn --set router_topk=2", "--exploration 0.2: needs a router"),
    ("--preset 350m --progressive seed", "--preset 350m: --progressive names the presets itself"),
    ("--rounding kahan", "--rounding kahan: needs --weights bf16"),
    ("--moments bf16 --dtype bf16", "--moments bf16: needs --weights bf16"),
    ("--smoke --steps 5", "--steps 5: has no effect, --smoke has settings of its own"),
    ("--resume RUN --export x --steps 9", "--steps 9: has no effect, --export writes the weights"),
    (
        "--set half_lives=[1,2] num_rates=2",
        "--set num_rates=2: has no effect, half_lives are given",
    ),
    ("--set half_life_max=9 half_lives=[1,2]", "--set half_life_max=9: has no effect, half_lives"),
    ("--set balance_rate=0.1", "--set balance_rate=0.1: needs router_topk below the number of"),
]
EFFECT = [
    "--decay 0.3 --schedule wsd",
    "--decay 0.3 --curriculum anneal:a=0.5",
    "--mfu 0.5 --gpu a100 --dry-run",
    "--exploration 0.2 --set router_topk=2",
    '--exploration 0.2 --set router_gates="independent"',
    "--exploration 0.2 --progressive jump",
    "--preset 350m --progressive jump",
    "--smoke",
    "--resume RUN --export x",
    "--resume RUN --steps 9",
    "--set num_rates=4 half_life_max=64",
    "--set balance_rate=0.1 router_topk=2",
]


MODEL = PrismConfig(vocab_size=257).to_dict()


@pytest.fixture(scope="module")
def saved_run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run saved by an older version: its settings hold values that have no effect."""
    where = tmp_path_factory.mktemp("saved")
    step = folder.begin(where, 3)
    old = Settings(decay=0.7, mfu=0.9, gpu="a100", exploration=0.1, out_dir=str(where)).to_dict()
    write_json(step / checkpoint.RUN, {"format": 1, "settings": old, "config": MODEL})
    folder.commit(step)
    return str(where)


@pytest.mark.parametrize(("argv", "message"), NO_EFFECT)
def test_a_flag_without_effect_is_one_line_and_exit_code_2(
    argv: str, message: str, saved_run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(argv.replace("RUN", saved_run).split())
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize("argv", EFFECT)
def test_the_same_flag_is_taken_where_it_has_one(argv: str, saved_run: str) -> None:
    settings_of(parse(*argv.replace("RUN", saved_run).split()))


def test_every_row_of_the_tables_is_tried() -> None:
    said = [message.split(": ", 1)[1] for _, message in NO_EFFECT]
    for effect in (*EFFECTS, *FIELD_EFFECTS):
        assert any(effect.needs.startswith(x) for x in said), effect.needs


def test_what_an_older_run_was_saved_with_is_not_given(saved_run: str) -> None:
    s = settings_of({"resume": saved_run})
    assert (s.decay, s.mfu, s.exploration) == (0.7, 0.9, 0.1)
