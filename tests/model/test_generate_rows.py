"""Rows of a batch generate as they would alone: ragged, stopped at different times, continued."""

import math
import re

import numpy as np
import pytest
import torch

from prism.baselines import BASELINES, build
from prism.config import PrismConfig
from prism.model import Generation
from tests.model.families import VOCAB, perturbed, shrunk, tokens_of

MODELS = ("prism", *BASELINES)
every_model = pytest.mark.parametrize("name", MODELS)
LENGTHS = (3, 7, 1, 5)
RULES = {"temperature": 1.5, "top_k": 8, "top_p": 0.95, "min_p": 0.01, "repetition_penalty": 1.2}


def model_of(name: str) -> torch.nn.Module:
    """A small model in fp64."""
    if name == "prism":
        return perturbed(shrunk("tiny"))
    config = PrismConfig(vocab_size=VOCAB, d_model=16, num_layers=2, num_rates=4, chunk_size=4)
    model = build(name, config).double()
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(3.0)
    return model


def prompts() -> list[list[int]]:
    """Rows of several lengths."""
    return [row[:n].tolist() for row, n in zip(tokens_of(0, 4, 7), LENGTHS, strict=True)]


@every_model
@pytest.mark.parametrize("rules", ({"temperature": 0}, RULES), ids=("greedy", "drawn"))
def test_a_ragged_batch_is_its_rows_alone(name, rules):
    model = model_of(name)
    together = model.generate(prompts(), 12, seed=[4, 9, 2, 0], **rules)
    for i, seed in enumerate((4, 9, 2, 0)):
        alone = model.generate(torch.tensor(prompts()[i]), 12, seed=seed, **rules)
        assert together.rows[i] == alone[LENGTHS[i] :].tolist()


@every_model
def test_rows_of_a_seed_do_not_depend_on_the_size_of_the_batch(name):
    model, prompt = model_of(name), tokens_of(0, 4, 5)
    batch = model.generate(prompt, 12, seed=3)
    assert torch.equal(model.generate(prompt[0], 12, seed=3), batch[0])
    assert torch.equal(model.generate(prompt[:2], 12, seed=3), batch[:2])
    assert torch.equal(model.generate(prompt[2:], 12, seed=5), batch[2:])


def test_equal_prompts_of_one_batch_draw_different_texts():
    rows = model_of("prism").generate(tokens_of(0, 1, 4).expand(3, -1), 12, seed=0).tolist()
    assert len({tuple(row) for row in rows}) == 3


@every_model
@pytest.mark.parametrize("ragged", (False, True), ids=("even", "ragged"))
def test_going_on_is_not_having_stopped(name, ragged):
    model = model_of(name)
    prompt = prompts() if ragged else tokens_of(0, 2, 5)
    wanted = model.generate(prompt, 11, seed=1, details=True, **RULES)
    first = model.generate(prompt, 4, seed=1, details=True, **RULES)
    for _ in range(2):  # what was continued can be continued again
        assert torch.equal(model.generate(first, 7, **RULES).tokens, wanted.tokens)
    assert torch.equal(model.generate(first, 0).tokens, first.tokens)
    nothing = model.generate(prompt, 0, seed=1, details=True)
    assert torch.equal(model.generate(nothing, 11, **RULES).tokens, wanted.tokens)


@every_model
def test_the_state_that_comes_out_goes_in(name):
    model, prompt = model_of(name), tokens_of(0, 2, 5)
    wanted = model.generate(prompt, 11, temperature=0)
    first = model.generate(prompt, 4, temperature=0, details=True)
    more = model.generate(first.tokens[:, -1:], 7, temperature=0, state=first.state)
    assert torch.equal(more[:, 1:], wanted[:, 9:])
    with torch.no_grad():
        read = model(prompt[:, :3]).state
    assert torch.equal(model.generate(prompt[:, 3:], 11, 0, state=read)[:, 2:], wanted[:, 5:])


@every_model
def test_a_row_that_stops_changes_no_other(name):
    model, prompt = model_of(name), tokens_of(0, 4, 5)
    free = model.generate(prompt, 30, seed=0, details=True)
    found = model.generate(prompt, 30, seed=0, stop=(2, 3), details=True)
    for i, row in enumerate(free.rows):
        ends = [n for n, token in enumerate(row) if token in (2, 3)]
        assert found.rows[i] == (row[: ends[0] + 1] if ends else row)
        assert found.reasons[i] == ("stop" if ends else "length")
    assert found.lengths.tolist() == [len(row) for row in found.rows]
    assert len(set(found.lengths.tolist())) > 1  # at different times
    behind = torch.arange(found.tokens.shape[1]) >= found.lengths[:, None]
    assert (found.tokens[behind] == -1).all() and (found.tokens[~behind] >= 0).all()


