"""The analytic counts are those of the operations that run."""

from __future__ import annotations

import dataclasses
import re
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from prism.engine.cost import tables
from prism.engine.cost.cards import peak_of
from prism.engine.cost.flops import count
from prism.engine.cost.memory import measured_row, per_rank
from prism.engine.cost.tables import fit, validation_remark
from prism.engine.loop.loss import token_losses
from prism.engine.models import make_model, model_config
from prism.engine.parallel.fsdp import parameters_on_meta
from prism.engine.settings import Settings
from prism.recipe import own_loss
from prism.run_scale import main
from tests.engine.fakes import SMALL, VOCAB, small

WIDE = ("num_layers=4", "vocab_size=300")


ANSWERING = ("symbolic.answers=true", "symbolic.dials=2", "symbolic.reflections=2")


# attention on a CPU is one kernel that torch's counter does not know; on meta it is two products
@pytest.mark.parametrize(
    ("model", "device", "more"),
    [
        *(("prism", "meta", ()), ("prism", "meta", ANSWERING), ("prism-layer", "meta", ())),
        *(("transformer", "meta", ()), ("ssm", "cpu", ()), ("gdn", "cpu", ())),
    ],
)
def test_flops_are_those_that_torch_counts(model: str, device: str, more: tuple) -> None:
    s = Settings(preset="tiny", model=model, set=(*WIDE, *more), seq_len=256)
    built = make_model(model, model_config(s, 300))
    analytic = count(built, 256).training / 3
    built.to(device)
    tokens = torch.zeros(1, 256, dtype=torch.long, device=device)
    with FlopCounterMode(display=False) as forward:
        out = built(tokens)
    with FlopCounterMode(display=False) as backward:
        (out.logits.sum() + own_loss(out, torch.sum)).backward()
    assert forward.get_total_flops() / 256 == pytest.approx(analytic, rel=0.02)
    assert backward.get_total_flops() / 256 == pytest.approx(2 * analytic, rel=0.03)


@pytest.mark.parametrize("preset", ["tiny", "350m"])
def test_the_presets_are_counted_right_without_memory(preset: str) -> None:
    s = Settings(preset=preset)
    with parameters_on_meta():
        built = make_model("prism", model_config(s, 50_304))
    flops = count(built, 1024)
    built.to("meta")
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        built(torch.zeros(1, 256, dtype=torch.long, device="meta"))
    assert forward.get_total_flops() / 256 == pytest.approx(flops.training / 3, rel=0.01)


def test_a_kind_counts_for_the_share_of_tokens_it_is_meant_to_get() -> None:
    def matrices(*more: str) -> float:
        s = small(set=(*SMALL, *more))
        with parameters_on_meta():
            return count(make_model("prism", model_config(s, VOCAB)), 24).matrices

    all_kinds = matrices()
    top1 = matrices("router_topk=1", "balance_target=[0.5, 0.25, 0.25]")
    # what is sparse are the output projections; filters and recurrences see every token
    neural, memory = 2 * 3 * 16 * 96, 2 * 3 * 4 * 4 * 16
    assert all_kinds - top1 == pytest.approx(0.5 * neural + 0.75 * memory)


def test_memory_is_shared_by_the_shards_and_saved_by_recomputing() -> None:
    s = small(global_batch_size=8, seq_len=64)
    config = model_config(s, VOCAB)
    one, two = per_rank(s, config, 1), per_rank(s, config, 2)
    for part in ("weights", "gradients", "moments"):
        assert two[part] == one[part] / 2
    assert two["activations"] == one["activations"] / 2  # of the batch
    again = per_rank(small(global_batch_size=8, seq_len=64, recompute=True), config, 1)
    assert again["activations"] < 0.6 * one["activations"]
    muon = per_rank(small(global_batch_size=8, seq_len=64, optimizer="muon"), config, 1)
    assert muon["moments"] < one["moments"]


LENGTHS = {"transformer": 160, "gdn": 144}  # not those that the estimate was measured at


