"""Training to ask: fresh facts at every step, and a stop leaves no trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from prism import Prism, load
from prism.record import weights_hash
from prism.studies.retrieval.training import RetrievalPlan, tape_of, train
from tasks.retrieval import Retrieval
from tests.studies.retrieval.conftest import PLAN, small_config

SHORT = RetrievalPlan(steps=4, batch_size=2, length=24, facts=3)


def test_no_two_steps_share_a_fact():
    seen = [
        {(f.subject, f.relation) for f in Retrieval(PLAN.facts).episode("train", 0, i, 1).facts}
        for i in range(50)
    ]
    assert len(set().union(*seen)) >= 0.98 * sum(map(len, seen))


def test_a_stopped_run_goes_on_bit_for_bit(tmp_path: Path):
    whole = Prism(small_config())
    losses = train(whole, SHORT)

    class StoppedError(Exception):
        pass

    def stop(step: int, loss: float) -> None:
        if step == 3:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(Prism(small_config()), SHORT, tmp_path, save_every=2, on_progress=stop)
    assert json.loads((tmp_path / "progress.json").read_text())["step"] == 2
    again = Prism(small_config())
    assert train(again, SHORT, tmp_path) == losses[2:]
    models = (again, whole, load(tmp_path))
    assert len({weights_hash(model.state_dict()) for model in models}) == 1
    assert train(Prism(small_config()), SHORT, tmp_path) == []


def test_a_run_of_another_plan_or_model_is_left_alone(tmp_path: Path):
    train(Prism(small_config()), SHORT, tmp_path)
    kept = (tmp_path / "model.safetensors").read_bytes()
    longer = RetrievalPlan(steps=4, batch_size=2, length=25, facts=3)
    with pytest.raises(ValueError, match="holds a run with length = 24, not 25"):
        train(Prism(small_config()), longer, tmp_path)
    with pytest.raises(ValueError, match="holds a run of another model"):
        train(Prism(small_config(seed=1)), SHORT, tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == kept


def test_a_loss_that_is_not_finite_stops_the_run():
    model = Prism(small_config())
    with torch.no_grad():
        model.last_norm.weight[:] = torch.nan
    with pytest.raises(FloatingPointError, match="loss is nan at step 1 of 4"):
        train(model, SHORT)


def test_a_tape_holds_the_facts_that_it_is_made_of():
    facts = Retrieval(5).episode("train", 0, 0, 1).facts
    assert len(tape_of(facts, dim=1024)) == 5
    assert len(tape_of([], dim=1024)) == 0
