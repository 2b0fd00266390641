"""Every new entry has a gradient within two optimiser steps, and training goes on."""

import pytest
import torch
from torch.nn import functional as F

from prism import Prism, grow
from prism.recipe import own_loss
from tests.growth.pairs import ANSWERS, PARTS, SOFT, SPARSE, larger
from tests.model.families import VARIANTS, VOCAB, perturbed, shrunk
from tests.model.test_no_dead_weights import may_be_silent


def train(model: Prism, optimizer: torch.optim.Optimizer, steps: int, seed: int = 0):
    """Loss and gradients of every step on text in which each token names the next."""
    g = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        start = torch.randint(VOCAB, (6, 1), generator=g)
        step = torch.randint(1, 3, (6, 1), generator=g)
        tokens = (start + step * torch.arange(40)) % VOCAB
        segments = (torch.rand(6, 40, generator=g) < 0.1).long().cumsum(dim=1)
        output = model(tokens, segment_ids=segments, routing=True)

        def words(logits: torch.Tensor, tokens: torch.Tensor = tokens) -> torch.Tensor:
            return F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())

        loss = words(output.logits)
        optimizer.zero_grad()
        (loss + own_loss(output, words) + output.aux_loss).backward()
        gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
        optimizer.step()
        model.after_step(output.loads)
        yield loss.item(), gradients, output.routing


CASES = {part: (SOFT, {part}) for part in PARTS} | {
    "all_soft": (SOFT, PARTS),
    "all_fresh": (SOFT, PARTS),
    "all_top1": (SPARSE, PARTS),
    "all_untied": (shrunk("tiny", tie_embeddings=False), PARTS),
    "all_layer_scope": (shrunk("350m"), PARTS),
    "all_anchored": (VARIANTS["assembled"], PARTS),
    "all_skipping": (VARIANTS["token_skip"], PARTS),
    "all_dials": (VARIANTS["dials"], PARTS),
    "all_answers": (ANSWERS, PARTS),
    "answers_fresh": (ANSWERS, PARTS),
}


@pytest.mark.parametrize("case", CASES)
def test_every_new_entry_is_alive_within_two_steps(case):
    old, parts = CASES[case]
    small = Prism(old).double() if case.endswith("fresh") else perturbed(old)
    grown = grow(small, larger(old, parts, amount=2)).model
    touched = {name: torch.zeros_like(p) != 0 for name, p in grown.named_parameters()}
    symbolic = grown.config.symbolic
    shape = (len(symbolic.primitives), symbolic.units)
    picks = torch.zeros(shape, dtype=torch.bool)
    for _, gradients, routing in train(grown, torch.optim.AdamW(grown.parameters(), lr=1e-2), 2):
        for name, gradient in gradients.items():
            touched[name] |= gradient != 0
        picks |= F.one_hot(routing[0].primitive, shape[0]).flatten(0, 1).any(dim=0).T
    for name, had in touched.items():
        excused = may_be_silent(grown.config, name, picks)
        silent = ~had if excused is None else ~had & ~excused
        assert not silent.any(), f"{name}: {int(silent.sum())} of {had.numel()} are silent"


def test_training_goes_on_from_the_same_loss_and_lowers_it():
    model = Prism(SOFT).double()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95))
    losses = [loss for loss, _, _ in train(model, optimizer, 8)]
    result = grow(model, larger(SOFT, PARTS), optimizer)
    next_loss = next(train(model, optimizer, 1, seed=1))[0]
    after = [loss for loss, _, _ in train(result.model, result.optimizer, 12, seed=1)]
    assert after[0] == pytest.approx(next_loss, abs=1e-10)
    assert max(after) < losses[0]
    assert sum(after[-3:]) / 3 < after[0]


def test_copies_of_inputs_are_no_twins():
    """New units that share inputs a with old ones for ``count`` get features of their own."""
    result = grow(perturbed(SOFT), larger(SOFT, {"units"}))
    machine = result.model.machine
    old = SOFT.symbolic.units
    inputs = machine.read.weight.unflatten(0, (4, -1)).flatten(2).permute(1, 0, 2).flatten(1)
    twins = torch.cdist(inputs[old:], inputs[:old]) == 0
    assert not twins.any()