@pytest.mark.parametrize("model", ["prism", "prism-layer", "transformer", "ssm", "gdn"])
@pytest.mark.parametrize("rows", [1, 3])
def test_activations_are_what_autograd_keeps(model: str, rows: int) -> None:
    """Within 5%, for every model, at a length at which it was not measured; counted by hand."""
    length = LENGTHS.get(model, 176)
    s = small(model=model, seq_len=length, global_batch_size=rows)
    config = model_config(s, VOCAB)
    built = make_model(model, config)
    own = {p.untyped_storage().data_ptr() for p in built.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def pack(x: torch.Tensor) -> torch.Tensor:
        kept.setdefault(x.untyped_storage().data_ptr(), x)
        return x

    tokens = torch.zeros(rows, length, dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        built(tokens, segment_ids=torch.zeros_like(tokens))
    real = sum(x.untyped_storage().nbytes() for p, x in kept.items() if p not in own)
    assert per_rank(s, config, 1)["activations"] == pytest.approx(real, rel=0.05)


def kept_by(model: torch.nn.Module, tokens: torch.Tensor) -> int:
    """Bytes that autograd keeps of a training step up to its loss, weights aside."""
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def pack(x: torch.Tensor) -> torch.Tensor:
        kept.setdefault(x.untyped_storage().data_ptr(), x)
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        out = model.train()(tokens, segment_ids=torch.zeros_like(tokens))
        of = [out.logits, *(() if out.own is None else out.own)]
        sum(token_losses(logits, tokens).sum() for logits in of)
    return sum(x.untyped_storage().nbytes() for p, x in kept.items() if p not in own)


@pytest.mark.parametrize("answering", [(), ANSWERING], ids=["silent", "answering"])
def test_the_answers_of_machines_are_counted(answering: tuple) -> None:
    """A large vocabulary, of which each machine has logits of its own."""
    s = small(seq_len=176, global_batch_size=2, set=(*SMALL, *answering))
    config = model_config(s, 3000)
    parts = per_rank(s, config, 1)
    # the backward pass keeps the logarithms of the logits; they and their gradient come on top
    logs = parts["logits"] / 3
    real = kept_by(make_model("prism", config), torch.zeros(2, 176, dtype=torch.long))
    assert parts["activations"] + logs == pytest.approx(real, rel=0.05)


def test_computing_blocks_again_saves_nothing_of_the_answers() -> None:
    def more(recompute: bool) -> float:
        """Bytes of activations that answers cost."""
        silent, answering = (
            small(seq_len=176, set=(*SMALL, *x), recompute=recompute) for x in ((), ANSWERING)
        )
        sizes = (per_rank(s, model_config(s, 3000), 1)["activations"] for s in (answering, silent))
        return next(sizes) - next(sizes)

    assert more(recompute=True) == pytest.approx(more(recompute=False), rel=0.05)


def test_attention_grows_with_the_square_of_the_length() -> None:
    """Its mask is of every pair of tokens; the other models grow with the length."""

    def grown(model: str) -> float:
        short, long = (
            per_rank(s, model_config(s, VOCAB), 1)["activations"]
            for s in (small(model=model, seq_len=n, global_batch_size=1) for n in (2048, 4096))
        )
        return long / short

    assert grown("ssm") == pytest.approx(2.0, rel=0.02)
    assert 3.0 < grown("transformer") <= 4.0


@pytest.mark.parametrize(
    ("device", "dtype", "tera"),
    [
        ("NVIDIA A100-SXM4-80GB", "fp32", 19.5),
        ("NVIDIA A100-SXM4-80GB", "tf32", 156),
        ("NVIDIA A100-SXM4-80GB", "bf16", 312),
        ("NVIDIA H100 80GB HBM3", "fp32", 67),
        ("NVIDIA H100 80GB HBM3", "tf32", 494.5),
        ("NVIDIA H100 PCIe", "bf16", 756),
        ("NVIDIA H200", "bf16", 989),
        ("NVIDIA GeForce RTX 4090", "bf16", None),
    ],
)
def test_the_peak_is_that_of_the_dtype_that_runs(
    device: str, dtype: str, tera: float | None
) -> None:
    assert peak_of(device, dtype) == (None if tera is None else pytest.approx(1e12 * tera))


def test_the_dry_run_prints_cost_time_and_memory(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--preset", "tiny", "--dry-run", "--steps", "100000", "--gpu", "a100"]
    assert main(argv) == 0
    text = capsys.readouterr().out
    for word in ("parameters", "FLOPs per token", "1 x A100", "tokens/s", "activations", "sum"):
        assert word in text
    assert "19.5 TFLOP/s (fp32)" in text
    assert re.search(r"validations +│ +400 x 65,536 tokens", text)
    assert re.search(r"checkpoints +│ +200 x 0\.0\d+ GiB", text)
    assert all(len(line.rstrip()) <= 100 for line in text.splitlines())
    slow, fast = (_speed(capsys, "--mfu", mfu) for mfu in ("0.2", "0.4"))
    assert fast == pytest.approx(2 * slow, rel=0.01)
    half = _speed(capsys, "--mfu", "0.2", "--dtype", "bf16")
    assert half == pytest.approx(slow * 989 / 67, rel=0.01)


def test_validation_is_part_of_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    """Three validations of as many tokens as there are to train on double the FLOPs."""
    tokens = 8 * 1024 * 30
    flags = ("--steps", "30", "--eval-every", "10", "--eval-tokens", str(tokens))
    main(["--preset", "tiny", "--dry-run", *flags])
    assert "validation 50.0%" in capsys.readouterr().out
    remark = validation_remark(Settings(steps=30, eval_every=10), 0, tokens)
    assert remark == (
        "validation: 3 x 245,760 tokens, about 50% of the time; less with --eval-tokens or a "
        "larger --eval-every"
    )
    assert validation_remark(Settings(), 500, 65536) == (
        "validation: 2 x 65,536 tokens, about 1% of the time"
    )


def test_a_run_that_does_not_fit_says_what_would() -> None:
    s = small(global_batch_size=64, seq_len=64, gpu="a100")
    config = model_config(s, VOCAB)
    row = measured_row(s, config)

    def says(rows: float, **change: Any) -> str:
        """On a card with room for the weights and so many rows."""
        one = per_rank(small(micro_batch_size=1, global_batch_size=64, seq_len=64), config, 1, row)
        each = one["activations"] + one["logits"]
        room = sum(one.values()) + (rows - 1) * each
        with patch.dict(tables.MEMORY, {"a100": room / tables.USABLE}):
            return fit(dataclasses.replace(s, **change), config, row, 1)

    assert says(64.01).endswith("GiB, fits")
    assert "does not fit; " in says(63.5)
    assert says(63.5).endswith("with --micro-batch-size 32")
    assert says(9.0).endswith("with --micro-batch-size 8")
    assert says(1.01).endswith("with --micro-batch-size 1")
    assert says(0.9).endswith("with --micro-batch-size 2 --recompute")
    assert says(2.01, micro_batch_size=2).endswith("GiB, fits")
    assert "does not fit, not even one row with --recompute" in says(0.1)
    assert "is no multiple of 5" in fit(s, config, row, 5)


def _speed(capsys: pytest.CaptureFixture[str], *flags: str) -> float:
    main(["--preset", "tiny", "--dry-run", *flags])
    line = next(x for x in capsys.readouterr().out.splitlines() if " 1 x " in x)
    return float(line.split("│")[3].replace(",", ""))