def test_a_sequence_stops_only_whole_and_only_among_new_tokens():
    model, prompt = model_of("prism"), tokens_of(0, 1, 5)[0]
    free = model.generate(prompt, 30, temperature=0)[5:].tolist()
    pair = free[3:5]
    at = next(i for i in range(29) if free[i : i + 2] == pair)
    text = model.generate(prompt, 30, temperature=0, stop=[pair])
    assert text[5:].tolist() == free[: at + 2]
    across = [int(prompt[-1]), free[0]]  # begins in the prompt
    later = [i for i in range(29) if free[i : i + 2] == across]
    wanted = free[: later[0] + 2] if later else free
    assert model.generate(prompt, 30, temperature=0, stop=[across])[5:].tolist() == wanted


def test_generation_ends_when_all_rows_have_stopped():
    model, calls = model_of("prism"), []
    model.register_forward_hook(lambda *_: calls.append(1))
    text = model.generate(tokens_of(0, 3, 5), 500, seed=0, stop=list(range(8)))
    assert len(calls) == text.shape[1] - 5 < 100


def test_what_has_stopped_stays_stopped():
    model, prompt = model_of("prism"), tokens_of(0, 3, 5)
    wanted = model.generate(prompt, 20, seed=0, stop=2, details=True)
    first = model.generate(prompt, 6, seed=0, stop=2, details=True)
    assert model.generate(first, 14, stop=2).rows == wanted.rows


def test_a_padded_tensor_with_lengths_is_its_rows():
    model = model_of("prism")
    padded = torch.full((4, 7), VOCAB - 1)
    for i, row in enumerate(prompts()):
        padded[i, : len(row)] = torch.tensor(row)
    found = model.generate(padded, 6, seed=0, lengths=LENGTHS)
    assert torch.equal(found.tokens, model.generate(prompts(), 6, seed=0).tokens)
    assert found.prompt_lengths == LENGTHS


def test_one_row_may_be_a_list_of_ids():
    model = model_of("prism")
    found = model.generate([1, 2, 3], 6, seed=0)
    assert found.rows == [model.generate(torch.tensor([1, 2, 3]), 6, seed=0)[3:].tolist()]


def test_a_stream_gives_the_tokens_as_they_come_and_the_generation_at_the_end():
    model, prompt = model_of("prism").train(), tokens_of(0, 2, 5)
    wanted = model.generate(prompt, 20, seed=0, stop=2, details=True)
    running, came = model.stream(prompt, 20, seed=0, stop=2), []
    while True:
        try:
            came.append(next(running))
            assert not model.training
        except StopIteration as end:
            last = end.value
            break
    assert isinstance(last, Generation) and last.rows == wanted.rows
    assert torch.equal(torch.stack(came, 1), wanted.tokens)
    assert model.training
    cut = model.stream(prompt, 20, seed=0)
    next(cut)
    cut.close()
    assert model.training


def test_processors_see_each_row_without_its_padding():
    model, seen = model_of("prism"), []

    def record(tokens, logits):
        seen.extend(tokens.tolist())
        return logits

    found = model.generate(prompts(), 2, temperature=0, processors=[record])
    wanted = prompts() + [[*p, r[0]] for p, r in zip(prompts(), found.rows, strict=True)]
    assert sorted(seen) == sorted(wanted)


def test_a_processor_decides():
    def only_four(tokens, logits):
        return torch.full_like(logits, -math.inf).index_fill(1, torch.tensor([4]), 0.0)

    text = model_of("prism").generate(tokens_of(0, 2, 3), 5, processors=[only_four])
    assert (text[:, 3:] == 4).all()


def test_nan_weights_are_an_error_and_no_token():
    model = model_of("prism")
    with torch.no_grad():
        model.last_norm.weight.fill_(math.nan)
    with pytest.raises(ValueError, match="logits of row 0 hold NaN"):
        model.generate(tokens_of(0, 1, 3), 2, temperature=0)


def test_the_likeliest_one_of_equal_ones_is_always_the_same():
    model = model_of("prism")
    with torch.no_grad():
        model.head.weight.zero_()  # all logits are equal
    text = model.generate(tokens_of(0, 3, 4), 5, top_k=1)
    assert (text[:, 4:] == 0).all()


PROMPT = tokens_of(0, 2, 3)


