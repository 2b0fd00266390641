"""A tape of facts changes nothing but the token it answers, and keeps every promise of the model.

Whatever the weights, a stand-in tape answers about half of all questions, so the promises are
tested with facts that speak often.
"""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from prism import HoloTape, Prism, PrismConfig, load
from prism.model.holo_read import NO_PART, RELATION, SUBJECT, FactQueries, FactRead, mix_facts
from prism.model.protocol import PrismOutput
from prism.ops.rolling import fact_key, mix
from tests.model.families import (
    VARIANTS,
    VOCAB,
    assert_close,
    assert_same_gradients,
    changed_from,
    configs,
    gradients,
    loss_of,
    perturbed,
    read_in_pieces,
    segments_of,
    shrunk,
    tensors_of,
    tokens_of,
)

NAMES = ("300m", "top1")
names = pytest.mark.parametrize("name", NAMES)
packing = pytest.mark.parametrize("packed", (False, True), ids=("one_document", "packed"))


class Oracle:
    """Answers half of all keys with a token and a doubt made of key and position."""

    def read_tokens(self, keys: Tensor, position: Tensor) -> FactRead:
        x = mix(keys + position)
        doubt = torch.where(x % 2 == 0, 1.0, (x % 97).abs() / 100)
        return FactRead(x.remainder(VOCAB), doubt.double())


class Silent:
    """Refuses everything."""

    def read_tokens(self, keys: Tensor, position: Tensor) -> FactRead:
        return FactRead(torch.zeros_like(keys), torch.ones(len(keys)))


class Taped:
    """A model that always has its tape at hand."""

    def __init__(self, model: Prism, tape: object) -> None:
        self.model, self.tape = model, tape
        self.named_parameters = model.named_parameters

    def __call__(self, tokens: Tensor, **more: object) -> PrismOutput:
        return self.model(tokens, facts=self.tape, **more)


def with_holo(config: PrismConfig) -> PrismConfig:
    return dataclasses.replace(config, holo_mode=True)


def taped(name: str) -> Taped:
    return Taped(perturbed(with_holo(VARIANTS[name])), Oracle())


def check_split(model: Taped, tokens: Tensor, cuts: object, segment_ids: Tensor | None) -> None:
    whole, end = read_in_pieces(model, tokens, (), segment_ids)
    pieces, last = read_in_pieces(model, tokens, cuts, segment_ids)
    assert_close(pieces, whole, 1e-10, "logits")
    for found, wanted in zip(tensors_of(last), tensors_of(end), strict=True):
        assert_close(found, wanted, 1e-10, "state")
    assert torch.equal(last.holo.hashes, end.holo.hashes)
    assert_same_gradients(
        gradients(model, loss_of(pieces)), gradients(model, loss_of(whole)), 1e-10
    )


@pytest.mark.parametrize("name", VARIANTS)
def test_the_other_weights_do_not_depend_on_holo_mode(name):
    plain, able = Prism(VARIANTS[name]), Prism(with_holo(VARIANTS[name]))
    extra = able.state_dict().keys() - plain.state_dict().keys()
    assert extra == {"holo.roles.weight", "holo.roles.bias"}
    assert able.num_parameters() - plain.num_parameters() == 4 * plain.config.d_model + 4
    for key, value in plain.state_dict().items():
        assert torch.equal(able.state_dict()[key], value)
    tokens = tokens_of(0, 2, 9)
    assert torch.equal(plain.eval()(tokens).logits, able.eval()(tokens).logits)


@names
def test_the_stand_in_tape_speaks_often_enough_to_be_tested(name):
    queries = taped(name)(tokens_of(1, 4, 40)).holo
    assert queries.fired.sum() > 20
    assert not (queries.fired & ~queries.query_mask).any()
    assert queries.position.max() > 1
    assert len(queries.keys.unique()) > 20


@names
@packing
def test_where_the_gate_is_closed_the_logits_are_those_without_a_tape(name, packed):
    model = taped(name)
    tokens = tokens_of(2, 3, 30)
    ids = segments_of(3, 3, 30) if packed else None
    bare = model.model(tokens, segment_ids=ids)
    told = model(tokens, segment_ids=ids)
    changed = (bare.logits != told.logits).any(dim=-1)
    assert torch.equal(changed, told.holo.fired)
    assert not bare.holo.fired.any()
    refused = model.model(tokens, segment_ids=ids, facts=Silent())
    assert torch.equal(refused.logits, bare.logits)
    for found, wanted in zip(tensors_of(told.state), tensors_of(bare.state), strict=True):
        assert torch.equal(found, wanted)


