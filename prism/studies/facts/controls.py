"""Controls of the protocol: the same questions without a tape, or with another one.

* no tape: the bare model.
* shuffled tape: every subject got the object of another one.
* facts in the prompt: all facts as sentences before the question.
* exact lookup: a dictionary from the written prompts to the answers.
* kNN-LM (arXiv 1911.00172): the states before every token of the written sentences with the tokens,
  and half of the probability from the eight nearest ones. Up to a thousand facts: it has to read
  every sentence once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from prism.inject.attached import AttachedLM
from prism.inject.reading import batches, layers_of, read
from prism.studies.facts.measures import Case, FactsEvalSet, FactsRow, mean, share_correct
from prism.studies.facts.replay import ActivationCache
from prism.studies.facts.sentences import FORMS
from prism.studies.facts.tables import Fact

IN_PROMPT = 20  # facts at most, so that they fit in a context the model was trained on
STORED = 1000  # facts at most in the kNN-LM
NEIGHBOURS, SHARE = 8, 0.5  # of the kNN-LM
BATCH = 24
STRICT = "greedy, every token of the object and the full stop"


def controls(
    lm: AttachedLM, readings: ActivationCache, exam: FactsEvalSet, size: int
) -> Iterator[FactsRow]:
    """Rows of every control on ``size`` of the facts asked about; run last, ``lm`` has other facts
    afterwards."""
    unseen = [c for form in FORMS for c in exam.unseen(form)[: size // 2]]
    asked = {"written": exam.written()[:size], "unseen": unseen}
    for metric, cases in asked.items():
        yield FactsRow(metric, mean(greedy_matches(lm, cases)), len(cases), STRICT, "no tape")
    if len(exam.bound) <= IN_PROMPT:
        intro = "\n".join(f"{f.prompts[0]} {f.object}." for f in exam.bound) + "\n"
        for metric, cases in asked.items():
            value = mean(matches_after(lm, cases, intro))
            yield FactsRow(metric, value, len(cases), STRICT, "facts in the prompt")
    table = {prompt: f.object for f in exam.bound for prompt in f.prompts}
    for metric, cases in asked.items():
        value = mean([table.get(c.prompt) == c.fact.object for c in cases])
        yield FactsRow(metric, value, len(cases), STRICT, "exact lookup")
    if len(exam.bound) <= STORED:
        store, absent = NearestStates(lm, exam.bound), exam.unseen_facts(None)[:size]
        for metric, cases in asked.items():
            value = mean(store.matches(cases))
            yield FactsRow(metric, value, len(cases), STRICT, "kNN-LM")
        if absent:
            how = "the likeliest next token is the bare model's"
            kept = mean(store.keeps(absent))
            yield FactsRow("unwritten unchanged", kept, len(absent), how, "kNN-LM")
    by_relation: dict[str, list[Fact]] = {}
    for fact in exam.bound:
        by_relation.setdefault(fact.relation, []).append(fact)
    for rows in by_relation.values():
        for fact, other in zip(rows, rows[1:] + rows[:1], strict=True):
            lm.bind(fact.subject, fact.relation, other.object)
    for metric, cases in asked.items():
        value = share_correct(lm, readings, cases)
        yield FactsRow(metric, value, len(cases), STRICT, "shuffled tape")


def greedy_matches(lm: AttachedLM, cases: Sequence[Case]) -> list[bool]:
    """Whether the bare model answers each case, judged on the prompt and the right answer at once,
    which greedy decoding follows exactly as long as it is right."""
    right = [False] * len(cases)
    for i, _, logits, wanted in _answers(lm, cases):
        right[i] = logits.argmax(dim=-1).tolist() == wanted
    return right


def matches_after(lm: AttachedLM, cases: Sequence[Case], intro: str) -> list[bool]:
    """As :func:`greedy_matches`, with ``intro`` before every case; it is read once."""
    state = read(lm.model, torch.tensor([lm.tokenizer.encode(intro)])).state
    right = []
    for case in cases:
        tokens, prompt = _with_answer(lm, case)
        out = read(lm.model, torch.tensor([tokens[:-1]]), state)
        likeliest = out.logits[0].argmax(dim=-1).tolist()
        right.append(likeliest[prompt - 1 :] == tokens[prompt:])
    return right


class NearestStates:
    """An exact store of (last hidden state, next token) over the written sentences."""

    def __init__(self, lm: AttachedLM, facts: Sequence[Fact]) -> None:
        self._lm, self._layer = lm, layers_of(lm.model) - 1
        cases = [Case(f.prompts[0], f) for f in facts]
        keys, values = [], []
        for _, states, _, wanted in _answers(lm, cases, self._layer):
            keys.append(states)
            values += wanted
        self._keys, self._values = torch.cat(keys), torch.tensor(values)
        nearest = torch.cdist(self._keys, self._keys).topk(2, largest=False).values[:, 1]
        self._scale = float(nearest.square().mean())

    def matches(self, cases: Sequence[Case]) -> list[bool]:
        """Whether each answer comes out, strictly."""
        right = [False] * len(cases)
        for i, states, logits, wanted in _answers(self._lm, cases, self._layer):
            right[i] = self._mixed(states, logits).argmax(dim=-1).tolist() == wanted
        return right

    def keeps(self, cases: Sequence[Case]) -> list[bool]:
        """Whether the likeliest next token after each prompt is the bare model's."""
        kept = []
        for case in cases:
            tokens = torch.tensor([self._lm.tokenizer.encode(case.prompt)])
            out = read(self._lm.model, tokens, None, [self._layer])
            mixed = self._mixed(out.streams[self._layer][0, -1:], out.logits[0, -1:])
            kept.append(int(mixed.argmax()) == int(out.logits[0, -1].argmax()))
        return kept

    def _mixed(self, states: Tensor, logits: Tensor) -> Tensor:
        """``[T, V]`` probabilities."""
        far = torch.cdist(states, self._keys).square()
        near = far.topk(min(NEIGHBOURS, len(self._keys)), largest=False)
        weights = (-near.values / self._scale).softmax(dim=-1)
        stored = torch.zeros_like(logits).scatter_add(1, self._values[near.indices], weights)
        return SHARE * stored + (1 - SHARE) * logits.softmax(dim=-1)


def _answers(
    lm: AttachedLM, cases: Sequence[Case], layer: int = 0
) -> Iterator[tuple[int, Tensor, Tensor, list[int]]]:
    """The number of each case with the states of ``layer`` and the logits before each answer
    token, and those tokens; the short ones first."""
    whole = [_with_answer(lm, case) for case in cases]
    for some, padded in batches([tokens[:-1] for tokens, _ in whole], BATCH):
        out = read(lm.model, padded, None, [layer])
        for b, i in enumerate(some):
            tokens, prompt = whole[i]
            asked = slice(prompt - 1, len(tokens) - 1)
            yield i, out.streams[layer][b, asked], out.logits[b, asked], tokens[prompt:]


def _with_answer(lm: AttachedLM, case: Case) -> tuple[list[int], int]:
    """Tokens of the prompt and the right answer, and how many are the prompt's."""
    prompt = lm.tokenizer.encode(case.prompt)
    return prompt + lm.tokenizer.encode(f" {case.fact.object}."), len(prompt)
