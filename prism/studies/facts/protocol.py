"""Protocol of the facts study: every measurement of one tape, for a number of facts and a seed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from prism.inject.addresses import AnswerAccumulator
from prism.inject.attached import AttachedLM, attach
from prism.inject.probes import manual
from prism.inject.reading import read
from prism.record import code_fingerprint, weights_hash
from prism.studies.facts.controls import controls
from prism.studies.facts.measures import (
    FORGOTTEN,
    Case,
    FactsEvalSet,
    FactsRow,
    mean,
    share_correct,
    share_unchanged,
)
from prism.studies.facts.replay import ActivationCache, answer, injections
from prism.studies.facts.sentences import FORMS, NO_SHARED_WORD, RELATIONS, sentence
from prism.studies.facts.tables import Fact, choose, exchanged

CODE = (
    "prism/eval_facts.py",
    "prism/studies/facts",
    "prism/inject",
    "prism/holo",
    "prism/pretrained",
)
PER_BANK = 100  # facts
PROSE = slice(200_000, None)  # characters of the manual, beyond what calibration reads
WINDOW = 256  # tokens of running text read at once
STEPS = 48  # of decoding, timed


@dataclass(frozen=True)
class FactsSizes:
    """FactsSizes of the measurements.

    Attributes:
        asked: facts asked about in every way.
        text: tokens of each kind of unrelated text.
        generated: prompts on which the replay is checked against real generation.
    """

    asked: int
    text: int
    generated: int


QUICK = FactsSizes(asked=40, text=3072, generated=6)
FULL = FactsSizes(asked=50, text=8192, generated=8)


def eval_set(facts: dict[str, list[Fact]], number: int, seed: int, asked: int) -> FactsEvalSet:
    """``number`` facts of the tables with their objects exchanged, chosen by ``seed``."""
    rows = exchanged(facts, seed)
    total = sum(map(len, rows.values()))
    chosen = choose(rows, min(total, number + 2 * asked))
    return FactsEvalSet(chosen[:number], chosen[number:], asked, seed)


def bound_lm(bare: AttachedLM, facts: list[Fact]) -> tuple[AttachedLM, float]:
    """A new tape with ``facts`` on the model of ``bare``, and the CPU seconds of binding them."""
    banks = max(1, len(facts) // PER_BANK)
    vocabulary = bare.knowledge.answers.codes
    tape = AnswerAccumulator(vocab_size=len(vocabulary), banks=banks)
    lm = attach(bare.model, bare.tokenizer, tape)
    lm.knowledge.calibration = bare.knowledge.calibration
    for name, relation in RELATIONS.items():
        if any(f.relation == name for f in facts):
            lm.relation(name, [w.replace("{s}", "{}") for w in relation.written])
    start = time.process_time()
    for fact in facts:
        lm.bind(fact.subject, fact.relation, fact.object, source="tables")
    return lm, time.process_time() - start


def settings_of(lm: AttachedLM, sizes: FactsSizes) -> dict[str, Any]:
    """Whatever a figure depends on, as JSON: weights, code, sizes, calibration."""
    calibration = lm.knowledge.calibration
    return {
        "model": "SmolLM2-135M-Instruct, Q4_1 as fp32",
        "parameters": weights_hash(lm.model.state_dict()),
        "code": code_fingerprint(CODE),
        "torch": torch.__version__,
        "asked": sizes.asked,
        "text tokens": sizes.text,
        "generated": sizes.generated,
        "layers": calibration.layers,
        "heads": [list(h) for h in calibration.heads],
    }


def measured_tape(
    bare: AttachedLM,
    readings: ActivationCache,
    exam: FactsEvalSet,
    sizes: FactsSizes,
    say: Callable[[FactsRow], None],
) -> dict[str, Any]:
    """All rows of one tape on the model of ``bare``, passed to ``say`` as they come; then the
    seconds that it took, and the hash of the weights after it."""
    begin = time.perf_counter()
    lm, seconds = bound_lm(bare, exam.bound)
    lm.knowledge.prepare(lm.model)
    rows = []
    parts = (
        cost(lm, seconds, len(exam.bound)),
        measure(lm, readings, exam, sizes),
        controls(lm, readings, exam, sizes.asked // 2),
    )
    for row in itertools.chain(*parts):
        if row.count:
            rows.append(row.to_dict())
            say(row)
    return {
        "rows": rows,
        "seconds": round(time.perf_counter() - begin, 1),
        "parameters after": weights_hash(bare.model.state_dict()),
    }


def measure(
    lm: AttachedLM, readings: ActivationCache, exam: FactsEvalSet, sizes: FactsSizes
) -> Iterator[FactsRow]:
    """Every row about a bound tape but its cost."""
    yield from answers(lm, readings, exam)
    yield from no_fire(lm, readings, exam)
    yield from in_text(lm, readings, exam, sizes.text)
    yield from names(lm, readings, exam)
    yield from checks(lm, readings, exam, sizes.generated)
    yield from forgetting(lm, readings, exam)


def answers(lm: AttachedLM, readings: ActivationCache, exam: FactsEvalSet) -> Iterator[FactsRow]:
    """Written and unseen wordings."""
    strict = "greedy, every token of the object and the full stop"

    def row(metric: str, cases: list[Case], how: str) -> FactsRow:
        return FactsRow(metric, share_correct(lm, readings, cases), len(cases), f"{strict}; {how}")

    yield row("written", exam.written(), "the first wording it was bound in")
    yield row("written, others", exam.rewritten(), "the other wordings it was bound in")
    rows = [
        row(f"unseen: {form}", exam.unseen(form), "a wording that is in no relation")
        for form in (*FORMS, NO_SHARED_WORD)
    ]
    yield from rows
    shared = mean([r.value for r in rows[:-1]])
    count = sum(r.count for r in rows)
    yield FactsRow(
        "unseen", (5 * shared + rows[-1].value) / 6, count, f"{strict}; mean of six forms"
    )


def no_fire(lm: AttachedLM, readings: ActivationCache, exam: FactsEvalSet) -> Iterator[FactsRow]:
    """Prompts after which no fact may fire."""
    same = "no fact fires after the prompt: logits bit-identical"

    def row(metric: str, cases: list[Case], how: str) -> FactsRow:
        return FactsRow(metric, share_unchanged(lm, readings, cases), len(cases), f"{same}; {how}")

    yield row("unwritten unchanged", exam.unseen_facts(None), "unbound facts, written wording")
    for form in ("distractor before", "distractor after"):
        yield row(
            f"unwritten unchanged: {form}", exam.unseen_facts(form), "a bound subject stands nearby"
        )
    yield row("other relations unchanged", exam.other_relations(), "bound subjects and relations")
    yield row("unlisted unchanged", exam.unlisted(), "bound subjects, relations not on the tape")
    yield row("near misses unchanged", exam.near_misses(), "the former capital of, and the like")


def in_text(
    lm: AttachedLM, readings: ActivationCache, exam: FactsEvalSet, size: int
) -> Iterator[FactsRow]:
    """Running text."""
    kinds = {
        "prose": lm.tokenizer.encode(manual()[PROSE][: 6 * size])[:size],
        "names": exam.news(lm.tokenizer, size),
    }
    for kind, tokens in kinds.items():
        windows = readings.windows(kind, tokens, WINDOW)
        said = [f for w in windows for f in injections(lm, w)]
        kept = mean([f is None for f in said])
        how = "positions of unrelated text whose logits are bit-identical"
        yield FactsRow(f"text unchanged: {kind}", kept, len(said), how)
        how = "tokens put into unrelated text by a fact, per token"
        yield FactsRow(f"false injections: {kind}", 1 - kept, len(said), how)


def names(lm: AttachedLM, readings: ActivationCache, exam: FactsEvalSet) -> Iterator[FactsRow]:
    """Subjects under another spelling or name."""
    typos = exam.misspelt()
    how = "strict; first written wording, one wrong key press in a long word of the subject"
    yield FactsRow("one typo", share_correct(lm, readings, typos), len(typos), how)
    aliases = exam.aliases()
    cases = []
    for alias, fact in aliases.items():
        lm.alias(alias, fact.subject)
        cases.append(Case(sentence(RELATIONS[fact.relation].written[0], alias), fact))
    how = "strict; first written wording, an invented alias given by the user"
    yield FactsRow("alias", share_correct(lm, readings, cases), len(cases), how)


def checks(
    lm: AttachedLM, readings: ActivationCache, exam: FactsEvalSet, count: int
) -> Iterator[FactsRow]:
    """The replay against real generation, and bit-identical logits where no fact fires."""
    cases = exam.written() + exam.unseen("question") + exam.unseen_facts(None)
    cases = cases[:: max(1, len(cases) // count)][:count]
    agreed, untouched = [], []
    for case, whole in zip(cases, readings.of([c.prompt for c in cases]), strict=True):
        said = answer(lm, whole)
        firing = (f for _, f in lm.stream(case.prompt, max_new_tokens=len(said) + 1))
        agreed.append([f.token for f in itertools.takewhile(bool, firing)] == said)
        tokens = torch.tensor(whole.tokens)
        logits, _, spoken = lm.step(tokens)
        silent = [i for i, f in enumerate(spoken) if f is None]
        bare = read(lm.model, tokens[None]).logits[0]
        untouched.append(torch.equal(logits[silent], bare[silent]))
    how = "real generation, one token at a time, says the same"
    yield FactsRow("replay agrees", mean(agreed), len(agreed), how)
    how = "prompts whose logits are bit-identical to the bare model's wherever nothing fires"
    yield FactsRow("silence is bit-identical", mean(untouched), len(untouched), how)


def forgetting(lm: AttachedLM, readings: ActivationCache, exam: FactsEvalSet) -> Iterator[FactsRow]:
    """Some facts are forgotten; run last, it changes the tape."""
    cases = exam.written()
    gone, stay = cases[::FORGOTTEN], [c for i, c in enumerate(cases) if i % FORGOTTEN]
    for case in gone:
        lm.forget(case.fact.subject, case.fact.relation)
    answered = 1 - share_unchanged(lm, readings, gone)
    yield FactsRow(
        "forgotten, still answered", answered, len(gone), "a fact fires after the prompt"
    )
    kept = share_correct(lm, readings, stay)
    yield FactsRow("not forgotten, still right", kept, len(stay), "strict; first written wording")


def cost(lm: AttachedLM, bind_seconds: float, facts: int) -> Iterator[FactsRow]:
    """CPU seconds and bytes of a fact, and the time of a step while no fact fires."""
    how = "CPU time of the bind calls, no forward pass"
    yield FactsRow("seconds per fact", bind_seconds / facts, facts, how)
    size = lm.knowledge.answers.H.numel() * lm.knowledge.answers.H.element_size()
    yield FactsRow("register bytes per fact", size / facts, facts, "integer register, all banks")
    plain, full = _step_times(lm)
    how = f"CPU time, median of {STEPS} single steps by turns, one sequence, nothing fires"
    yield FactsRow("ms per token, bare", 1000 * median(plain), STEPS, how)
    yield FactsRow("ms per token added", 1000 * (median(full) - median(plain)), STEPS, how)
    ratios = [b / a for a, b in zip(plain, full, strict=True)]
    how = f"median over {STEPS} pairs of neighbouring steps, nothing fires"
    yield FactsRow("share of time added", median(ratios) - 1, STEPS, how)


def _step_times(lm: AttachedLM) -> tuple[list[float], list[float]]:
    """CPU seconds of steps of the bare model and of steps with the tape, one after the other, each
    of them first every other time."""
    prompt = torch.tensor(lm.tokenizer.encode("Once upon a time there was a little girl who"))
    token = prompt[-1:]
    _, taped_state, _ = lm.step(prompt)
    own = lm.model(prompt[None]).state

    def bare() -> None:
        nonlocal own
        with torch.no_grad():
            own = lm.model(token[None], own).state

    def taped() -> None:
        nonlocal taped_state
        _, taped_state, _ = lm.step(token, taped_state)

    times: dict[Callable[[], None], list[float]] = {bare: [], taped: []}
    for i in range(STEPS):
        for step in (bare, taped) if i % 2 else (taped, bare):
            start = time.process_time()
            step()
            times[step].append(time.process_time() - start)
    return times[bare], times[taped]
