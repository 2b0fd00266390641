"""lm-evaluation-harness on a local task: the scores are those of reading the text."""

from __future__ import annotations

import json
import math
from pathlib import Path

import lm_eval
import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.tasks import TaskManager

from prism.data.tokens import ByteTokenizer
from prism.hf import harness
from tests.hf.conftest import small

QUESTIONS = [("The bus is", (" late", " green", " Otto")), ("", ("a", "bc", "def"))]
CHOICE = """
task: local_choice
dataset_path: json
dataset_kwargs: {data_files: {test: %s}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: "{{answer}}"
target_delimiter: ""
metric_list: [{metric: acc}]
"""
ROLLING = """
task: local_text
dataset_path: json
dataset_kwargs: {data_files: {test: %s}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{text}}"
metric_list: [{metric: bits_per_byte}]
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model of bytes."""
    folder = tmp_path_factory.mktemp("saved")
    small().save(folder)
    return folder


@torch.no_grad()
def score(context: list[int], text: str) -> tuple[float, bool]:
    """Log-probability of ``text`` after ``context``, token by token, and if greedy says it."""
    ids, model = list(text.encode()), small()
    chance = model(torch.tensor([context + ids])).logits[0, len(context) - 1 : -1].log_softmax(-1)
    each = chance[torch.arange(len(ids)), torch.tensor(ids)]
    return float(each.sum()), chance.argmax(-1).tolist() == ids


def requests(kind: str, *arguments: tuple[object, ...]) -> list[Instance]:
    return [Instance(kind, {}, args, i) for i, args in enumerate(arguments)]


def test_a_continuation_scores_what_the_model_says_alone(saved):
    lm = harness.PrismLM(str(saved), batch_size=4)
    asked = [(context, choice) for context, choices in QUESTIONS for choice in choices]
    found = lm.loglikelihood(requests("loglikelihood", *asked), disable_tqdm=True)
    for (context, choice), (value, greedy) in zip(asked, found, strict=True):
        start = list(context.encode()) or [256]
        wanted = score(start, choice)
        assert value == pytest.approx(wanted[0], abs=1e-9) and greedy == wanted[1]


def test_what_greedy_says_is_greedy(saved):
    lm = harness.PrismLM(str(saved))
    (text,) = lm.generate_until(requests("generate_until", ("The bus", {"max_gen_toks": 3})))
    new = small().generate(torch.tensor(list(b"The bus")), 3, temperature=0)[7:].tolist()
    assert text == ByteTokenizer().decode(new)
    assert lm.scored([[*b"The bus", *new]])[0][1][-3:].all()


def test_generation_ends_before_the_first_stop_text(saved):
    lm = harness.PrismLM(str(saved))
    rules = {"max_gen_toks": 20, "do_sample": True, "temperature": 2.0, "seed": 3, "until": []}
    (free,) = lm.generate_until(requests("generate_until", ("The bus", rules)))
    stop = free[4:6]
    (cut,) = lm.generate_until(requests("generate_until", ("The bus", rules | {"until": [stop]})))
    assert cut == free[: free.index(stop)]


def test_a_long_text_is_read_in_pieces_that_carry_the_state(saved, monkeypatch):
    lm, text = harness.PrismLM(str(saved)), "the bus is late, " * 20
    (whole,) = lm.loglikelihood_rolling(requests("loglikelihood_rolling", (text,)))
    assert whole == pytest.approx(score([256], text)[0], abs=1e-8)
    monkeypatch.setattr(harness, "PIECE", 37)
    (pieces,) = lm.loglikelihood_rolling(requests("loglikelihood_rolling", (text,)))
    assert pieces == pytest.approx(whole, abs=1e-8)


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskManager:
    """Two tasks made of local files."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    rows = [{"question": q, "choices": list(c), "answer": i} for i, (q, c) in enumerate(QUESTIONS)]
    for name, task, data in (
        ("choice", CHOICE, rows),
        ("text", ROLLING, [{"text": "the bus is late"}, {"text": "é, it rose"}]),
    ):
        file = tmp_path / f"{name}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in data))
        (tmp_path / f"{name}.yaml").write_text(task % file)
    return TaskManager(include_path=str(tmp_path), include_defaults=False)


def test_the_harness_runs_a_local_task(saved, tasks):
    results = lm_eval.simple_evaluate(
        model="prism",
        model_args=f"checkpoint={saved}",
        tasks=["local_choice", "local_text"],
        task_manager=tasks,
        batch_size=2,
        bootstrap_iters=0,
    )["results"]
    right = 0
    for i, (context, choices) in enumerate(QUESTIONS):
        scores = [score(list(context.encode()) or [256], c)[0] for c in choices]
        right += scores.index(max(scores)) == i
    assert results["local_choice"]["acc,none"] == right / 2
    texts = ("the bus is late", "é, it rose")
    total = sum(score([256], text)[0] for text in texts)
    count = sum(len(text.encode()) for text in texts)
    found = results["local_text"]["bits_per_byte,none"]
    assert found == pytest.approx(-total / count / math.log(2), rel=1e-6)


def test_a_vocabulary_without_an_end_is_refused(tmp_path):
    model = small()
    model.remade()  # of the same config but for the vocabulary
    type(model)(type(model.config).from_dict(model.config.to_dict() | {"vocab_size": 256})).save(
        tmp_path
    )
    with pytest.raises(ValueError, match="its vocabulary has no end token"):
        harness.PrismLM(str(tmp_path))
