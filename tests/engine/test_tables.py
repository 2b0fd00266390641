"""The analytic counts are those of the operations that run."""

from __future__ import annotations

import re

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from prism.engine.cost.flops import count
from prism.engine.cost.memory import per_rank
from prism.engine.models import make_model, model_config
from prism.engine.parallel.fsdp import parameters_on_meta
from prism.engine.settings import Settings
from prism.run_scale import main
from tests.engine.fakes import SMALL, VOCAB, small

WIDE = ("num_layers=4", "vocab_size=300")


# attention on a CPU is one kernel that torch's counter does not know; on meta it is two products
@pytest.mark.parametrize(
    ("model", "device"),
    [
        *(("prism", "meta"), ("prism-layer", "meta"), ("transformer", "meta")),
        *(("ssm", "cpu"), ("gdn", "cpu")),
    ],
)
def test_flops_are_those_that_torch_counts(model: str, device: str) -> None:
    s = Settings(preset="tiny", model=model, set=WIDE, seq_len=256)
    built = make_model(model, model_config(s, 300))
    analytic = count(built, 256).training / 3
    built.to(device)
    tokens = torch.zeros(1, 256, dtype=torch.long, device=device)
    with FlopCounterMode(display=False) as forward:
        out = built(tokens)
    with FlopCounterMode(display=False) as backward:
        out.logits.sum().backward()
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
    neural = 2 * 3 * 3 * 16 * 96
    outer = 2 * 3 * (4 * 4 * 16 + 2 * 4 * 16)
    assert all_kinds - top1 == pytest.approx(0.5 * neural + 0.75 * outer)


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


def test_activations_are_what_autograd_keeps() -> None:
    s = small(model="gdn", seq_len=64, global_batch_size=1)
    config = model_config(s, VOCAB)
    model = make_model("gdn", config)
    own = {p.data_ptr() for p in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def pack(x: torch.Tensor) -> torch.Tensor:
        kept.setdefault(x.untyped_storage().data_ptr(), x)
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        model(torch.zeros(1, 64, dtype=torch.long))
    real = sum(x.untyped_storage().nbytes() for p, x in kept.items() if p not in own)
    assert per_rank(s, config, 1)["activations"] == pytest.approx(real, rel=0.15)


def test_the_dry_run_prints_cost_time_and_memory(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--preset", "tiny", "--dry-run", "--steps", "100000", "--gpu", "a100"]) == 0
    text = capsys.readouterr().out
    for word in ("parameters", "FLOPs per token", "1 x A100", "tokens/s", "activations", "sum"):
        assert word in text
    slow, fast = (_speed(capsys, "--mfu", mfu) for mfu in ("0.2", "0.4"))
    assert fast == pytest.approx(2 * slow, rel=0.01)


def _speed(capsys: pytest.CaptureFixture[str], *flags: str) -> float:
    main(["--preset", "tiny", "--dry-run", *flags])
    line = next(x for x in capsys.readouterr().out.splitlines() if " 1 x " in x)
    found = re.search(r"([\d,]+) tokens/s", line)
    assert found is not None
    return float(found[1].replace(",", ""))