@pytest.mark.parametrize(
    "changes, message",
    (
        ({"prompt": []}, "prompt: must hold at least one row"),
        ({"prompt": [[1], []]}, "prompt, row 1: must be a row of at least one token id"),
        ({"prompt": PROMPT.double()}, "prompt, row 0: is torch.float64; must be integers"),
        ({"prompt": PROMPT > 1}, "prompt, row 0: is torch.bool; must be integers"),
        ({"lengths": [1]}, "lengths = [1]: must be one for each of 2 rows"),
        ({"lengths": [0, 3]}, "lengths = [0, 3]: must be >= 1 and at most 3"),
        ({"lengths": [1, 4]}, "lengths = [1, 4]: must be >= 1 and at most 3"),
        ({"stop": VOCAB}, f"stop = [{VOCAB}]: token {VOCAB} must be >= 0 and below {VOCAB}"),
        ({"stop": [3, -1]}, f"stop = [3, -1]: token -1 must be >= 0 and below {VOCAB}"),
        ({"stop": [[]]}, "stop = [[]]: a sequence must hold at least one token"),
        ({"stop": "a"}, "stop = ['a']: 'a' must be a token id, an integer"),
        ({"stop": True}, "stop = [True]: True must be a token id, an integer"),
        ({"stop": [1, [1.5]]}, "stop = [1, [1.5]]: 1.5 must be a token id, an integer"),
        ({"stop": None}, "stop = [None]: None must be a token id, an integer"),
        ({"prompt": "abc"}, "prompt = 'abc': must be ids, a tensor of ids, or rows of ids"),
        ({"prompt": None}, "prompt = None: must be ids, a tensor of ids, or rows of ids"),
        ({"prompt": ["ab", "c"]}, "prompt = ['ab', 'c']: must be rows of ids"),
        ({"prompt": [[1, None]]}, "prompt = [[1, None]]: must be rows of ids"),
        ({"prompt": [[1, [2]]]}, "prompt = [[1, [2]]]: must be rows of ids"),
        ({"prompt": [1.5, 2]}, "prompt, row 0: must be a row of at least one token id"),
        ({"processors": [3]}, "processors = [3]: must be a list of functions"),
        ({"processors": print}, f"processors = {print!r}: must be a list of functions"),
        ({"seed": [1, 2, 3]}, "seed = [1, 2, 3]: must be one integer, or one for each of 2 rows"),
        ({"max_new_tokens": 2.5}, "max_new_tokens = 2.5: must be >= 0"),
    ),
    ids=str,
)
def test_a_bad_value_is_named(changes, message):
    values = {"prompt": PROMPT, "max_new_tokens": 2, **changes}
    with pytest.raises(ValueError, match=re.escape(message)):
        model_of("prism").generate(**values)


@pytest.mark.parametrize("wrong", (lambda _, x: x[:, :3], lambda _, x: x[:1], lambda _, x: None))
@pytest.mark.parametrize("temperature", (0, 1.0))
def test_a_processor_that_gives_other_logits_is_refused(wrong, temperature):
    with pytest.raises(ValueError, match=rf"gave .*: must be \[2, {VOCAB}\] logits"):
        model_of("prism").generate(PROMPT, 2, temperature=temperature, processors=[wrong])


def test_numbers_of_numpy_and_tensors_of_stops_serve_as_python_s():
    model = model_of("prism")
    wanted = model.generate([[1, 2], [3]], 6, top_k=5, stop=[7, [3, 4]], seed=3).rows
    rows = [np.array([1, 2]), np.array([3])]
    given = {"top_k": np.int64(5), "seed": np.int64(3), "temperature": np.float32(1)}
    for stop in ([np.int64(7), np.array([3, 4])], [torch.tensor(7), torch.tensor([3, 4])]):
        assert model.generate(rows, np.int64(6), stop=stop, **given).rows == wanted
    alone = model.generate([1, 2], 6, temperature=0, stop=7).rows
    assert model.generate(np.array([1, 2]), 6, temperature=0, stop=torch.tensor(7)).rows == alone
    assert (
        model.generate(np.array([[1, 2]]), 6, temperature=0, stop=torch.tensor([7])).rows == alone
    )


def test_a_generation_brings_its_own_state():
    model = model_of("prism")
    first = model.generate(PROMPT, 2, details=True)
    with pytest.raises(ValueError, match="state, lengths: must be None"):
        model.generate(first, 2, state=first.state)


@every_model
def test_the_state_of_a_row_that_stopped_has_read_its_own_tokens_and_no_more(name):
    model, rows = model_of(name), prompts()
    found = model.generate(rows, 20, seed=0, stop=(2, 3), details=True)
    assert len(set(found.lengths.tolist())) > 1
    for i, row in enumerate(rows):
        whole = torch.tensor([[*row, *found.rows[i], 5, 1]])
        with torch.no_grad():
            wanted = model(whole).logits[0, -3:]  # from the newest token on
            last = torch.tensor([[found.rows[i][-1], 5, 1]])
            again = model(last, state=found.state.select(i)).logits[0]
        assert (again - wanted).abs().max() < 1e-10


@every_model
def test_a_ragged_batch_continues_a_state_that_was_read(name):
    model, rows = model_of(name), prompts()
    with torch.no_grad():
        before = model(tokens_of(8, 4, 6)).state
    together = model.generate(rows, 9, temperature=0, state=before)
    for i, row in enumerate(rows):
        alone = model.generate([row], 9, temperature=0, state=before.select(i))
        assert together.rows[i] == alone.rows[0]
