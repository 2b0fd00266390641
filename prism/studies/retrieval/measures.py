"""What a frozen model answers from a tape that it never saw, and what the tape leaves alone.

Right means: greedy, one call per token, every token of the answer and the full stop after it. The
facts, and the names of their subjects, are of the test split. Every figure has its control: no
tape, a tape with the answers exchanged among the facts, questions about facts that are not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from prism.inject.token_facts import TokenFacts
from prism.model.prism import Prism
from prism.ops.rolling import fact_key
from prism.record import weights_hash
from prism.studies.retrieval.asking import Reply, ask
from prism.studies.retrieval.training import tape_of
from tasks import SPLITS
from tasks.retrieval import UNKNOWN, WORDINGS, Fact, Retrieval, World, worded

FORGOTTEN = 5  # facts
TEXT_ROWS, TEXT_LENGTH = 16, 256
UNSEEN_WORDINGS = (
    "as for S , the R is",
    "tell me the R of S , not N :",
    "unlike N , the R of S is",
)


@dataclass(frozen=True)
class Row:
    """One figure: a share over ``count`` cases, and what was done to get it."""

    metric: str
    value: float
    count: int
    protocol: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


class Exam:
    """Facts of the test split and questions about them.

    Args:
        model: the frozen model.
        facts: how many are bound.
        dim: numbers of the tape.
        seed: of facts and of the names that distract.
    """

    def __init__(self, model: Prism, facts: int = 100, dim: int = 32_768, seed: int = 0) -> None:
        self.model, self.dim = model, dim
        self.rng = np.random.default_rng([facts, seed])
        self.world = World(self.rng, SPLITS.index("test"), facts)
        self.facts = self.world.facts
        self.tape = tape_of(self.facts, dim)

    def prompts(self, form: str, facts: Sequence[Fact]) -> list[list[int]]:
        """One question per fact, its answer left out."""
        return [
            [w.token for w in worded(form, f.subject, f.relation, self.world.subject(False))]
            for f in facts
        ]

    def replies(self, form: str, facts: Sequence[Fact], tape: TokenFacts | None) -> list[Reply]:
        """What the model says to one question per fact."""
        return ask(self.model, self.prompts(form, facts), tape)

    def strangers(self, sibling: bool) -> list[Fact]:
        """As many facts that are not there, about subjects that have another one, or none."""
        known = {subject for subject, _ in self.world.known}
        found: list[Fact] = []
        while len(found) < len(self.facts):
            subject, relation = self.world.subject(sibling), self.world.relation()
            if (subject, relation) not in self.world.known and (subject in known) == sibling:
                found.append(Fact(subject, relation, (UNKNOWN,)))
        return found

    def exchanged(self) -> TokenFacts:
        """A tape with the same keys, and every answer that of the next fact."""
        answers = [fact.answer for fact in self.facts[1:] + self.facts[:1]]
        pairs = zip(self.facts, answers, strict=True)
        return tape_of([fact._replace(answer=answer) for fact, answer in pairs], self.dim)


def right(replies: Sequence[Reply], facts: Sequence[Fact]) -> list[bool]:
    """Whether each reply is the answer, the whole answer and nothing but the answer."""
    return [r.stopped and r.tokens == f.answer for r, f in zip(replies, facts, strict=True)]


def measure(exam: Exam) -> Iterator[Row]:
    """All figures of an exam, one by one."""
    before = weights_hash(exam.model.state_dict())
    yield from answers(exam)
    yield from refusals(exam)
    yield from controls(exam)
    yield from unrelated(exam)
    yield from forgetting(exam)
    same = float(weights_hash(exam.model.state_dict()) == before)
    yield Row("parameters unchanged", same, 1, "SHA-256 of all weights before and after")


def answers(exam: Exam) -> Iterator[Row]:
    """Facts on the tape, in the wordings of the training text and in others."""
    for name, forms in (("answered", WORDINGS), ("answered, unseen wording", UNSEEN_WORDINGS)):
        found = [
            ok
            for form in forms
            for ok in right(exam.replies(form, exam.facts, exam.tape), exam.facts)
        ]
        how = f"{len(exam.facts)} facts never seen in training, {len(forms)} wordings, exact match"
        yield _share(name, found, how)


def refusals(exam: Exam) -> Iterator[Row]:
    """Facts that are not on the tape: the reply is "unknown"."""
    for name, sibling in (("its subject is known", True), ("its subject is not", False)):
        absent = exam.strangers(sibling)
        found = [
            ok for form in WORDINGS for ok in right(exam.replies(form, absent, exam.tape), absent)
        ]
        yield _share(
            f"refused, {name}", found, f"{len(absent)} absent facts, {len(WORDINGS)} wordings"
        )


def controls(exam: Exam) -> Iterator[Row]:
    """The same questions with no tape, and with a tape that holds other answers."""
    for name, tape in (("no tape", None), ("answers exchanged", exam.exchanged())):
        found = right(exam.replies(WORDINGS[0], exam.facts, tape), exam.facts)
        yield _share(f"answered, {name}", found, f"first wording, {len(exam.facts)} facts")


@torch.no_grad()
def unrelated(exam: Exam) -> Iterator[Row]:
    """Running text: where no fact speaks, the logits are the bare model's bit for bit."""
    episode = Retrieval(len(exam.facts)).episode("test", 0, 0, TEXT_ROWS, TEXT_LENGTH)
    bare = exam.model(episode.tokens)
    taped = exam.model(episode.tokens, tape=exam.tape)
    same = (bare.logits == taped.logits).all(dim=-1)
    quiet = ~taped.holo.fired
    # A question of the text may happen to be about a bound fact: that is no false injection.
    bound = torch.tensor([fact_key(fact.subject, fact.relation) for fact in exam.facts])
    false = taped.holo.fired & ~torch.isin(taped.holo.keys, bound)
    text = f"{TEXT_ROWS} rows of {TEXT_LENGTH} tokens about other facts"
    yield _share("logits bit-identical, gate closed", same[quiet].tolist(), text)
    yield _share("false injections", false.flatten().tolist(), f"per token of {text}")


def forgetting(exam: Exam) -> Iterator[Row]:
    """Some facts taken out: they are unknown, the others stay, the register never knew them."""
    gone, kept = exam.facts[:FORGOTTEN], exam.facts[FORGOTTEN:]
    tape = tape_of(exam.facts, exam.dim)
    for fact in gone:
        tape.forget(fact.subject, fact.relation)
    unknown = [fact._replace(answer=(UNKNOWN,)) for fact in gone]
    found = right(exam.replies(WORDINGS[0], gone, tape), unknown)
    yield _share("forgotten facts refused", found, f"{len(gone)} of {len(exam.facts)} taken out")
    if kept:
        found = right(exam.replies(WORDINGS[0], kept, tape), kept)
        yield _share("the others answered", found, f"{len(kept)} facts")
    never = tape_of(kept, exam.dim) if kept else TokenFacts(tape.vocab_size, tape.stop, exam.dim)
    same = bool((never.tape.H == tape.tape.H).all())
    yield _share("register as if never told", [same], "integers equal those of a new tape")


def _share(metric: str, found: Sequence[bool], protocol: str) -> Row:
    return Row(metric, sum(found) / max(len(found), 1), len(found), protocol)
