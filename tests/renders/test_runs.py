"""The runs of the film: what they give in tiny sizes, and that they are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from prism import Prism, PrismConfig
from renders.film.runs import Run, load_or_make, text
from renders.film.runs.plan import runs


def test_every_run_is_plain_json(data: dict[str, Any]) -> None:
    assert json.loads(json.dumps(data, allow_nan=False)).keys() == data.keys()


def test_every_planned_run_is_shown_with_its_seed() -> None:
    planned = runs(seed=7)
    assert planned.keys() == {"text", "tape", "rotor", "holo", "smollm2"}
    assert all(run.sizes["seed"] == 7 for run in planned.values())


@pytest.mark.parametrize("reset", [True, False])
def test_the_measured_time_is_that_of_the_bus(reset: bool) -> None:
    config = PrismConfig(vocab_size=9, d_model=16, num_layers=2, bus_reset=reset, seed=3)
    model = Prism(config).double().eval().requires_grad_(False)
    if reset:
        torch.manual_seed(0)
        model.blocks[0].bus.reset.weight.normal_(std=0.5)
    tokens = torch.tensor([1, 5, 2, 8])
    x = model.blocks[0].bus_norm(model.first_norm(model.embed(tokens[None])))
    pace = model.blocks[0].bus.reset(x)[0] if reset else torch.zeros(4, 8).double()
    passing = torch.exp(8 * torch.tanh(pace / 8))
    measured = np.array(text.bus(model, tokens)["passed"])
    np.testing.assert_allclose(measured[1:, 2:], passing[1:, 2:].numpy(), rtol=1e-6)


def test_growth_changes_no_logit(data: dict[str, Any]) -> None:
    growth = data["text"]["growth"]
    assert growth["parameters"][0] < growth["parameters"][1]
    assert growth["difference"] <= 1e-10 < growth["largest_logit"]


def test_the_tape_is_of_every_word_and_answers_are_chances(data: dict[str, Any]) -> None:
    tape = data["tape"]
    assert len(tape["tapes"]) == len(tape["words"]) == len(tape["written"])
    assert tape["words"][-3:] == [tape["words"][0], "keeps", "the"]
    assert tape["words"][3] == tape["answer"] in tape["things"]
    assert 0 < sum(tape["with_tape"]) <= 1 and tape["with_tape"] != tape["without_tape"]


def test_the_holotape_answers_the_known_and_not_the_stranger(data: dict[str, Any]) -> None:
    holo = data["holo"]
    assert holo["known"]["answer"] == "Fredville" and holo["stranger"]["answer"] is None
    assert holo["forgotten"]["answer"] is None and holo["as_if_never"]
    noise = [look["noise"] for look in holo["steps"]]
    assert noise == sorted(noise) and noise[0] == 0


def test_the_rotor_and_both_models_are_read_at_every_position(data: dict[str, Any]) -> None:
    rotor = data["rotor"]
    for name in ("prism", "transformer"):
        assert len(rotor[name]["accuracy"]) == rotor["length"] == 2 * rotor["train_length"]
    sizes = [rotor[name]["parameters"] for name in ("prism", "transformer")]
    assert abs(sizes[1] / sizes[0] - 1) <= 0.02
    assert len(rotor["rotor"]["counts"]) == rotor["length"]


def test_a_kept_run_is_used_again_and_one_of_other_sizes_is_made_anew(tmp_path: Path) -> None:
    made = []

    def make(folder: Path, seed: int) -> dict[str, int]:
        made.append(seed)
        return {"seed": seed}

    for seed in (1, 1, 2):
        data = load_or_make(Run("one", make, {"seed": seed}), tmp_path, lambda line: None)
        assert data == {"seed": seed}
    assert made == [1, 2]


def test_a_kept_file_that_is_no_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text("{}")
    run = Run("one", lambda folder: {}, {})
    with pytest.raises(ValueError, match=r"one\.json: not a run of the film"):
        load_or_make(run, tmp_path, lambda line: None)
