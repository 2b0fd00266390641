"""I6: after two optimizer steps on a mixed batch every parameter element has had a gradient.

The exceptions, each computed here from what the model decided, not from a list of names:

- ``machine.theta`` of a unit that never picked ``threshold``, and ``machine.gate_start`` of a
  unit that never picked ``counter`` or ``rotor``: the choice of a primitive is hard, so only the
  primitive that was picked has a gradient (the choice itself always learns);
- ``machine.choice`` and ``machine.preference`` of a library with one primitive: nothing to
  choose. Likewise the score of a router with one kind, if the z-loss is off.
"""

import pytest
import torch
from torch.nn import functional as F

from prism import Prism, PrismConfig, SymbolicConfig, TapeConfig
from prism.recipe import own_loss
from tests.model.families import UNITS, VARIANTS, VOCAB, shrunk

READERS = {"theta": ("threshold",), "gate_start": ("counter", "rotor")}


def touched_after_two_steps(config: PrismConfig) -> tuple[Prism, dict, torch.Tensor]:
    """Elements that had a gradient, and the primitives that units picked ``[P, U]``."""
    model = Prism(config).double()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    touched = {n: torch.zeros_like(p, dtype=torch.bool) for n, p in model.named_parameters()}
    choices = len(config.symbolic.primitives)
    picks = torch.zeros(choices, config.symbolic.units, dtype=torch.bool)
    g = torch.Generator().manual_seed(0)
    for _ in range(2):
        tokens = torch.randint(VOCAB, (6, 40), generator=g)
        segment_ids = (torch.rand(6, 40, generator=g) < 0.1).long().cumsum(dim=1)
        output = model(tokens, segment_ids=segment_ids, routing=True)

        def words(logits: torch.Tensor, tokens: torch.Tensor = tokens) -> torch.Tensor:
            return F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())

        loss = words(output.logits)
        optimizer.zero_grad()
        (loss + own_loss(output, words) + output.aux_loss).backward()
        optimizer.step()
        model.after_step(output.loads)
        for name, parameter in model.named_parameters():
            touched[name] |= parameter.grad != 0
        picked = output.routing[0].primitive
        if picked is not None:
            picks |= F.one_hot(picked, choices).flatten(0, 1).any(dim=0).T
    return model, touched, picks


def may_be_silent(config: PrismConfig, name: str, picks: torch.Tensor) -> torch.Tensor | None:
    """Elements of parameter ``name`` that the module docstring excuses; None = no element."""
    part, _, leaf = name.rpartition(".")
    if part != "machine":
        return None
    library = config.symbolic.primitives
    if leaf in READERS:
        readers = [library.index(p) for p in READERS[leaf] if p in library]
        used = picks[readers].any(dim=0)
        return ~(torch.cat([used, used]) if leaf == "theta" else used)
    if leaf in ("choice", "preference") and len(library) == 1:
        return torch.tensor(True)
    return None


MIXED = {
    "one_kind": shrunk("tiny", expert_kinds=("neural",)),
    "content_only": shrunk("tiny", tape=TapeConfig(position_heads=0, num_slots=4, d_mem=3)),
    "position_only": shrunk("tiny", tape=TapeConfig(content_heads=0, num_slots=4, d_mem=3)),
    "untied": shrunk("tiny", tie_embeddings=False),
    "no_memory_below": shrunk("tiny", memory_layers=(1,)),
    "one_primitive": shrunk("tiny", symbolic=SymbolicConfig(**UNITS | {"primitives": ("rotor",)})),
}


@pytest.mark.parametrize("name", [*VARIANTS, *MIXED])
def test_every_element_that_can_matter_has_had_a_gradient(name):
    config = (VARIANTS | MIXED)[name]
    _, touched, picks = touched_after_two_steps(config)
    for parameter, had in touched.items():
        excused = may_be_silent(config, parameter, picks)
        silent = ~had if excused is None else ~had & ~excused
        assert not silent.any(), f"{parameter}: {int(silent.sum())} of {had.numel()} are silent"


def test_what_a_picked_primitive_reads_learns():
    library = ("threshold", "rotor")
    config = shrunk("tiny", symbolic=SymbolicConfig(**UNITS | {"units": 8, "primitives": library}))
    _, touched, picks = touched_after_two_steps(config)
    threshold, rotor = picks
    assert torch.equal(touched["machine.theta"], torch.cat([threshold, threshold]))
    assert touched["machine.gate_start"][rotor].all()


@pytest.mark.parametrize("tie_embeddings", (True, False))
def test_the_table_and_the_head_share_storage_exactly_when_tied(tie_embeddings):
    model = Prism(shrunk("tiny", tie_embeddings=tie_embeddings))
    shared = model.head.weight.data_ptr() == model.embedding.weight.data_ptr()
    assert shared == tie_embeddings
    extra = 0 if tie_embeddings else model.head.weight.numel()
    tied = Prism(shrunk("tiny", tie_embeddings=True)).num_parameters()
    assert model.num_parameters() == tied + extra
