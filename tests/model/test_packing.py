"""I4: in a packed row a document sees only itself, and padding counts for nothing."""

from itertools import accumulate, chain, pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism import Prism
from tests.model.families import (
    VARIANTS,
    VOCAB,
    assert_close,
    assert_same_gradients,
    configs,
    gradients,
    in_mode,
    many_draws,
    perturbed,
    read_in_pieces,
    real_outputs,
    tokens_of,
)

variants = pytest.mark.parametrize("name", VARIANTS)
LENGTHS = (5, 1, 9, 4)


def packed_row(lengths, padding: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """One row ``[1, T]`` of documents with ``padding`` after each; ids repeat on purpose."""
    ids = ([i % 2] * n + [-1] * padding for i, n in enumerate(lengths))
    segment_ids = torch.tensor([list(chain.from_iterable(ids))])
    return tokens_of(len(lengths), 1, segment_ids.shape[1]), segment_ids


def check_documents_are_alone(model: Prism, lengths, padding: int) -> None:
    """Logits, gradients, loads and z-loss of the row are those of its documents, one by one."""
    tokens, segment_ids = packed_row(lengths, padding)
    together = model(tokens, segment_ids=segment_ids)
    starts = accumulate((n + padding for n in lengths[:-1]), initial=0)
    alone = [model(tokens[:, a : a + n]) for a, n in zip(starts, lengths, strict=True)]
    wanted = torch.cat([output.logits[0] for output in alone])
    found = real_outputs(together, segment_ids)
    assert_close(found, wanted, 1e-12, "logits")
    share = torch.tensor(lengths, dtype=torch.float64) / sum(lengths)
    loads = sum(w * output.loads for w, output in zip(share, alone, strict=True))
    assert_close(together.loads, loads, 1e-6, "loads")
    aux_loss = sum(w * output.aux_loss for w, output in zip(share, alone, strict=True))
    assert_close(together.aux_loss, aux_loss, 1e-12, "aux_loss")
    weight = torch.linspace(-1, 1, wanted.numel(), dtype=torch.float64).view_as(wanted)
    assert_same_gradients(
        gradients(model, (found * weight).sum() + together.aux_loss),
        gradients(model, (wanted * weight).sum() + aux_loss),
        1e-10,
    )


@variants
@pytest.mark.parametrize("padding", (0, 3))
@pytest.mark.parametrize("training", (True, False), ids=("train", "eval"))
def test_a_packed_row_is_its_documents_one_by_one(name, padding, training):
    check_documents_are_alone(in_mode(perturbed(VARIANTS[name]), training), LENGTHS, padding)


@many_draws
@given(
    config=configs(),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    padding=st.integers(0, 2),
    epsilon=st.sampled_from((0.0, 0.5)),
    training=st.booleans(),
)
def test_no_option_lets_documents_meet(config, lengths, padding, epsilon, training):
    model = perturbed(config, epsilon=epsilon).train(training)
    check_documents_are_alone(model, lengths, padding)


@variants
@torch.no_grad()
def test_changing_a_neighbour_document_changes_nothing_here(name):
    model = perturbed(VARIANTS[name])
    tokens, segment_ids = packed_row(LENGTHS)
    before = model(tokens, segment_ids=segment_ids).logits
    for a, b in pairwise(accumulate(LENGTHS, initial=0)):
        changed = tokens.clone()
        changed[:, a:b] = (changed[:, a:b] + 1) % VOCAB
        difference = (model(changed, segment_ids=segment_ids).logits - before).abs()
        assert difference[:, a:b].max() > 1e-6
        difference[:, a:b] = 0
        assert difference.max() <= 1e-12


@variants
@torch.no_grad()
def test_what_stands_in_the_padding_never_matters(name):
    model = perturbed(VARIANTS[name])
    tokens, segment_ids = packed_row(LENGTHS, padding=2)
    other = torch.where(segment_ids < 0, (tokens + 1) % VOCAB, tokens)
    first, second = (model(t, segment_ids=segment_ids) for t in (tokens, other))
    assert_close(real_outputs(first, segment_ids), real_outputs(second, segment_ids), 1e-12)
    assert torch.equal(first.loads, second.loads)
    assert_close(first.aux_loss, second.aux_loss, 1e-12)


@variants
@torch.no_grad()
def test_padding_is_never_written_to_memory(name):
    model = perturbed(VARIANTS[name])
    tokens, segment_ids = tokens_of(0, 2, 9), torch.full((2, 9), -1)
    state = model(tokens, segment_ids=segment_ids).state
    tapes = [block.tape for block in state.blocks if block.tape is not None]
    assert bool(tapes) == ("memory" in model.config.expert_kinds)
    for tape in tapes:
        assert tape.fast_weights.abs().sum() == 0
        assert tape.ring.abs().sum() == 0


@variants
@pytest.mark.parametrize("padding", (0, 2))
@torch.no_grad()
def test_a_packed_row_may_be_cut_anywhere(name, padding):
    model = perturbed(VARIANTS[name])
    tokens, segment_ids = packed_row(LENGTHS, padding)
    whole = model(tokens, segment_ids=segment_ids).logits
    for at in range(1, tokens.shape[1]):
        pieces, _ = read_in_pieces(model, tokens, (at,), segment_ids)
        assert_close(pieces, whole, 1e-12)


@torch.no_grad()
def test_a_row_of_padding_alone_has_no_load_and_no_loss():
    model = perturbed(VARIANTS["300m"])
    output = model(tokens_of(0, 1, 6), segment_ids=torch.full((1, 6), -1))
    assert output.loads.abs().sum() == 0
    assert output.aux_loss == 0
    assert output.logits.isfinite().all()