@names
def test_the_mixture_is_the_one_of_the_equation(name):
    model = taped(name)
    tokens = tokens_of(4, 2, 25)
    bare, told = model.model(tokens).logits, model(tokens)
    where = told.holo.fired.nonzero(as_tuple=True)
    said = Oracle().read_tokens(told.holo.keys[where], told.holo.position[where])
    doubt = said.doubt.clamp(min=1e-6)[:, None]
    chosen = torch.nn.functional.one_hot(said.tokens, VOCAB)
    wanted = doubt * bare[where].softmax(-1) + (1 - doubt) * chosen
    assert_close(told.logits[where].softmax(-1), wanted, 1e-12)


@names
@pytest.mark.parametrize("at", (1, 9, 17))
def test_what_comes_later_changes_no_question_before(name, at):
    model, tokens = taped(name), tokens_of(5, 2, 18)
    first, second = model(tokens), model(changed_from(tokens, at))
    assert_close(second.logits[:, :at], first.logits[:, :at], 1e-12)
    assert torch.equal(second.holo.keys[:, :at], first.holo.keys[:, :at])
    assert torch.equal(second.holo.fired[:, :at], first.holo.fired[:, :at])


@names
def test_rows_do_not_see_each_other(name):
    model, tokens = taped(name), tokens_of(6, 3, 20)
    together = model(tokens)
    for i in range(3):
        alone = model(tokens[i : i + 1])
        assert_close(alone.logits, together.logits[i : i + 1], 1e-12)
        assert torch.equal(alone.holo.keys[0], together.holo.keys[i])


@names
@packing
@pytest.mark.parametrize("cuts", ((3, 4, 11), tuple(range(1, 14))), ids=("some", "each_token"))
def test_any_split_asks_the_same_questions(name, packed, cuts):
    check_split(taped(name), tokens_of(7, 2, 14), cuts, segments_of(5, 2, 14) if packed else None)


@given(config=configs(), length=st.integers(2, 19), packed=st.booleans(), data=st.data())
def test_no_option_makes_a_split_visible(config, length, packed, data):
    cuts = data.draw(st.sets(st.integers(1, length - 1)))
    segment_ids = segments_of(config.seed, 2, length) if packed else None
    model = Taped(perturbed(with_holo(config)), Oracle())
    check_split(model, tokens_of(config.seed, 2, length), cuts, segment_ids)


@names
def test_a_document_asks_only_about_itself(name):
    model, lengths = taped(name), (5, 1, 9, 4)
    tokens = tokens_of(8, 1, sum(lengths))
    ids = torch.cat([torch.full((n,), i % 2) for i, n in enumerate(lengths)])[None]
    together, start = model(tokens, segment_ids=ids), 0
    for n in lengths:
        alone = model(tokens[:, start : start + n])
        assert_close(together.logits[:, start : start + n], alone.logits, 1e-12)
        assert torch.equal(together.holo.keys[:, start : start + n], alone.holo.keys)
        assert torch.equal(together.holo.position[:, start : start + n], alone.holo.position)
        start += n


@names
def test_padding_neither_asks_nor_names(name):
    model, tokens = taped(name), tokens_of(9, 2, 12)
    ids = torch.tensor([[0] * 5 + [-1] * 7] * 2)
    queries = model(tokens, segment_ids=ids).holo
    assert not queries.query_mask[:, 5:].any()
    other = model(changed_from(tokens, 5), segment_ids=ids)
    assert torch.equal(other.holo.keys, queries.keys)
    unpadded = model(tokens[:, :5]).state.holo  # padding leaves the state as it was
    for field in ("hashes", "part", "query_run"):
        assert torch.equal(getattr(other.state.holo, field), getattr(unpadded, field))


def test_two_steps_reach_every_number_that_holo_mode_adds():
    model = Prism(with_holo(VARIANTS["tiny"])).double()
    for seed in range(2):
        queries = model(tokens_of(seed, 4, 20)).holo
        loss = queries.part_logits.logsumexp(-1).mean() - queries.part_logits[..., 1].mean()
        found = gradients(model, loss + queries.query_logit.sigmoid().mean())
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter -= 0.01 * found[name]
    assert all(bool((found[f"holo.{n}"] != 0).all()) for n, _ in model.holo.named_parameters())


@pytest.mark.parametrize("dtype", (torch.bfloat16, torch.float16))
def test_half_precision_can_ask(dtype):
    model = perturbed(with_holo(VARIANTS["tiny"]), dtype)
    output = model(tokens_of(10, 2, 20), facts=Oracle())
    assert output.logits.dtype == dtype
    assert output.logits.isfinite().all()
    assert output.holo.fired.any()


def test_a_saved_model_can_still_ask(tmp_path):
    model = perturbed(with_holo(shrunk("tiny")), torch.float32)
    model.save(tmp_path)
    tokens = tokens_of(11, 2, 20)
    found = load(tmp_path)(tokens, facts=Oracle()).logits
    assert torch.equal(found, model(tokens, facts=Oracle()).logits)


