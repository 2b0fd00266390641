"""The replication report: a teacher cannot be told from itself, others can."""

from __future__ import annotations

import json
import random
from math import log
from pathlib import Path

import pytest
import torch

from prism import Prism, PrismConfig
from prism.distill.__main__ import main
from prism.distill.replicate import closeness, copied, js_divergence, two_samples, wilson
from prism.distill.teacher import open_teacher
from tests.distill.conftest import CUT, PROMPTS, World

WORDS = ("rain", "tea", "king", "plain", "city", "thirteen", "nobody", "knows")


def writings(seed: int, n: int, favourite: str = "") -> list[str]:
    chance = random.Random(seed)
    return [" ".join([*chance.choices(WORDS, k=20), favourite]) for _ in range(n)]


def test_the_two_sample_test_tells_writers_apart_and_not_one_from_itself() -> None:
    same = two_samples(writings(0, 60), writings(1, 60))["accuracy"]
    assert same[1] < 0.5 < same[2]
    other = two_samples(writings(0, 60), writings(1, 60, "zebra"))["accuracy"]
    assert other[1] > 0.8
    with pytest.raises(ValueError, match="60 and 59 texts: must be as many of both"):
        two_samples(writings(0, 60), writings(1, 59))


def test_wilsons_interval_is_the_published_one() -> None:
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(0, 10)[0] == pytest.approx(0, abs=1e-12)


def test_js_is_zero_of_equal_distributions_and_log_two_of_disjoint_ones() -> None:
    t = torch.tensor([[1.0, 0.0], [0.3, 0.7]], dtype=torch.float64)
    q = torch.tensor([[0.0, 1.0], [0.3, 0.7]], dtype=torch.float64)
    assert js_divergence(t, q).tolist() == pytest.approx([log(2), 0.0])


def test_a_teacher_agrees_with_itself_and_a_stranger_does_not(
    world: World, answers: Path, tmp_path: Path
) -> None:
    records = [json.loads(line) for line in answers.read_text("utf-8").splitlines()][:4]
    teacher = world.open()
    own = closeness(teacher, teacher, records)
    assert own["agreement"][0] > 0.99
    assert own["js"][0] < 1e-3
    stranger = Prism(PrismConfig(vocab_size=CUT, d_model=16, num_layers=1, num_rates=4))
    stranger.save(tmp_path / "s")
    (tmp_path / "s" / "tokenizer.json").write_bytes(world.student_tokens.read_bytes())
    other = closeness(teacher, open_teacher(str(tmp_path / "s")), records)
    assert other["positions"] > own["positions"]  # more tokens, of fewer bytes each
    assert other["js"][0] > 0.1


def test_copied_counts_word_sequences_and_prompts(answers: Path) -> None:
    def record(prompt: str, text: str) -> dict[str, object]:
        return {"messages": [{"role": "user", "content": prompt},
                             {"role": "assistant", "content": text}]}  # fmt: skip

    trained = [record("a", "one two three four five six seven eight nine")]
    asked = [record("a", "one two three four five six seven eight"),
             record("b", "eight seven six five four three two one nil")]  # fmt: skip
    found = copied(asked, trained)
    assert found == {"grams": 3, "share": pytest.approx(1 / 3), "prompts": 1}


@pytest.mark.long
def test_the_report_has_a_row_for_the_control_and_each_student(
    world: World, answers: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report.json"
    argv = ["replicate", "--teacher", str(world.teacher), "--student", str(world.teacher)]
    argv += ["--answers", str(answers), "--trained", str(answers), "--out", str(out)]
    assert main([*argv, "--max-tokens", "8"]) == 0
    report = json.loads(out.read_text())
    assert [len(row["agreement"]) for row in report["rows"]] == [3, 3]
    assert report["copied"]["prompts"] == PROMPTS
