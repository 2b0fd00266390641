"""``transformers``' generate gives what ours gives: greedy, drawn, with beams, padded."""

from __future__ import annotations

import pytest
import torch
from transformers import LogitsProcessorList, MinNewTokensLengthLogitsProcessor
from transformers.generation import NoRepeatNGramLogitsProcessor, RepetitionPenaltyLogitsProcessor

from prism.hf import PrismForCausalLM
from prism.model.generation.sampling import Sampling
from tests.hf.conftest import MODELS, small, tokens_of

every_model = pytest.mark.parametrize("name", MODELS)
PLAIN = {"pad_token_id": 0, "eos_token_id": None}


@every_model
def test_greedy(name):
    model, prompt = small(name), tokens_of(0, 2, 7)
    found = PrismForCausalLM.of(model).generate(prompt, max_new_tokens=12, do_sample=False, **PLAIN)
    assert torch.equal(found, model.generate(prompt, 12, temperature=0))


@every_model
def test_left_padded_rows_are_the_rows_alone(name):
    model, tokens, lengths = small(name), tokens_of(0, 3, 7), (7, 2, 4)
    prompt, mask = torch.zeros_like(tokens), torch.zeros_like(tokens)
    for i, n in enumerate(lengths):
        prompt[i, 7 - n :], mask[i, 7 - n :] = tokens[i, :n], 1
    found = PrismForCausalLM.of(model).generate(
        prompt, attention_mask=mask, max_new_tokens=12, do_sample=False, **PLAIN
    )
    ours = model.generate([tokens[i, :n] for i, n in enumerate(lengths)], 12, temperature=0)
    assert torch.equal(found[:, 7:], ours.tokens)
    for i, n in enumerate(lengths):
        alone = model.generate(tokens[i, :n], 12, temperature=0)
        assert torch.equal(found[i, 7:], alone[n:])


@pytest.mark.parametrize(
    "rules",
    (
        {"temperature": 0.7},
        {"top_k": 9},
        {"top_p": 0.6},
        {"min_p": 0.2},
        {"repetition_penalty": 1.4},
        {"temperature": 1.7, "top_k": 50, "top_p": 0.9, "min_p": 0.02, "repetition_penalty": 1.2},
    ),
    ids=str,
)
def test_a_draw_is_from_our_distribution(rules):
    model, prompt = small(), tokens_of(0, 2, 7)
    torch.manual_seed(0)
    off = {"temperature": 1.0, "top_k": 0}
    out = PrismForCausalLM.of(model).generate(
        prompt,
        max_new_tokens=6,
        do_sample=True,
        output_scores=True,
        return_dict_in_generate=True,
        **PLAIN,
        **(off | rules),
    )
    sampling = Sampling(**rules)
    with torch.no_grad():
        logits = model(out.sequences).logits
    for i, scores in enumerate(out.scores):
        text = out.sequences[:, : 7 + i]
        ours = sampling.kept(sampling.processed(text, logits[:, 6 + i].float()))
        assert (ours.softmax(-1) - scores.softmax(-1)).abs().max() < 1e-5
        assert torch.equal(ours.isfinite(), scores.isfinite())


@every_model
@torch.no_grad()
def test_beams_with_the_state_are_beams_that_read_everything_again(name):
    wrapped, prompt = PrismForCausalLM.of(small(name)), tokens_of(0, 2, 7)
    mask = torch.ones_like(prompt)
    mask[1, :3] = 0
    rules = {"num_beams": 4, "num_return_sequences": 2, "length_penalty": 0.0, "do_sample": False}
    rules |= {"max_new_tokens": 10, "output_scores": True, "return_dict_in_generate": True}
    with_state, again = (
        wrapped.generate(prompt, attention_mask=mask, use_cache=use, **rules, **PLAIN)
        for use in (True, False)
    )
    rows = with_state.sequences
    assert torch.equal(rows, again.sequences)
    assert len(rows.unique(dim=0)) == 4
    ones = torch.ones(4, 10, dtype=mask.dtype)
    full = torch.cat([mask.repeat_interleave(2, dim=0), ones], dim=1)
    chance = wrapped(rows, attention_mask=full).logits[:, 6:-1].log_softmax(-1)
    wanted = chance.gather(-1, rows[:, 7:, None])[..., 0].sum(dim=1)
    assert (with_state.sequences_scores - wanted).abs().max() < 1e-4


def test_the_prompt_is_read_once():
    model, lengths = small(), []
    model.register_forward_pre_hook(lambda _, args: lengths.append(args[0].shape[1]))
    PrismForCausalLM.of(model).generate(tokens_of(0, 2, 7), max_new_tokens=4, **PLAIN)
    assert lengths == [7, 1, 1, 1]


@torch.no_grad()
def test_a_cache_goes_on_with_the_whole_text_or_with_what_is_new():
    model = small()
    wrapped, text = PrismForCausalLM.of(model), tokens_of(0, 2, 12)
    wanted = wrapped.generate(text, max_new_tokens=5, do_sample=False, **PLAIN)
    read = {"max_new_tokens": 5, "do_sample": False, **PLAIN}
    cache = wrapped(text[:, :8], use_cache=True).cache
    assert torch.equal(wrapped.generate(text, cache=cache, **read), wanted)
    cache = wrapped(text[:, :8], use_cache=True).cache
    mask = torch.ones_like(text)
    found = wrapped.generate(text[:, 8:], attention_mask=mask, cache=cache, **read)
    assert torch.equal(found[:, 4:], wanted[:, 12:])


def test_an_end_token_stops_its_row():
    model, prompt = small(), tokens_of(0, 3, 7)
    free = model.generate(prompt, 12, temperature=0)
    end = int(free[0, 10])
    found = PrismForCausalLM.of(model).generate(
        prompt, max_new_tokens=12, do_sample=False, eos_token_id=end, pad_token_id=256
    )
    ours = model.generate(prompt, 12, temperature=0, stop=end)
    assert torch.equal(found, torch.where(ours < 0, 256, ours))


def test_processors_of_transformers_serve_our_generate():
    model, prompt = small(), tokens_of(0, 2, 7)
    processors = LogitsProcessorList(
        [
            RepetitionPenaltyLogitsProcessor(1.3),
            NoRepeatNGramLogitsProcessor(2),
            MinNewTokensLengthLogitsProcessor(7, 4, 256),
        ]
    )
    theirs = PrismForCausalLM.of(model).generate(
        prompt,
        max_new_tokens=12,
        do_sample=False,
        logits_processor=processors,
        **PLAIN,
    )
    ours = model.generate(prompt, 12, temperature=0, processors=processors)
    assert torch.equal(ours, theirs)
