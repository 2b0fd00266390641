"""The gradients of a global batch do not depend on how its rows are spread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed.fsdp import FSDPModule
from torch.nn import functional

from prism.engine.loop.step import accumulate, gradient_norms
from prism.engine.models import make_model, model_config
from prism.engine.settings import Settings
from tests.engine.fakes import (
    ANSWERS,
    APART,
    SMALL,
    TOP2,
    VOCAB,
    RaggedFeed,
    Ranks,
    paid,
    small,
    small_trainer,
    whole,
)

LANES = 4


def gradients(
    s: Settings, run: Path, smallest_unit: int = 0
) -> tuple[dict[str, torch.Tensor], float, torch.Tensor | None]:
    """After the second step (the first has made states to carry): gradients, loss, loads."""
    with small_trainer(s, run, smallest_unit=smallest_unit) as t:
        accumulate(t.model, t.spec.feed.next(), t.states, t.w)
        t.optimizers.zero_grad()
        found = accumulate(t.model, t.spec.feed.next(), t.states, t.w)
        norm = gradient_norms(t.model).norm()
        grads = whole({name: p.grad for name, p in t.model.named_parameters()})
    assert norm.item() == pytest.approx(
        torch.stack([g.square().sum() for g in grads.values()]).sum().sqrt().item(), rel=1e-9
    )
    return grads, found.loss, found.loads


def reference(s: Settings) -> tuple[dict[str, torch.Tensor], float]:
    """The same by hand: a plain model, row by row, divided by counts of the whole batch."""
    model = make_model(s.model, model_config(s, VOCAB)).double()
    model.set_exploration(0.0)
    feed = RaggedFeed(range(LANES), s.seq_len)
    first, second = feed.next(), feed.next()
    valid, real = (second.targets >= 0).sum(), (second.segment_ids >= 0).sum()
    total = 0.0
    for row in range(LANES):
        here = slice(row, row + 1)
        with torch.no_grad():
            state = model(first.tokens[here], segment_ids=first.segment_ids[here]).state
        if s.model == "transformer":
            state = None
        out = model(second.tokens[here], state=state, segment_ids=second.segment_ids[here])
        loss = functional.cross_entropy(out.logits[0], second.targets[row], reduction="sum") / valid
        own = 0.0  # of every symbolic machine by itself
        for each in () if out.own is None else out.own:
            own += functional.cross_entropy(each[0], second.targets[row], reduction="sum") / valid
        price = None if out.penalty is None else out.penalty[0]
        price = paid(price, second.out_of_domain[row], second.segment_ids[row])
        (loss + own + price / real).backward()
        total += loss.item()
    return {name: p.grad for name, p in model.named_parameters()}, total


def close(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    scale = max(g.abs().max() for g in b.values())
    for name, g in b.items():
        worst = (a[name] - g).abs().max() / scale
        assert worst < 1e-9, f"{name}: {worst}"


@pytest.mark.parametrize(
    ("model", "set_"),
    [
        ("prism", SMALL),
        ("prism", TOP2),
        ("prism", APART),
        ("prism", ANSWERS),
        ("transformer", SMALL),
        ("ssm", SMALL),
        ("gdn", SMALL),
    ],
)
def test_sharded_gradients_are_those_of_a_plain_model(
    model: str, set_: tuple[str, ...], tmp_path: Path
) -> None:
    s = small(model=model, set=set_, dtype="fp64")
    grads, loss, _ = gradients(s, tmp_path)
    wanted, total = reference(s)
    assert loss == pytest.approx(total, rel=1e-12)
    close(grads, wanted)


@pytest.mark.parametrize("micro", [1, 2])
@pytest.mark.parametrize("set_", [TOP2, APART], ids=["top2", "apart"])
def test_micro_batches_do_not_change_gradients(
    micro: int, set_: tuple[str, ...], tmp_path: Path
) -> None:
    one = gradients(small(dtype="fp64", set=set_), tmp_path)
    split = gradients(small(dtype="fp64", set=set_, micro_batch_size=micro), tmp_path)
    close(split[0], one[0])
    assert split[1] == pytest.approx(one[1], rel=1e-12)
    assert torch.equal(split[2], one[2])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"micro_batch_size": 1},
        {"shards": 1, "micro_batch_size": 1},
        {"recompute": True},
        {"recompute": True, "set": APART},
    ],
    ids=str,
)
def test_ranks_do_not_change_gradients(
    options: dict[str, Any], pair: Ranks, tmp_path: Path
) -> None:
    options = {"set": TOP2} | options
    one = gradients(small(dtype="fp64", set=options["set"]), tmp_path)
    s = small(dtype="fp64", **options)
    for found in pair.run(gradients, tmp_path, s, tmp_path):
        close(found[0], one[0])
        assert found[1] == pytest.approx(one[1], rel=1e-12)
        assert torch.equal(found[2], one[2])


def test_blocks_too_small_to_be_spread_alone_do_not_change_gradients(
    pair: Ranks, tmp_path: Path
) -> None:
    one = gradients(small(dtype="fp64", set=TOP2), tmp_path)
    s, never = small(dtype="fp64", set=TOP2, recompute=True), 10**9
    together = gradients(s, tmp_path, never)
    for found in (together, *pair.run(gradients, tmp_path, s, tmp_path, never)):
        close(found[0], one[0])
        assert found[1] == pytest.approx(one[1], rel=1e-12)


def units(run: Path, smallest_unit: int) -> int:
    """How many parts of the model are gathered and reduced on their own."""
    with small_trainer(small(), run, smallest_unit=smallest_unit) as t:
        return sum(isinstance(m, FSDPModule) for m in t.model.modules())


def test_only_large_blocks_of_several_ranks_are_units_of_their_own(
    pair: Ranks, tmp_path: Path
) -> None:
    layers = model_config(small(), VOCAB).num_layers
    for smallest, wanted in ((0, layers + 1), (10**9, 1)):
        assert set(pair.run(units, tmp_path, tmp_path, smallest)) == {wanted}
        assert units(tmp_path, smallest) == 1


@pytest.mark.parametrize("model", ["prism", "gdn"])
def test_recomputing_blocks_does_not_change_gradients(model: str, tmp_path: Path) -> None:
    plain = gradients(small(dtype="fp64", model=model), tmp_path)
    again = gradients(small(dtype="fp64", model=model, recompute=True), tmp_path)
    close(again[0], plain[0])


def test_half_precision_keeps_fp32_masters_and_gradients(tmp_path: Path) -> None:
    with small_trainer(small(dtype="bf16"), tmp_path) as t:
        accumulate(t.model, t.spec.feed.next(), t.states, t.w)
        assert {p.dtype for p in t.model.parameters()} == {torch.float32}
        assert {p.grad.dtype for p in t.model.parameters()} == {torch.float32}


def test_a_neighbour_document_changes_nothing_in_training(tmp_path: Path) -> None:
    s = small(dtype="fp64")
    with small_trainer(s, tmp_path) as t:
        batch = t.spec.feed.next()
        segments = torch.zeros_like(batch.segment_ids)
        segments[:, 12:] = 1
        logits = t.model(batch.tokens, segment_ids=segments).logits
        batch.tokens[:, :12] = (batch.tokens[:, :12] + 1) % VOCAB
        changed = t.model(batch.tokens, segment_ids=segments).logits
    assert (logits[:, :12] - changed[:, :12]).abs().max() > 1e-3
    assert (logits[:, 12:] - changed[:, 12:]).abs().max() <= 1e-12


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler warns about itself, as it looks at everything
@pytest.mark.parametrize("recompute", [False, True])
def test_compiling_blocks_does_not_change_gradients(recompute: bool, tmp_path: Path) -> None:
    plain = gradients(small(dtype="fp64", model="gdn"), tmp_path)
    fast = gradients(small(dtype="fp64", model="gdn", compile=True, recompute=recompute), tmp_path)
    close(fast[0], plain[0])
