"""Training on real text: the file holds no folder of the machine, the page no broken table."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.real_text import __main__ as command
from benchmarks.real_text.__main__ import main
from benchmarks.real_text.bootstrap import bits_per_byte, paired_bootstrap
from benchmarks.real_text.documents import HeldOutText, documents, score, trigram
from benchmarks.real_text.page import text_sections
from benchmarks.real_text.plot import text_figure
from prism.baselines import build_with_budget
from prism.compare.protocol import Recipe
from prism.config import PrismConfig
from prism.data import ByteTokenizer, held_out_documents, parse_mix
from tests.benchmarks.fakes import MODELS, real_text, real_text_by_document


def test_what_a_model_writes_cannot_break_the_table() -> None:
    text = "\n\n".join(text_sections(real_text()))
    row = next(line for line in text.splitlines() if "**If**" in line)
    assert row.count("|") == 4  # three of the table and one that the model wrote, escaped
    assert "\\| b ⏎ \\*c\\*" in row


def test_the_figure_has_a_line_per_model_and_panel() -> None:
    assert [len(ax.lines) for ax in text_figure(real_text()).axes] == [len(MODELS)] * 2


def test_a_mix_that_cannot_be_read_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--data", "file:nowhere.txt", "--work", str(tmp_path)])
    assert stop.value.code == 2
    assert "nowhere.txt" in capsys.readouterr().err


@pytest.mark.parametrize("best", [8e-3, 1e-3, 4e-3, 0.128])
def test_the_search_ends_where_both_neighbours_are_worse(
    best: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps_taken = set()

    def train(
        where: Path, model: str, recipe: Recipe, steps: int, seed: int, flags: object
    ) -> list:
        steps_taken.add(steps)
        loss = abs(math.log(recipe.lr / best)) + recipe.warm_up + recipe.dropout
        return [{"held_out_loss": loss, "held_out_bits_per_byte": loss}]

    monkeypatch.setattr(command, "train", train)
    found = command._search(tmp_path, "gdn", {"steps": 100, "dropout": False}, {})
    chosen = min(found, key=lambda recipe: found[recipe])
    assert (chosen.lr, chosen.warm_up, chosen.dropout) == (pytest.approx(best), 0.02, 0.0)
    assert {r.lr for r in found if r.warm_up == 0.02} >= {chosen.lr / 2, 2 * chosen.lr}
    assert steps_taken == {34}


@pytest.mark.slow
def test_a_quick_run_measures_every_model_and_keeps_folders_to_itself(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    args = ["--quick", "--work", str(tmp_path / "work"), "--out", str(out), "--seeds", "1"]
    args += ["--models", "prism,ssm-plain"]
    assert main(args) == 0
    content = json.loads(out.read_text())
    assert [row["model"] for row in content["runs"]] == ["prism", "ssm-plain"]
    assert str(tmp_path) not in out.read_text()
    assert text_sections(content)
    before = content["runs"]
    assert main(args) == 0  # everything is done: nothing is trained again
    assert json.loads(out.read_text())["runs"] == before


def test_the_better_arm_is_shown_with_its_distance_and_the_trigram() -> None:
    text = "\n\n".join(text_sections(real_text_by_document()))
    row = next(line for line in text.splitlines() if line.startswith("| transformer"))
    assert "transformer (transformer-strong)" in row
    assert "+0.400 [+0.400, +0.400]" in row  # the same on every document
    assert "gives 1.950; above it, so undertrained: gdn" in text
    assert "| transformer |" not in text.partition("Recipes")[0]


def texts_of(lengths: list[int], vocab: int = 11) -> list[HeldOutText]:
    found = []
    for i, n in enumerate(lengths):
        g = torch.Generator().manual_seed(i)
        ids = torch.randint(vocab, (n,), generator=g)
        targets = torch.cat([ids[1:], torch.tensor([-100])])
        found.append(HeldOutText("a", ids, targets, 4 * n))
    return found


@pytest.mark.parametrize("name", ["gdn", "transformer-strong"])
@pytest.mark.parametrize("carry", [True, False])
def test_a_documents_score_is_that_of_the_document_alone(name: str, carry: bool) -> None:
    config = PrismConfig(vocab_size=11, d_model=16, num_layers=2, chunk_size=4)
    model = build_with_budget(name, config, 12_000).double()
    texts = texts_of([3, 17, 8, 25, 1])
    got = score(model, texts, length=8, rows=2, carry=carry)
    for nats, text in zip(got, texts, strict=True):
        step = 8 if not carry else len(text.tokens)
        want = 0.0
        for ids, targets in zip(text.tokens.split(step), text.targets.split(step), strict=True):
            logits = model(ids[None]).logits[0]
            each = torch.nn.functional.cross_entropy(
                logits, targets, ignore_index=-100, reduction="sum"
            )
            want += each.item()
        assert nats == pytest.approx(want, abs=1e-9)


def test_documents_come_after_those_of_validation_and_the_trigram_reads_them() -> None:
    mix, tokenizer = parse_mix("pydoc"), ByteTokenizer()
    seen = held_out_documents(mix, tokenizer, 2000)
    texts = documents(mix, tokenizer, 2000, 3000)
    known = {tuple(ids.tolist()) for _, ids, _ in seen}
    assert texts and not any(tuple(text.tokens.tolist()) in known for text in texts)
    nats = trigram(mix, tokenizer, texts, steps=50, rows=4, length=64)
    assert 1 < bits_per_byte(nats, [text.bytes for text in texts]) < 5
    with pytest.raises(ValueError, match="no held-out document is left"):
        documents(mix, tokenizer, 10**9, 1000)


def test_the_bootstrap_covers_the_difference_that_documents_are_drawn_from() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for trial in range(100):
        sizes = rng.integers(50, 500, 60)
        noise = rng.normal(size=60)
        b = np.full(60, 2.0) * sizes
        a = b + (0.1 + 0.3 * noise) * sizes * math.log(2)
        gap = paired_bootstrap([a.tolist()], [b.tolist()], sizes.tolist(), draws=400, seed=trial)
        inside += gap.low <= 0.1 <= gap.high
    assert 85 <= inside <= 100
    assert gap.by_seed == [pytest.approx(gap.mean)]
    with pytest.raises(ValueError, match="b of shape"):
        paired_bootstrap([[1.0, 2.0]], [[1.0]], [3, 4])
