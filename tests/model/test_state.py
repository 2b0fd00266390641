"""A state is a value that owns its bytes: rows are chosen, repeated, moved and saved like data."""

import dataclasses
import json
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import prism
from prism import Prism, PrismConfig, State, SymbolicConfig
from prism.baselines import build
from prism.baselines.stack import StackState
from prism.model.prism import PrismState
from prism.model.state import leaves
from tests.model.families import VARIANTS, perturbed, tokens_of

BESIDE = SymbolicConfig(answers=False, dials=2, reflections=2)
SMALL = PrismConfig(vocab_size=11, d_model=32, num_layers=2, symbolic=BESIDE)
NAMES = ("prism", "transformer", "ssm", "gdn")
every_model = pytest.mark.parametrize("name", NAMES)


def held_bytes(state: object) -> int:
    """Bytes of the distinct storages that keep a state alive."""
    storages = {x.untyped_storage().data_ptr(): x.untyped_storage().nbytes() for x in leaves(state)}
    return sum(storages.values())


def assert_equal_states(one: State, other: State) -> None:
    assert type(one) is type(other)
    for a, b in zip(leaves(one), leaves(other), strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)


@every_model
@pytest.mark.parametrize("packed", (False, True), ids=("plain", "packed"))
@torch.no_grad()
def test_a_state_holds_no_more_than_it_says(name, packed):
    model, tokens = build(name, SMALL), torch.zeros(1, 4096, dtype=torch.long)
    state = model(tokens, segment_ids=tokens if packed else None).state
    assert held_bytes(state) <= 1.1 * state.nbytes
    if not packed:
        assert state.nbytes == model.state_bytes(4096)
    again = model(tokens[:, :1], state=state).state
    assert held_bytes(again) <= 1.1 * again.nbytes


@every_model
def test_a_state_with_gradients_holds_no_more_than_it_says(name):
    state = build(name, SMALL)(tokens_of(0, 2, 300)).state.detach()
    assert held_bytes(state) <= 1.1 * state.nbytes


@every_model
def test_no_state_shares_memory_with_what_the_caller_gave(name):
    model, tokens = build(name, SMALL), tokens_of(0, 2, 1)
    ids = torch.zeros_like(tokens)
    state = model(tokens, segment_ids=ids).state
    given_to_it = {tokens.data_ptr(), ids.data_ptr()}
    assert not given_to_it & {x.data_ptr() for x in leaves(state)}


@every_model
@torch.no_grad()
def test_rows_that_are_chosen_go_on_as_they_would_have(name):
    model, tokens = build(name, SMALL).double(), tokens_of(0, 4, 30)
    state = model(tokens[:, :20]).state
    whole = model(tokens).logits[:, 20:]
    mask = torch.tensor([True, False, False, True])
    for rows, index in (
        ([2, 0], [2, 0]),
        (torch.tensor([1, 1, -1]), [1, 1, 3]),
        (slice(1, 3), [1, 2]),
        (mask, [0, 3]),
        (mask.tolist(), [0, 3]),
        (2, [2]),
    ):
        chosen = state.select(rows)
        assert chosen.batch == len(index)
        assert held_bytes(chosen) <= 1.1 * chosen.nbytes
        found = model(tokens[index, 20:], state=chosen).logits
        torch.testing.assert_close(found, whole[index], rtol=0, atol=1e-12)


@every_model
@torch.no_grad()
def test_beams_are_rows_side_by_side(name):
    model, tokens = build(name, SMALL).double(), tokens_of(0, 2, 12)
    beams = model(tokens).state.expand(3)
    assert beams.batch == 6
    next_tokens = tokens_of(1, 6, 4)
    found = model(next_tokens, state=beams).logits
    both = torch.cat([tokens.repeat_interleave(3, dim=0), next_tokens], dim=1)
    torch.testing.assert_close(found, model(both).logits[:, 12:], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "rows", ([4], [-5], [True], torch.ones(4), [[0, 1]], "a", None, [None]), ids=str
)
def test_a_row_that_is_not_there_is_named(rows):
    state = Prism(SMALL)(tokens_of(0, 4, 3)).state
    with pytest.raises(ValueError, match=re.escape(f"rows = {rows!r}: must be indices in -4..3")):
        state.select(rows)


