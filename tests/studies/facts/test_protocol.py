"""The whole protocol runs on a small random model, and every row says how it was measured."""

from __future__ import annotations

import pytest
from torch import Tensor

from prism import eval_facts
from prism.holo.keys.typos import is_slip
from prism.inject.calibration import Calibration
from prism.inject.relation_space import Prototypes
from prism.record import weights_hash
from prism.studies.facts.controls import controls
from prism.studies.facts.measures import FactsEvalSet
from prism.studies.facts.protocol import FactsSizes, bound_lm, cost, measure
from prism.studies.facts.replay import ActivationCache, answer
from prism.studies.facts.report import averaged, plot, table
from prism.studies.facts.tables import Fact
from tests.inject import tiny

LANDS = ("Freedonia", "Elbonia", "Ruritania", "Zamunda", "Latveria", "Genovia")
TOWNS = ("Fredville", "Mudtown", "Strelsau", "Lionsgate", "Doomstadt", "Pyrus")
FACTS = [Fact(land, "capital", town) for land, town in zip(LANDS, TOWNS, strict=True)]
SIZES = FactsSizes(asked=4, text=512, generated=2)


@pytest.fixture(scope="module")
def case() -> FactsEvalSet:
    bound, rest = FACTS[:4], FACTS[4:]
    return FactsEvalSet(bound, rest, SIZES.asked, 0)


class Open(Calibration):
    """Every state asks about the nearest relation: a random model understands none of them."""

    def threshold(self, bound: Prototypes, competitors: Tensor) -> float:
        return -1.0


@pytest.fixture(scope="module")
def bare():
    lm = tiny.attached(tiny.llama())
    lm.knowledge.calibration = Open(**vars(lm.knowledge.calibration))
    return lm


@pytest.fixture(scope="module")
def rows(bare, case):
    lm, seconds = bound_lm(bare, case.bound)
    lm.knowledge.prepare(lm.model)
    before = weights_hash(lm.model.state_dict())
    found = [*cost(lm, seconds, 4), *measure(lm, ActivationCache(lm), case, SIZES)]
    found += controls(lm, ActivationCache(bare), case, 4)
    assert weights_hash(lm.model.state_dict()) == before
    return found


def value(rows, metric: str, control: str = "tape") -> float:
    (found,) = [r.value for r in rows if (r.metric, r.control) == (metric, control)]
    return found


def test_what_was_written_comes_out_and_what_was_forgotten_does_not(rows):
    assert value(rows, "written") == 1
    assert value(rows, "forgotten, still answered") == 0
    assert value(rows, "not forgotten, still right") == 1
    assert value(rows, "alias") == 1


def test_a_random_model_without_the_tape_knows_nothing(rows):
    assert value(rows, "written", "no tape") == 0
    assert value(rows, "written", "facts in the prompt") == 0


def test_a_shuffled_tape_answers_with_other_objects(rows):
    assert value(rows, "written", "shuffled tape") == 0


def test_a_dictionary_knows_written_prompts_only(rows):
    assert value(rows, "written", "exact lookup") == 1
    assert value(rows, "unseen", "exact lookup") == 0


def test_the_replay_is_what_generation_does(rows):
    assert value(rows, "replay agrees") == 1
    assert value(rows, "silence is bit-identical") == 1


def test_shares_are_shares_and_every_row_has_its_protocol(rows):
    for row in rows:
        assert row.protocol, row.metric
        if not row.metric.startswith(("seconds", "register", "ms", "share of time")) and row.count:
            assert 0 <= row.value <= 1, row.metric


def test_an_answer_ends_with_its_full_stop(bare, case):
    lm, _ = bound_lm(bare, case.bound)
    lm.knowledge.prepare(lm.model)
    (heard,) = ActivationCache(lm).of(["The capital of Elbonia is"])
    assert lm.tokenizer.decode(answer(lm, heard)) == " Mudtown."


def test_typos_are_wrong_key_presses_in_long_names(case):
    prompts = case.misspelt()
    assert prompts
    for asked in prompts:
        typed = asked.prompt.removeprefix("The capital of ").removesuffix(" is")
        assert is_slip(typed, asked.fact.subject)


def test_results_become_a_file_a_table_and_a_picture(rows, tmp_path):
    runs = [{"facts": 100, "seed": 0, "rows": [r.to_dict() for r in rows]}]
    assert averaged(runs)["tape", "written"] == {100: [1.0]}
    cells = table(runs).columns[2]._cells
    assert any(">= 0.99" in c for c in cells)
    plot(runs, tmp_path / "facts.png")
    assert (tmp_path / "facts.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--facts", "ten"], "--facts ten: must be whole numbers"),
        (["--facts", "1"], "--facts 1: must be in 2.."),
        (["--seeds", "0"], "--seeds 0: must be >= 1"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(argv, says, capsys):
    with pytest.raises(SystemExit) as stop:
        eval_facts.main(argv)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