def test_a_tape_for_a_model_that_cannot_ask_is_refused():
    with pytest.raises(ValueError, match="holo_mode must be True"):
        Prism(VARIANTS["tiny"])(tokens_of(0, 1, 3), facts=Oracle())


def test_an_answer_that_is_no_token_of_the_model_is_refused():
    class Foreign:
        def read_tokens(self, keys: Tensor, position: Tensor) -> FactRead:
            return FactRead(torch.full_like(keys, VOCAB), torch.zeros(len(keys)))

    with pytest.raises(ValueError, match=f"token {VOCAB}: must be below the model's vocab_size"):
        perturbed(with_holo(VARIANTS["tiny"]))(tokens_of(1, 4, 40), facts=Foreign())


@pytest.mark.parametrize("value", (1, None, "yes"))
def test_holo_mode_is_a_flag(value):
    with pytest.raises(ValueError, match=r"PrismConfig\.holo_mode"):
        PrismConfig(vocab_size=5, holo_mode=value)


def queries_by_a_loop(tokens: Tensor, queries: FactQueries, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and positions ``[B, T]``, one real token after the other, with runs kept as lists.
    Padding has none: those of ``queries`` stand there."""
    parts, asks = queries.part_logits.argmax(-1), queries.query_logit > 0
    keys, places = queries.keys.clone(), queries.position.clone()
    for b in range(len(tokens)):
        document = None
        for t in range(tokens.shape[1]):
            if ids[b, t] < 0:
                continue
            if int(ids[b, t]) != document:
                document = int(ids[b, t])
                runs: dict[int, list[int]] = {SUBJECT: [], RELATION: []}
                last, asked = NO_PART, 0
            part = int(parts[b, t])
            if part != NO_PART:
                runs[part] = [*(runs[part] if part == last else []), int(tokens[b, t])]
            last, asked = part, asked + 1 if asks[b, t] else 0
            places[b, t] = max(asked - 1, 0)
            if all(runs.values()):  # of a missing part nothing can be written
                keys[b, t] = fact_key(runs[SUBJECT], runs[RELATION])
    return keys, places


@names
@pytest.mark.parametrize("seed", range(3))
def test_keys_and_positions_are_those_of_a_plain_loop(name, seed):
    model, tokens, ids = taped(name).model, tokens_of(seed, 3, 40), segments_of(seed, 3, 40)
    queries = model(tokens, segment_ids=ids).holo
    keys, places = queries_by_a_loop(tokens, queries, ids)
    assert torch.equal(queries.keys, keys)
    assert torch.equal(queries.position, places)


def test_the_old_name_of_the_facts_is_heard_with_a_warning():
    model, tokens = perturbed(with_holo(VARIANTS["tiny"])), tokens_of(12, 2, 20)
    with pytest.warns(DeprecationWarning, match="tape= is called facts=") as warned:
        old = model(tokens, tape=Oracle()).logits
    assert warned[0].filename == __file__
    assert torch.equal(old, model(tokens, facts=Oracle()).logits)
    with pytest.raises(ValueError, match="facts and tape: must not both be given"):
        model(tokens, facts=Oracle(), tape=Oracle())


def test_a_tape_that_reads_no_token_ids_is_refused_with_the_remedy():
    with pytest.raises(TypeError, match=r"facts = HoloTape: .* prism\.facts_for"):
        perturbed(with_holo(VARIANTS["tiny"]))(tokens_of(0, 1, 3), facts=HoloTape(64))


@pytest.mark.parametrize("dtype", (torch.float32, torch.float64))
def test_one_mixture_gives_what_both_older_formulas_gave(dtype):
    """The attachment mixed one row in place, the model a batch; both are one function now."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(50, VOCAB, generator=generator, dtype=dtype) * 3
    tokens = torch.randint(0, VOCAB, (50,), generator=generator)
    doubt = torch.rand(50, generator=generator, dtype=torch.float64) ** 20
    found = mix_facts(logits, tokens, doubt)
    for i in range(50):
        left = torch.tensor(max(float(doubt[i]), 1e-6), dtype=dtype)
        alone = logits[i].log_softmax(dim=-1) + left.log()
        alone[tokens[i]] = torch.logaddexp(alone[tokens[i]], torch.log1p(-left))
        assert torch.equal(found[i], alone)
    left = doubt.clamp(min=1e-6).to(dtype)[:, None]
    share = logits.log_softmax(dim=-1) + left.log()
    chosen = torch.logaddexp(share.gather(1, tokens[:, None]), torch.log1p(-left))
    assert torch.equal(found, share.scatter(1, tokens[:, None], chosen))
