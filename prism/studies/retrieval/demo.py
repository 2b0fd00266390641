"""The two axes of the demo, each told as it goes and returned as plain numbers.

First axis: train, widen exactly, train on. Second axis, with the weights frozen: bind facts, ask,
forget some, ask again, and ask about facts that were never there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from prism.growth import grow
from prism.inject.token_facts import TokenFacts
from prism.model.prism import Prism
from prism.record import weights_hash
from prism.studies.retrieval.measures import Exam, right
from prism.studies.retrieval.training import Plan, default_config, tape_of, train
from tasks.retrieval import UNKNOWN, WORDINGS, Fact, Retrieval, text

FORGOTTEN, STAGES, SHOWN = 5, 5, 3
Say = Callable[[str], None]


def first_axis(steps: int, steps_grown: int, seed: int, say: Say) -> tuple[Prism, dict[str, Any]]:
    """A trained and widened model, frozen; losses, sizes, and how much widening changed."""
    say("FIRST AXIS: scaled by training")
    model = Prism(default_config(seed))
    say(f"  A PRISM of {model.num_parameters():,} parameters learns to ask, {steps} steps ...")
    losses = train(model, Plan(steps=steps, seed=seed))
    say(f"  ... its loss went from {losses[0]:.2f} to {losses[-1]:.2f}.")
    small, tokens = model.num_parameters(), Retrieval().episode("validation", seed, 0, 4).tokens
    with torch.no_grad():
        before = model(tokens).logits
        model = grow(model, replace(model.config, neural_hidden=2 * model.config.hidden)).model
        changed = float((model(tokens).logits - before).abs().max())
    large = model.num_parameters()
    moved = f"by more than {changed:.1e}" if changed else "at all"
    say(f"  It grows to {large:,} parameters; no output moves {moved}.")
    grown_losses = train(model, Plan(steps=steps_grown, seed=seed + 1))  # other facts than before
    say(f"  {steps_grown} more steps of training bring its loss to {grown_losses[-1]:.2f}.")
    numbers = {"small": small, "large": large, "changed": changed}
    numbers |= {"losses": losses, "grown_losses": grown_losses}
    return model.requires_grad_(False), numbers


def second_axis(model: Prism, facts: int, seed: int, say: Say) -> dict[str, Any]:
    """What the frozen model says as facts are bound and forgotten."""
    say("SECOND AXIS: taught by binding, with no training")
    exam, before = Exam(model, facts, seed=seed), weights_hash(model.state_dict())
    say(f"  SHA-256 of all weights: {before[:16]}...")
    tape, stages = tape_of([]), [_stage("none", exam, tape_of([]))]
    for i in range(STAGES):
        part = exam.facts[i * facts // STAGES : (i + 1) * facts // STAGES]
        tape.bind_many(part, source="demo")
        stages.append(_stage(f"{(i + 1) * facts // STAGES}", exam, tape))
    told = stages[-1]["right"]
    say(f"  {facts} facts are bound; asked for all {facts}, it answers {told} right:")
    _quote(exam, exam.facts[-SHOWN:], tape, say)
    for fact in exam.facts[:FORGOTTEN]:
        tape.forget(fact.subject, fact.relation)
    stages.append(_stage(f"{facts - FORGOTTEN}\nafter\nforgetting", exam, tape))
    gone, kept = exam.facts[:FORGOTTEN], exam.facts[FORGOTTEN:]
    stayed = sum(right(exam.replies(WORDINGS[0], kept, tape), kept))
    lost = _unknown(exam, gone, tape)
    say(f"  Made to forget {FORGOTTEN}: it does not know {lost} of those {FORGOTTEN} any more,")
    say(f"  and still answers {stayed} of the other {len(kept)}:")
    _quote(exam, gone[:SHOWN], tape, say)
    never = exam.strangers(sibling=False)[:FORGOTTEN]
    refused = _unknown(exam, never, tape)
    say(f"  Of {FORGOTTEN} facts that it never had, it refuses {refused}:")
    _quote(exam, never[:SHOWN], tape, say)
    same = weights_hash(model.state_dict()) == before
    say(f"  SHA-256 of all weights: {before[:16]}..., {'unchanged' if same else 'CHANGED'}.")
    numbers = {"facts": facts, "stages": stages, "forgotten": lost, "kept": stayed}
    return numbers | {"refused": refused, "asked_absent": FORGOTTEN, "weights_unchanged": same}


def _stage(name: str, exam: Exam, tape: TokenFacts) -> dict[str, Any]:
    """How all facts of the exam are answered with this tape."""
    replies = exam.replies(WORDINGS[0], exam.facts, tape)
    good = sum(right(replies, exam.facts))
    unknown = sum(reply.tokens == (UNKNOWN,) for reply in replies)
    wrong = len(replies) - good - unknown
    return {"bound": name, "right": good, "unknown": unknown, "wrong": wrong}


def _unknown(exam: Exam, facts: Sequence[Fact], tape: TokenFacts) -> int:
    replies = exam.replies(WORDINGS[0], facts, tape)
    return sum(reply.tokens == (UNKNOWN,) and reply.stopped for reply in replies)


def _quote(exam: Exam, facts: Sequence[Fact], tape: TokenFacts, say: Say) -> None:
    prompts = exam.prompts(WORDINGS[0], facts)
    for prompt, reply in zip(prompts, exam.replies(WORDINGS[0], facts, tape), strict=True):
        say(f'    "{text(prompt)} ..."  ->  "{text(reply.tokens)}"')
