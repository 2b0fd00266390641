"""What the figures are to be compared with: the same questions without a tape, or with another.

* no tape: the bare model.
* shuffled tape: every subject got the object of another one.
* facts in the prompt: all facts as sentences before the question.
* exact lookup: a dictionary from the written prompts to the answers.
* kNN-LM (arXiv 1911.00172): the states before every token of the written sentences with the tokens,
  and half of the probability from the eight nearest ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from prism.facts.measures import Case, Row, mean, share_correct, wordings
from prism.facts.protocol import Setting, bound_lm
from prism.facts.replay import Readings
from prism.facts.sentences import FORMS, sentence
from prism.facts.tables import Fact
from prism.holo.lm.attached import AttachedLM
from prism.holo.lm.reading import layers_of, read

IN_PROMPT = 20  # facts at most, so that they fit in a context the model was trained on
NEIGHBOURS, SHARE = 8, 0.5  # of the kNN-LM
BATCH = 24
STRICT = "greedy, every token of the object and the full stop"


def controls(bare: AttachedLM, readings: Readings, case: Setting, size: int) -> Iterator[Row]:
    """Rows of every control on ``size`` of the facts asked about."""
    exam = case.exam
    written = exam.written()[:size]
    unseen = [c for form in FORMS for c in exam.unseen(form)[: size // 2]]
    asked = {"written": written, "unseen": unseen}
    for metric, cases in asked.items():
        value = mean(greedy_matches(bare, cases))
        yield Row(metric, value, len(cases), STRICT, "no tape")
    yield from _shuffled(bare, readings, case, asked)
    if case.number <= IN_PROMPT:
        intro = "\n".join(_statement(f) for f in case.bound) + "\n"
        for metric, cases in asked.items():
            value = mean(greedy_matches(bare, cases, intro))
            yield Row(metric, value, len(cases), STRICT, "facts in the prompt")
    table = {sentence(w, f.subject): f.object for f in case.bound for w in wordings(f)}
    for metric, cases in asked.items():
        value = mean([table.get(c.prompt) == c.fact.object for c in cases])
        yield Row(metric, value, len(cases), STRICT, "exact lookup")
    store = NearestStates(bare, case.bound)
    for metric, cases in asked.items():
        value = mean(store.matches(cases))
        yield Row(metric, value, len(cases), STRICT, "kNN-LM")
    strangers = exam.unwritten(None)[:size]
    value = mean(store.keeps(strangers))
    how = "the likeliest next token is the bare model's"
    yield Row("unwritten unchanged", value, len(strangers), how, "kNN-LM")


def greedy_matches(bare: AttachedLM, cases: Sequence[Case], intro: str = "") -> list[bool]:
    """Whether the bare model answers each case, after ``intro``; judged on the prompt and the
    right answer at once, which greedy decoding follows exactly as long as it is right."""
    state = None
    if intro:
        state = read(bare.model, torch.tensor([bare.tokenizer.encode(intro)])).state
    right = []
    for case in cases:
        tokens, prompt = _with_answer(bare, case)
        out = read(bare.model, torch.tensor([tokens[:-1]]), state)
        likeliest = out.logits[0].argmax(dim=-1).tolist()
        right.append(likeliest[prompt - 1 :] == tokens[prompt:])
    return right


def _shuffled(
    bare: AttachedLM, readings: Readings, case: Setting, asked: dict[str, list[Case]]
) -> Iterator[Row]:
    by_relation: dict[str, list[Fact]] = {}
    for fact in case.bound:
        by_relation.setdefault(fact.relation, []).append(fact)
    moved = [
        Fact(f.subject, f.relation, rows[(i + 1) % len(rows)].object)
        for rows in by_relation.values()
        for i, f in enumerate(rows)
    ]
    lm, _ = bound_lm(bare, moved)
    lm.knowledge.prepare(lm.model)
    for metric, cases in asked.items():
        value = share_correct(lm, readings, cases)
        yield Row(metric, value, len(cases), STRICT, "shuffled tape")


class NearestStates:
    """An exact store of (last hidden state, next token) over the written sentences."""

    def __init__(self, bare: AttachedLM, facts: Sequence[Fact]) -> None:
        self._bare, self._layer = bare, layers_of(bare.model) - 1
        cases = [Case(sentence(wordings(f)[0], f.subject), f) for f in facts]
        keys, values = [], []
        for states, _, wanted in self._read(cases):
            keys.append(states)
            values += wanted
        self._keys, self._values = torch.cat(keys), torch.tensor(values)
        nearest = torch.cdist(self._keys, self._keys).topk(2, largest=False).values[:, 1]
        self._scale = float(nearest.square().mean())

    def matches(self, cases: Sequence[Case]) -> list[bool]:
        """Whether each answer comes out, strictly."""
        found = []
        for states, logits, wanted in self._read(cases):
            found.append(self._mixed(states, logits).argmax(dim=-1).tolist() == wanted)
        return found

    def keeps(self, cases: Sequence[Case]) -> list[bool]:
        """Whether the likeliest next token after each prompt is the bare model's."""
        kept = []
        for case in cases:
            tokens = torch.tensor([self._bare.tokenizer.encode(case.prompt)])
            out = read(self._bare.model, tokens, None, [self._layer])
            mixed = self._mixed(out.hidden[self._layer][0, -1:], out.logits[0, -1:])
            kept.append(int(mixed.argmax()) == int(out.logits[0, -1].argmax()))
        return kept

    def _mixed(self, states: Tensor, logits: Tensor) -> Tensor:
        """``[T, V]`` probabilities."""
        far = torch.cdist(states, self._keys).square()
        near = far.topk(min(NEIGHBOURS, len(self._keys)), largest=False)
        weights = (-near.values / self._scale).softmax(dim=-1)
        stored = torch.zeros_like(logits).scatter_add(1, self._values[near.indices], weights)
        return SHARE * stored + (1 - SHARE) * logits.softmax(dim=-1)

    def _read(self, cases: Sequence[Case]) -> Iterator[tuple[Tensor, Tensor, list[int]]]:
        """States and logits before each answer token, and those tokens, in the cases' order."""
        for case in cases:
            tokens, prompt = _with_answer(self._bare, case)
            out = read(self._bare.model, torch.tensor([tokens[:-1]]), None, [self._layer])
            yield (
                out.hidden[self._layer][0, prompt - 1 :],
                out.logits[0, prompt - 1 :],
                tokens[prompt:],
            )


def _with_answer(bare: AttachedLM, case: Case) -> tuple[list[int], int]:
    """Tokens of the prompt and the right answer, and how many are the prompt's."""
    prompt = bare.tokenizer.encode(case.prompt)
    return prompt + bare.tokenizer.encode(f" {case.fact.object}."), len(prompt)


def _statement(fact: Fact) -> str:
    return f"{sentence(wordings(fact)[0], fact.subject)} {fact.object}."
