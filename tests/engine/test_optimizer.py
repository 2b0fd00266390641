"""Each rank updates its part, and all of them together take AdamW's step."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.optim import AdamW

from prism.engine.loop.optimizer import BETA1, Optimizers, Roles
from prism.engine.loop.step import clip, gradient_norms
from prism.engine.models import make_model, model_config
from tests.engine.fakes import VOCAB, Ranks, small, small_trainer, whole

Tensors = dict[str, torch.Tensor]


def trained(run: Path) -> tuple[Tensors, Tensors]:
    """Parameters and moments after three steps, put together."""
    s = small(dtype="fp64", steps=3, grad_clip=0.05)
    with small_trainer(s, run) as t:
        for batch in range(3):
            for i, (name, p) in enumerate(sorted(t.optimizers.parameters.items())):
                assert p.grad is None, name
                p.grad = torch.full_like(p, 0.1 * (i % 7 - 3) + 0.01 * batch) * p.detach()
            clip(t.model, gradient_norms(t.model), s.grad_clip)
            t.optimizers.set_rate(s.lr)
            t.optimizers.step()
            t.optimizers.zero_grad()
        assert all(p.grad is None for p in t.optimizers.updated.values())  # memory is given back
        shapes = {name: p.shape for name, p in t.optimizers.parameters.items()}
        for name, moment in t.optimizers.tensors().items():
            assert moment.shape in (shapes[name.rpartition(".")[0]], ()), name
        return whole(t.optimizers.parameters), whole(t.optimizers.tensors())


def test_parts_on_two_ranks_take_the_steps_of_one(pair: Ranks, tmp_path: Path) -> None:
    one = trained(tmp_path)
    for found in pair.run(trained, tmp_path, tmp_path):
        for mine, theirs in zip(found, one, strict=True):
            assert mine.keys() == theirs.keys()
            for name in mine:
                torch.testing.assert_close(mine[name], theirs[name], rtol=1e-9, atol=1e-12)


def test_adamw_on_parts_is_that_of_torch() -> None:
    s = small()
    ours, theirs = (make_model("prism", model_config(s, VOCAB)) for _ in range(2))
    roles = Roles.of(ours)
    groups = [
        {"params": [p for n, p in theirs.named_parameters() if (n in roles.decayed) == decays],
         "weight_decay": s.weight_decay if decays else 0.0}
        for decays in (True, False)
    ]  # fmt: skip
    reference = AdamW(groups, lr=s.lr, betas=(BETA1, s.beta2), fused=True)
    optimizers = Optimizers(ours, roles, s)
    for step in range(3):
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            a.grad = torch.full_like(a, 0.1 + step) * a.detach()
            b.grad = a.grad.clone()
        assert gradient_norms(ours).item() > 0.05
        clip(ours, gradient_norms(ours), 0.05)
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.05)
        optimizers.step()
        reference.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-8)
