"""Answers of a frozen model from a tape that it never saw, and text that the tape leaves alone.

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
from prism.model.generation.decode import advance, model_step
from prism.model.generation.rows import Generation
from prism.model.generation.text import GREEDY
from prism.model.holo_read import FactReader
from prism.model.prism import Prism
from prism.ops.rolling import fact_key
from prism.record import weights_hash
from prism.studies.retrieval.training import tape_of
from tasks import SPLITS
from tasks.retrieval import STOP, UNKNOWN, WORDINGS, EpisodeSampler, Retrieval, Triple, worded

FORGOTTEN = 5  # facts
LONGEST = 6  # tokens of an answer, its full stop included
TEXT_ROWS, TEXT_LENGTH = 16, 256
UNSEEN_WORDINGS = (
    "as for S , the R is",
    "tell me the R of S , not N :",
    "unlike N , the R of S is",
)


@dataclass(frozen=True)
class RetrievalRow:
    """One figure: a share over ``count`` cases, and the protocol that gave it."""

    metric: str
    value: float
    count: int
    protocol: str

    @classmethod
    def share(cls, metric: str, correct: Sequence[bool], protocol: str) -> RetrievalRow:
        """The share of ``correct`` cases."""
        return cls(metric, sum(correct) / max(len(correct), 1), len(correct), protocol)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


class RetrievalEvalSet:
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
        self.sampler = EpisodeSampler(self.rng, SPLITS.index("test"), facts)
        self.facts = self.sampler.facts
        self.tape = tape_of(self.facts, dim)

    def prompts(self, form: str, facts: Sequence[Triple]) -> list[list[int]]:
        """One question per fact, its answer left out."""
        return [
            [w.token for w in worded(form, f.subject, f.relation, self.sampler.subject(False))]
            for f in facts
        ]

    def replies(self, form: str, facts: Sequence[Triple], tape: TokenFacts | None) -> list[Reply]:
        """Replies of the model to one question per fact."""
        return ask(self.model, self.prompts(form, facts), tape)

    def unseen_facts(self, sibling: bool) -> list[Triple]:
        """As many facts that are not on the tape, about subjects that have another one, or none."""
        known = {subject for subject, _ in self.sampler.known}
        unseen: list[Triple] = []
        while len(unseen) < len(self.facts):
            subject, relation = self.sampler.subject(sibling), self.sampler.relation()
            if (subject, relation) not in self.sampler.known and (subject in known) == sibling:
                unseen.append(Triple(subject, relation, (UNKNOWN,)))
        return unseen

    def refused(self, facts: Sequence[Triple], tape: TokenFacts) -> list[bool]:
        """True for each fact whose first wording is answered "unknown"."""
        unknown = [fact._replace(answer=(UNKNOWN,)) for fact in facts]
        return right(self.replies(WORDINGS[0], facts, tape), unknown)

    def exchanged(self) -> TokenFacts:
        """A tape with the same keys, and every answer that of the next fact."""
        answers = [fact.answer for fact in self.facts[1:] + self.facts[:1]]
        pairs = zip(self.facts, answers, strict=True)
        return tape_of([fact._replace(answer=answer) for fact, answer in pairs], self.dim)


@dataclass(frozen=True)
class Reply:
    """Reply to a question.

    Attributes:
        tokens: up to the full stop, which is left out.
        from_tape: how many of them, the full stop included, came from the tape.
        stopped: whether the full stop came.
    """

    tokens: tuple[int, ...]
    from_tape: int
    stopped: bool


def ask(model: Prism, prompts: Sequence[Sequence[int]], tape: FactReader | None) -> list[Reply]:
    """Greedy replies to ``prompts``, lists of token ids. Prompts of one length are read as a batch,
    once, and then one token at a time."""
    model.eval()
    replies: dict[int, Reply] = {}
    for length in {len(prompt) for prompt in prompts}:
        where = [i for i, prompt in enumerate(prompts) if len(prompt) == length]
        rows = torch.tensor([list(prompts[i]) for i in where])
        steps = advance(model_step(model, facts=tape), Generation.start(rows), LONGEST, GREEDY)
        drawn = [(new.newest, output.holo.fired[:, -1]) for new, output in steps]
        tokens, fired = (torch.stack(column, 1) for column in zip(*drawn, strict=True))
        for i, row, of_tape in zip(where, tokens.tolist(), fired, strict=True):
            end = row.index(STOP) if STOP in row else LONGEST
            count = int(of_tape[: end + 1].sum())
            replies[i] = Reply(tuple(row[:end]), count, end < LONGEST)
    return [replies[i] for i in range(len(prompts))]


def right(replies: Sequence[Reply], facts: Sequence[Triple]) -> list[bool]:
    """True for each reply that is the answer, the whole answer and nothing but the answer."""
    return [r.stopped and r.tokens == f.answer for r, f in zip(replies, facts, strict=True)]


def measure(exam: RetrievalEvalSet) -> Iterator[RetrievalRow]:
    """All figures of an exam, one by one."""
    before = weights_hash(exam.model.state_dict())
    yield from answers(exam)
    yield from refusals(exam)
    yield from controls(exam)
    yield from unrelated(exam)
    yield from forgetting(exam)
    same = float(weights_hash(exam.model.state_dict()) == before)
    yield RetrievalRow("parameters unchanged", same, 1, "SHA-256 of all weights before and after")


def answers(exam: RetrievalEvalSet) -> Iterator[RetrievalRow]:
    """Facts on the tape, in the wordings of the training text and in others."""
    for name, forms in (("answered", WORDINGS), ("answered, unseen wording", UNSEEN_WORDINGS)):
        correct = [
            ok
            for form in forms
            for ok in right(exam.replies(form, exam.facts, exam.tape), exam.facts)
        ]
        how = f"{len(exam.facts)} facts never seen in training, {len(forms)} wordings, exact match"
        yield RetrievalRow.share(name, correct, how)


def refusals(exam: RetrievalEvalSet) -> Iterator[RetrievalRow]:
    """Facts that are not on the tape: the reply is "unknown"."""
    for name, sibling in (("its subject is known", True), ("its subject is not", False)):
        absent = exam.unseen_facts(sibling)
        correct = [
            ok for form in WORDINGS for ok in right(exam.replies(form, absent, exam.tape), absent)
        ]
        yield RetrievalRow.share(
            f"refused, {name}", correct, f"{len(absent)} absent facts, {len(WORDINGS)} wordings"
        )


def controls(exam: RetrievalEvalSet) -> Iterator[RetrievalRow]:
    """The same questions with no tape, and with a tape that holds other answers."""
    for name, tape in (("no tape", None), ("answers exchanged", exam.exchanged())):
        correct = right(exam.replies(WORDINGS[0], exam.facts, tape), exam.facts)
        protocol = f"first wording, {len(exam.facts)} facts"
        yield RetrievalRow.share(f"answered, {name}", correct, protocol)


@torch.no_grad()
def unrelated(exam: RetrievalEvalSet) -> Iterator[RetrievalRow]:
    """Running text: where no fact is injected, the logits are the bare model's bit for bit."""
    episode = Retrieval(len(exam.facts)).episode("test", 0, 0, TEXT_ROWS, TEXT_LENGTH)
    bare = exam.model(episode.tokens)
    taped = exam.model(episode.tokens, facts=exam.tape)
    same = (bare.logits == taped.logits).all(dim=-1)
    quiet = ~taped.holo.fired
    # A question of the text may happen to be about a bound fact: that is no false injection.
    bound = torch.tensor([fact_key(fact.subject, fact.relation) for fact in exam.facts])
    false = taped.holo.fired & ~torch.isin(taped.holo.keys, bound)
    text = f"{TEXT_ROWS} rows of {TEXT_LENGTH} tokens about other facts"
    yield RetrievalRow.share("logits bit-identical, gate closed", same[quiet].tolist(), text)
    yield RetrievalRow.share("false injections", false.flatten().tolist(), f"per token of {text}")


def forgetting(exam: RetrievalEvalSet) -> Iterator[RetrievalRow]:
    """Forgotten facts are unknown, the others stay, and the register equals one that never held
    them."""
    gone, kept = exam.facts[:FORGOTTEN], exam.facts[FORGOTTEN:]
    tape = tape_of(exam.facts, exam.dim)
    for fact in gone:
        tape.forget(fact.subject, fact.relation)
    protocol = f"{len(gone)} of {len(exam.facts)} taken out"
    yield RetrievalRow.share("forgotten facts refused", exam.refused(gone, tape), protocol)
    if kept:
        correct = right(exam.replies(WORDINGS[0], kept, tape), kept)
        yield RetrievalRow.share("the others answered", correct, f"{len(kept)} facts")
    never = tape_of(kept, exam.dim)
    same = bool((never.tape.H == tape.tape.H).all())
    protocol = "integers equal those of a new tape"
    yield RetrievalRow.share("register as if never told", [same], protocol)
