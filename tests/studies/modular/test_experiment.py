"""The study on a toy: everything is there, the same twice, and what is frozen costs less."""

import json

import pytest
import torch

from prism import Prism
from prism.modular import assemble, backbone_config, branch_of, only_gates
from prism.studies.modular.domains import (
    DOMAINS,
    OWN,
    VOCAB,
    draw,
    draw_mix,
    out_of_domain_rows,
    row_loss,
    shares_of,
)
from prism.studies.modular.experiment import QUICK, StudySizes, experiment, joint_run
from prism.studies.modular.report import MODELS, losses_table, sentences
from prism.studies.modular.training import training_flops


@pytest.fixture(scope="module")
def result() -> dict:
    return experiment(0, QUICK)


def test_every_model_is_measured_on_every_domain(result):
    assert list(result["losses"]) == list(MODELS)
    for losses in result["losses"].values():
        assert set(losses) == set(DOMAINS)
    assert set(result["cost"]) == set(MODELS) - {"assembled"}
    assert set(result["gates"]["assembled"]["text"]) == set(OWN.values())
    assert json.loads(json.dumps(result)) == result


def test_the_same_seed_gives_the_same_losses(result):
    assert experiment(0, QUICK)["losses"] == result["losses"]


def test_the_joint_run_alone_is_that_of_the_study(result):
    alone = joint_run(0, QUICK)
    assert alone["losses"] == result["losses"]["joint"]
    for unit in ("tokens", "flops"):
        assert alone["cost"][unit] == result["cost"]["joint"][unit]


def test_all_phases_together_cost_as_much_as_the_joint_run(result):
    config = StudySizes().config(0)
    backbone = Prism(backbone_config(config))
    branches = {kind: branch_of(backbone, kind) for kind in OWN.values()}
    model = assemble(backbone, branches)
    per_token = {kind: training_flops(branch, 64) for kind, branch in branches.items()}
    per_token |= {"trunk": training_flops(backbone, 64), "joint": training_flops(model, 64)}
    per_token["calibrated"] = training_flops(only_gates(model), 64)
    cost = {name: StudySizes().steps_of(name) * flops for name, flops in per_token.items()}
    assert sum(cost.values()) - cost["joint"] <= cost["joint"]
    assert per_token["calibrated"] < per_token["joint"]
    assert result["measures"]["calibration_tokens"] <= 0.05


def test_bytes_mean_something_else_in_every_domain():
    seen = [set(draw(d, "train", 0, 0, 32, 64)[0].unique().tolist()) for d in DOMAINS]
    text, recall, state = seen
    assert state == {ord("0"), ord("1")}
    assert state <= recall and len(text & recall) > 20
    assert max(max(each) for each in seen) < VOCAB


def test_a_mix_has_its_rows_and_its_own_stream():
    shares = shares_of("state")
    tokens, targets = draw_mix(shares, "train", 3, 5, 10, 32)
    assert tokens.shape == targets.shape == (10, 32)
    again, _ = draw_mix(shares, "train", 3, 5, 10, 32)
    other, _ = draw_mix(shares, "train", 3, 6, 10, 32)
    assert torch.equal(tokens, again)
    assert not torch.equal(tokens, other)


def test_rows_of_other_domains_are_out_of_domain():
    shares = shares_of("state")
    outside = out_of_domain_rows(shares, "state", 20)
    tokens, _ = draw_mix(shares, "train", 3, 5, 20, 32)
    digits = torch.isin(tokens, torch.tensor([ord("0"), ord("1")])).all(dim=1)
    assert torch.equal(outside[:, 0], ~digits)
    assert 0 < outside.sum() < 20
    assert out_of_domain_rows(shares, None, 20) is None


def test_every_row_counts_the_same_however_little_it_asks():
    logits = torch.zeros(2, 4, VOCAB)
    logits[0, :, 7] = 100.0
    targets = torch.full((2, 4), -100)
    targets[0], targets[1, 2] = 7, 9
    uniform = torch.log(torch.tensor(float(VOCAB)))
    assert torch.allclose(row_loss(logits, targets), uniform / 2)


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match=r"calibration = 0.1: must be > 0 and at most 0.05"):
        StudySizes(calibration=0.1)
    with pytest.raises(ValueError, match=r"part = 0: must be > 0"):
        StudySizes(part=0)


def test_the_sentences_carry_the_criteria(result):
    said = " ".join(sentences(result))
    for words in ("<= 0.05", "<= 0.5", "<= 1.1"):
        assert words in said
    assert len(losses_table(result).rows) == len(MODELS)
    closed = {**result["measures"], "mean": {**result["measures"]["mean"], "joint": 99.0}}
    assert "Nothing is left" in " ".join(sentences({**result, "measures": closed}))
