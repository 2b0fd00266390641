"""One model along two axes: scaled by training, taught by binding; said in sentences and drawn.

The first axis changes the weights and teaches no fact: train, widen exactly, train on. The second
binds facts and changes no weight: bind, ask, forget some, ask again, and ask about facts that were
never there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prism.growth import grow
from prism.inject.token_facts import TokenFacts
from prism.model.prism import Prism
from prism.page import plot_style
from prism.record import weights_hash
from prism.studies.retrieval.measures import RetrievalEvalSet, right
from prism.studies.retrieval.training import RetrievalPlan, default_config, tape_of, train
from tasks.retrieval import UNKNOWN, WORDINGS, Retrieval, Triple, text

FORGOTTEN, STAGES, SHOWN = 5, 5, 3
FIRST, GROWN, GREY = "#2b5c8a", "#3f7f56", "#9a9a94"
ANSWERS = (("right", "#3f7f56"), ("unknown", "#d9d7cf"), ("wrong", "#b8322a"))
Say = Callable[[str], None]


def first_axis(steps: int, steps_grown: int, seed: int, say: Say) -> tuple[Prism, dict[str, Any]]:
    """A trained and widened model, frozen; losses, sizes, and how much widening changed."""
    say("FIRST AXIS: scaled by training")
    model = Prism(default_config(seed))
    say(f"  A PRISM of {model.num_parameters():,} parameters learns to ask, {steps} steps ...")
    losses = train(model, RetrievalPlan(steps=steps, seed=seed))
    say(f"  ... its loss went from {losses[0]:.2f} to {losses[-1]:.2f}.")
    small, tokens = model.num_parameters(), Retrieval().episode("validation", seed, 0, 4).tokens
    with torch.no_grad():
        before = model(tokens).logits
        model = grow(model, replace(model.config, neural_hidden=2 * model.config.hidden)).model
        changed = float((model(tokens).logits - before).abs().max())
    large = model.num_parameters()
    moved = f"by more than {changed:.1e}" if changed else "at all"
    say(f"  It grows to {large:,} parameters; no output moves {moved}.")
    # the next seed: other facts than before
    grown_losses = train(model, RetrievalPlan(steps=steps_grown, seed=seed + 1))
    say(f"  {steps_grown} more steps of training bring its loss to {grown_losses[-1]:.2f}.")
    numbers = {"small": small, "large": large, "changed": changed}
    numbers |= {"losses": losses, "grown_losses": grown_losses}
    return model.requires_grad_(False), numbers


def second_axis(model: Prism, facts: int, seed: int, say: Say) -> dict[str, Any]:
    """Answers of the frozen model as facts are bound and forgotten."""
    say("SECOND AXIS: taught by binding, with no training")
    exam, before = RetrievalEvalSet(model, facts, seed=seed), weights_hash(model.state_dict())
    say(f"  SHA-256 of all weights: {before[:16]}...")
    tape, stages = tape_of([]), [_stage("none", exam, tape_of([]))]
    for i in range(STAGES):
        part = exam.facts[i * facts // STAGES : (i + 1) * facts // STAGES]
        tape.bind_many(part, source="demo")
        stages.append(_stage(f"{(i + 1) * facts // STAGES}", exam, tape))
    answered = stages[-1]["right"]
    say(f"  {facts} facts are bound; asked for all {facts}, it answers {answered} right:")
    _quote(exam, exam.facts[-SHOWN:], tape, say)
    for fact in exam.facts[:FORGOTTEN]:
        tape.forget(fact.subject, fact.relation)
    stages.append(_stage(f"{facts - FORGOTTEN}\nafter\nforgetting", exam, tape))
    gone, kept = exam.facts[:FORGOTTEN], exam.facts[FORGOTTEN:]
    stayed = sum(right(exam.replies(WORDINGS[0], kept, tape), kept))
    lost = sum(exam.refused(gone, tape))
    say(f"  Made to forget {FORGOTTEN}: it does not know {lost} of those {FORGOTTEN} any more,")
    say(f"  and still answers {stayed} of the other {len(kept)}:")
    _quote(exam, gone[:SHOWN], tape, say)
    never = exam.unseen_facts(sibling=False)[:FORGOTTEN]
    refused = sum(exam.refused(never, tape))
    say(f"  Of {FORGOTTEN} facts that it never had, it refuses {refused}:")
    _quote(exam, never[:SHOWN], tape, say)
    same = weights_hash(model.state_dict()) == before
    say(f"  SHA-256 of all weights: {before[:16]}..., {'unchanged' if same else 'CHANGED'}.")
    numbers = {"facts": facts, "stages": stages, "forgotten": lost, "kept": stayed}
    return numbers | {"refused": refused, "asked_absent": FORGOTTEN, "weights_unchanged": same}


def _stage(name: str, exam: RetrievalEvalSet, tape: TokenFacts) -> dict[str, Any]:
    """Counts of right, refused and wrong answers to all facts of the exam with this tape."""
    replies = exam.replies(WORDINGS[0], exam.facts, tape)
    good = sum(right(replies, exam.facts))
    unknown = sum(reply.tokens == (UNKNOWN,) for reply in replies)
    wrong = len(replies) - good - unknown
    return {"bound": name, "right": good, "unknown": unknown, "wrong": wrong}


def _quote(exam: RetrievalEvalSet, facts: Sequence[Triple], tape: TokenFacts, say: Say) -> None:
    prompts = exam.prompts(WORDINGS[0], facts)
    for prompt, reply in zip(prompts, exam.replies(WORDINGS[0], facts, tape), strict=True):
        say(f'    "{text(prompt)} ..."  ->  "{text(reply.tokens)}"')


def draw(scaled: dict[str, Any], taught: dict[str, Any], path: Path) -> None:
    """Write a PNG of what the two axes returned."""
    with plot_style(**{"axes.grid": False, "axes.titlepad": 24}):
        figure = Figure(figsize=(9.6, 3.9))
        left, middle = figure.subplots(1, 2)
        _scaled(left, scaled)
        _taught(middle, taught)
        figure.tight_layout(w_pad=3)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)


def _scaled(axes: Axes, scaled: dict[str, Any]) -> None:
    first, grown = scaled["losses"], scaled["grown_losses"]
    axes.plot(range(1, len(first) + 1), first, color=FIRST, lw=1.4)
    axes.plot(range(len(first) + 1, len(first) + len(grown) + 1), grown, color=GROWN, lw=1.4)
    axes.axvline(len(first) + 0.5, color=GREY, lw=0.8, ls=(0, (4, 3)))
    top = max(first + grown)
    axes.set_ylim(0, 1.08 * top)
    middle = len(first) + 0.5
    label = f"{scaled['small']:,}\nparameters"
    axes.text(0.96 * middle, 0, label + "\n", ha="right", va="bottom", color=FIRST)
    moved = f"by\nmore than {scaled['changed']:.0e}" if scaled["changed"] else "at all"
    label = f"grown to {scaled['large']:,};\nno output moved {moved}"
    axes.text(1.06 * middle, top, label, ha="left", va="top", color=GROWN)
    axes.set_title("First axis: scaled by training")
    axes.set_xlabel("training step (fresh facts at every step)")
    axes.set_ylabel("training loss")


def _taught(axes: Axes, taught: dict[str, Any]) -> None:
    stages = taught["stages"]
    bottom = [0] * len(stages)
    for name, colour in ANSWERS:
        heights = [stage[name] for stage in stages]
        axes.bar(range(len(stages)), heights, 0.72, bottom, color=colour, label=name)
        bottom = [b + h for b, h in zip(bottom, heights, strict=True)]
    for i, stage in enumerate(stages):
        if stage["right"]:
            axes.text(i, stage["right"] / 2, str(stage["right"]), ha="center", color="white")
    axes.set_xticks(range(len(stages)), [stage["bound"] for stage in stages])
    axes.set_xlabel(
        "facts bound; weights unchanged" if taught["weights_unchanged"] else "facts bound"
    )
    axes.set_ylabel(f"answers to the same {taught['facts']} questions")
    axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(-0.02, 0.98), fontsize=8)
    axes.set_title("Second axis: taught by binding")
