"""Questions over one fact and several: accuracy, silence, time; the tape beside its controls.

tape            the tenant's tape, its list behind it
tape alone      the same without the fallback to the list
dict            a plain dict in place of the tape, in the same loop
shuffled        a dict whose objects are exchanged: what is read, not what is asked, decides
single pass     paths of one step
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from prism.mind import KnowledgeBase
from prism.mind.reflect import Answer, DictMemory, Memory, Reflector, TapeMemory
from prism.mind.reflect.graph import dict_of
from prism.studies.mind.sets import Asked, SentenceSet, asked, right, unanswerable
from prism.studies.mind.world import made

ARMS = ("tape", "tape alone", "dict", "shuffled", "single pass")
Say = Callable[[str], None]
Row = dict[str, Any]


def measured(
    chosen: SentenceSet, facts: int, seed: int, arms: Sequence[str], folder: Path, say: Say
) -> Iterator[Row]:
    """Rows of the arms on one world, one by one, with every answer that was not right.

    Args:
        folder: where the knowledge base is written.
    """
    world = made(facts, seed)
    questions = [*asked(world, chosen, seed), *unanswerable(world, chosen, seed)]
    with KnowledgeBase(folder / f"world-{facts}-{seed}.db") as kb:
        if not len(kb):
            world.write(kb)
        for arm in arms:
            reflector = Reflector(
                kb, memory_of(arm, kb, seed), hops=1 if arm == "single pass" else 6
            )
            row = {"set": chosen.name, "facts": facts, "seed": seed, "arm": arm}
            row |= {"stored": len(world.facts)} | scored(questions, reflector.reflect)
            row["bytes"] = bytes_of(kb, reflector.memory)
            if not isinstance(reflector.memory, DictMemory):
                row["register bytes"] = kb.view.tape.nbytes
            say(summary(row))
            yield row


def memory_of(arm: str, kb: KnowledgeBase, seed: int) -> Memory:
    """Memory that an arm reads."""
    if arm in ("tape", "single pass"):
        return TapeMemory(kb.view)
    if arm == "tape alone":
        return TapeMemory(kb.view, fallback=False)

    def exchanged(objects: list[str]) -> list[str]:
        random.Random(seed).shuffle(objects)
        return objects

    return dict_of(kb.ledger, kb.tenant, exchanged if arm == "shuffled" else None)


def scored(questions: Sequence[Asked], ask: Callable[[str], Answer]) -> Row:
    """Shares of right and wrong answers by hops, of silence, times in ms, and what went wrong."""
    ask("What is the capital of Nowhere?")  # what is loaded at the first question is not timed
    counts: dict[int, list[int]] = {}
    times, cpu, missed, agreement = [], [], [], {}
    for question in questions:
        start, work = time.perf_counter(), time.process_time()
        answer = ask(question.text)
        cpu.append(1e3 * (time.process_time() - work))
        times.append(1e3 * (time.perf_counter() - start))
        good = right(answer.text, question.answer)
        count = counts.setdefault(question.hops, [0, 0, 0])
        count[0] += 1
        count[1] += good
        count[2] += answer.text is not None and not good
        if answer.text is not None:
            agree = sum(vote == answer.text.split(", ")[0] for _, vote in answer.votes)
            seen = agreement.setdefault(str(agree), [0, 0])
            seen[0] += good
            seen[1] += 1
        if not good:
            missed.append(_missed(question, answer))
    several = [counts[h] for h in counts if h > 0]
    row: Row = {
        "questions": sum(c[0] for c in several),
        "right": _share(several, 1),
        "wrong": _share(several, 2),
        "multi-hop right": _share([counts[h] for h in counts if h > 1], 1),
        "multi-hop wrong": _share([counts[h] for h in counts if h > 1], 2),
        "silent where there is none": _share([counts[0]], 1) if 0 in counts else None,
    }
    for hops in sorted(h for h in counts if h):
        row[f"{hops} hops right"] = _share([counts[hops]], 1)
        row[f"{hops} hops wrong"] = _share([counts[hops]], 2)
    row["counts"] = {str(h): c for h, c in sorted(counts.items())}
    row["ms p50"], row["ms p90"] = median(times), quantiles(times, n=10)[-1]
    row["cpu ms p50"] = median(cpu)  # on a busy machine the one that can be compared
    return row | {"by agreement": agreement, "missed": missed}


def _share(counts: Sequence[Sequence[int]], which: int) -> float | None:
    total = sum(c[0] for c in counts)
    return sum(c[which] for c in counts) / total if total else None


def _missed(question: Asked, answer: Answer) -> Row:
    path = [("^" if hop.back else "") + hop.relation for hop in answer.hops]
    told = {"question": question.text, "wanted": question.answer, "answer": answer.text}
    return told | {"path": list(question.path), "walked": path, "note": answer.note}


def bytes_of(kb: KnowledgeBase, memory: Memory) -> int:
    """Bytes of what is read: the tape's register with its list of facts and its vocabulary (codes,
    texts and their index), or the dict with its keys and values."""
    if isinstance(memory, DictMemory):
        parts: list[Any] = [memory.facts]
        for key, values in memory.facts.items():
            parts += [key, *key, values, *values]
        return sum(sys.getsizeof(part) for part in {id(p): p for p in parts}.values())
    tape = kb.view.tape
    return tape.nbytes + (tape.ledger.nbytes if tape.ledger else 0) + tape.vocabulary.nbytes


def summary(row: Row) -> str:
    """A row in a line."""
    silent = row["silent where there is none"]
    none = "" if silent is None else f", silent {silent:.3f}"
    return (
        f"  {row['arm']}: right {row['right']:.3f}, wrong {row['wrong']:.3f}{none}, "
        f"{row['ms p50']:.1f} ms"
    )


def spoken(
    chosen: SentenceSet, facts: int, seed: int, model: tuple[Any, Any], limit: int, say: Say
) -> list[Row]:
    """The bare model, and the model with the gold facts in its prompt, on ``limit`` questions; an
    answer counts as right if the reply holds it."""
    from prism.mind.respond import Speaker

    world = made(facts, seed)
    questions = asked(world, chosen, seed)
    questions = random.Random(seed).sample(questions, min(limit, len(questions)))
    speaker, rows = Speaker(*model), []
    for arm in ("bare model", "facts in the prompt"):
        good = 0
        for question in questions:
            text = question.text
            if arm == "facts in the prompt":
                text = " ".join(_told(world, question)) + " " + text
            reply = "".join(piece.text for piece in speaker.say(text, None, 32))
            good += str(question.answer).casefold() in reply.casefold()
        row = {"set": chosen.name, "facts": facts, "seed": seed, "arm": arm}
        row |= {"questions": len(questions), "right": good / len(questions)}
        say(f"  {arm}: right {row['right']:.3f} of {len(questions)}")
        rows.append(row)
    return rows


def _told(world: Any, question: Asked) -> list[str]:
    """The facts that a question needs, as sentences."""
    node, told = question.start, []
    for step in question.path:
        name = step.removesuffix("_of")
        after = world.walk(node, [step])
        pair = (node, after) if step == name else (after, node)
        told.append(f"The {name.replace('_', ' ')} of {pair[0]} is {pair[1]}.")
        node = after
    return told
