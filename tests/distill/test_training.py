"""Training on a store: the losses are what they say, for any split and after a resume."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from prism import run_scale
from prism.data import parse_mix
from prism.data.document import IGNORE
from prism.distill.losses import Distillation, Recipe, drawn
from prism.engine.logs.log import read
from prism.engine.store.export import load_checkpoint
from tests.distill.conftest import World

SIZE = ("--set", "d_model=16", "num_layers=1", "num_rates=4", "tape.num_slots=8", "tape.d_mem=4")
RUN = ("--seq-len", "24", "--global-batch-size", "4", "--steps", "6", "--save-every", "3",
       "--eval-tokens", "64", "--eval-every", "0", "--log-every", "1", "--device", "cpu",
       "--lr", "1e-2", "--no-async-save")  # fmt: skip


def flags(world: World, out: Path, *more: str) -> list[str]:
    data = ["--data", f"store:{world.store}", "--tokenizer", str(world.student_tokens)]
    return [*SIZE, *RUN, *data, "--out-dir", str(out), *more]


def distribution(rows: int, width: int, seed: int) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(rows, width, generator=g, dtype=torch.float64).mul(2).softmax(-1)


def loss_of(**settings: object) -> Distillation:
    return Distillation(Recipe(**settings), [])  # type: ignore[arg-type]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_full_is_the_divergence_of_softened_distributions(temperature: float) -> None:
    t, logits = distribution(5, 11, 0), torch.randn(5, 11, dtype=torch.float64)
    found = loss_of(kind="full", temperature=temperature).distance(logits, t, [])
    soft = t.pow(1 / temperature)
    soft = soft / soft.sum(-1, keepdim=True)
    q = (logits / temperature).softmax(-1)
    wanted = (soft * (soft / q).log()).sum(-1) * temperature**2
    assert torch.allclose(found, wanted, rtol=1e-9)


def test_topk_is_full_over_the_k_likeliest_and_one_bucket_for_the_rest() -> None:
    t, logits = distribution(6, 13, 1), torch.randn(6, 13, dtype=torch.float64)
    q = logits.softmax(-1)
    found = loss_of(kind="topk", top_k=4).distance(logits, t, [])
    for i in range(6):
        best = t[i].topk(4).indices
        rest = 1 - t[i, best].sum(), 1 - q[i, best].sum()
        wanted = (t[i, best] * (t[i, best] / q[i, best]).log()).sum()
        wanted = wanted + rest[0] * (rest[0] / rest[1]).log()
        assert float(found[i]) == pytest.approx(float(wanted), rel=1e-9)


def test_topk_of_all_tokens_is_full_and_has_a_finite_gradient() -> None:
    t, logits = distribution(3, 7, 2), torch.randn(3, 7, dtype=torch.float64, requires_grad=True)
    whole = loss_of(kind="full").distance(logits, t, [])
    found = loss_of(kind="topk", top_k=99).distance(logits, t, [])
    assert torch.allclose(found, whole)
    found.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_draws_are_an_unbiased_estimate_of_the_gradient_of_full() -> None:
    t = distribution(1, 9, 3).repeat(4000, 1)
    shares = drawn(t, 20, list(range(4000)))
    assert torch.allclose(shares.sum(-1), torch.ones(4000, dtype=torch.float64))
    error = (shares.mean(0) - t[0]).abs().max()
    assert error < 4 * 0.5 / (4000 * 20) ** 0.5
    assert torch.equal(shares[:3], drawn(t[:3], 20, [0, 1, 2]))  # of its key alone
    assert not torch.equal(shares[0], shares[1])


def last_loss(out: Path) -> list[float]:
    return [r["distance"] for r in read(out) if "distance" in r]


@pytest.mark.parametrize("kind", ["full", "topk", "rs"])
def test_a_run_learns_from_the_store_and_resumes_to_the_bit(
    world: World, tmp_path: Path, kind: str
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run_scale.main(flags(world, whole, "--distill", kind)) == 0
    shutil.copytree(whole, parts)
    shutil.rmtree(parts / "step-00000006")
    assert run_scale.main(["--resume", str(parts)]) == 0
    for out in (whole, parts):
        assert all(0 < x < 10 for x in last_loss(out))
    ends = [load_checkpoint(out / "step-00000006").state_dict() for out in (whole, parts)]
    assert all(torch.equal(x, ends[1][name]) for name, x in ends[0].items())
    begin = load_checkpoint(whole / "step-00000003").state_dict()
    assert any(not torch.equal(x, begin[name]) for name, x in ends[0].items())


def test_micro_batches_change_nothing(world: World, tmp_path: Path) -> None:
    found = []
    for micro in ("4", "1"):
        out = tmp_path / micro
        argv = flags(world, out, "--distill", "rs", "--micro-batch-size", micro)
        assert run_scale.main(argv) == 0
        found.append(last_loss(out))
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_most_positions_of_a_store_are_taught(world: World, tmp_path: Path) -> None:
    assert run_scale.main(flags(world, tmp_path / "run", "--distill", "full")) == 0
    taught = [r["taught"] for r in read(tmp_path / "run") if "taught" in r]
    assert min(taught) > 0.6


def test_the_text_of_a_store_is_that_of_the_files_it_was_made_from(world: World) -> None:
    one, other = parse_mix(f"store:{world.store}"), parse_mix(f"file:{world.text}")
    texts = []
    for mix in (one, other):
        source = mix.sources[0].source
        window = source.window(0, 0)
        texts.append([window.read(i).text for i in range(window.count)])
    assert texts[0] == texts[1]
    assert IGNORE == -100


@pytest.mark.parametrize(("more", "said"), [
    (("--distill-weight", "0.3"), "--distill-weight 0.3: has no effect without --distill"),
    (("--distill", "full", "--distill-draws", "9"), "--distill-draws 9: has no effect without"),
    (("--distill", "full", "--distill-weight", "2"), "--distill-weight 2.0: must be in 0 .. 1"),
    (("--distill", "full", "--data", "pydoc"), "needs --data store:DIR"),
    (("--distill", "full", "--data", "store:nowhere"), "store nowhere: has no manifest.json"),
])  # fmt: skip
def test_bad_input_is_one_line(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...],
    said: str,
) -> None:  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        run_scale.main([*flags(world, tmp_path / "run"), *more])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