def test_no_rows_are_a_state_of_no_rows_and_no_beams_are_refused():
    state = Prism(SMALL)(tokens_of(0, 4, 3)).state
    assert state.select([]).batch == 0
    for n in (0, -1, 2.0, True, "2", None):
        with pytest.raises(ValueError, match=re.escape(f"n = {n!r}: must be an integer >= 1")):
            state.expand(n)


@every_model
def test_a_state_is_cut_from_its_graph_and_moved(name):
    model = build(name, SMALL)
    state = model(tokens_of(0, 2, 5), segment_ids=tokens_of(0, 2, 5)).state
    assert any(x.requires_grad for x in leaves(state))
    cut = state.detach()
    assert not any(x.requires_grad for x in leaves(cut))
    wide = cut.to(torch.float64)
    for a, b in zip(leaves(cut), leaves(wide), strict=True):
        assert b.dtype == (torch.float64 if a.is_floating_point() else a.dtype)
    assert all(x.is_meta for x in leaves(cut.to("meta")))
    assert model.double()(tokens_of(1, 2, 3), state=wide).logits.isfinite().all()


@pytest.mark.parametrize("name", (*NAMES, *VARIANTS))
@pytest.mark.parametrize("packed", (False, True), ids=("plain", "packed"))
@torch.no_grad()
def test_a_saved_state_comes_back_to_the_bit(name, packed, tmp_path):
    model = build(name, SMALL) if name in NAMES else perturbed(VARIANTS[name])
    tokens, path = tokens_of(0, 2, 9), tmp_path / "deep" / "state.safetensors"
    state = model(tokens, segment_ids=tokens - 3 if packed else None).state
    state.save(path)
    back = type(state).load(path)
    assert_equal_states(back, state)
    assert_equal_states(State.load(path), state)
    assert path.stat().st_size <= 1.1 * state.nbytes + 20_000  # the header grows with the layers
    assert torch.equal(model(tokens, state=back).logits, model(tokens, state=state).logits)


def test_a_file_that_holds_no_such_state_is_refused(tmp_path):
    path = tmp_path / "state.safetensors"
    with pytest.raises(FileNotFoundError, match="no such file"):
        PrismState.load(path)
    build("ssm", SMALL)(tokens_of(0, 1, 2)).state.save(path)
    with pytest.raises(ValueError, match="holds a StackState: must be a PrismState"):
        PrismState.load(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match="not a saved state"):
        StackState.load(path)
    prism.Prism(SMALL).save(tmp_path)
    with pytest.raises(ValueError, match=r"must be written by State\.save"):
        State.load(tmp_path / "model.safetensors")


def test_a_class_that_is_no_state_of_ours_is_never_made(tmp_path):
    path = tmp_path / "state.safetensors"
    Prism(SMALL)(tokens_of(0, 1, 2)).state.save(path)
    content = path.read_bytes()
    assert b"PrismState" in content
    path.write_bytes(content.replace(b"PrismState", b"subprocess"))
    with pytest.raises(ValueError, match="class 'subprocess': must be one of"):
        State.load(path)


@every_model
@given(seed=st.integers(0, 99))
def test_gradients_go_through_a_carried_state(name, seed):
    model, tokens = build(name, SMALL).double(), tokens_of(seed, 2, 14)
    names = [n for n, _ in model.named_parameters()]

    def gradients(logits):
        loss = logits.sin().sum()
        return torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)

    first = model(tokens[:, :6])
    second = model(tokens[:, 6:], state=first.state)
    pieces = gradients(torch.cat([first.logits, second.logits], dim=1))
    for key, a, b in zip(names, pieces, gradients(model(tokens).logits), strict=True):
        assert (a is None) == (b is None), key
        if a is not None:
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10, msg=key)


def test_every_state_of_the_project_has_the_methods():
    state = Prism(SMALL)(tokens_of(0, 2, 3)).state
    machine = state.symbolic
    parts = (state.blocks[0], state.blocks[0].tape, machine, machine.dials, machine.reflections)
    for part in (state, *parts):
        assert isinstance(part, State)
        assert part.select([1]).batch == 1
    assert {f.name for f in dataclasses.fields(state)} == {
        "blocks",
        "symbolic",
        "segment",
        "holo",
    }
    assert json.loads(json.dumps(sorted(State.kinds))) == sorted(State.kinds)
