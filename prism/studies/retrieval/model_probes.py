"""The same probes end to end: facts bound to a tape, a trained model asked for them in words.

    specificity  P(answer | its fact is bound) - P(answer | the answers are exchanged), exact match
    capacity     exact match against the number of facts, every token and the full stop from the
                 tape; theory: each is one read, right with accuracy(D, items, V + 1, alpha)

An answer of n tokens takes n + 1 reads, so theory is the mean of the (n + 1)-th powers. It knows of
no model: what lies below it is what the model gets wrong. (A full stop that the tape does not say
may be guessed by the model; the probe of capacity does not count those.)
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prism.holo.capacity.theory import accuracy
from prism.inject.token_facts import TokenFacts
from prism.model.prism import Prism, load_saved
from prism.studies.retrieval.measures import Exam, right
from prism.studies.retrieval.vector_probes import Probe
from tasks.retrieval import WORDINGS, Retrieval

FACTS = 100
TAPE_DIM = 32_768
CAPACITY_DIM = 8192
CAPACITY_FACTS = (25, 50, 100, 200, 400)


def trained(folder: Path) -> Prism:
    """The model in ``folder``, frozen.

    Raises:
        FileNotFoundError, ValueError: there is none, or it is not one of ``run_holo_train``.
    """
    model = load_saved(folder)
    config = model.config
    if not config.holo_mode or config.vocab_size != Retrieval.vocab_size:
        found = f"holo_mode = {config.holo_mode}, vocab_size = {config.vocab_size}"
        raise ValueError(f"{folder}: {found}: must be a model of prism.run_holo_train")
    return model.eval().requires_grad_(False)


def specificity(model: Prism, seed: int) -> Iterator[Probe]:
    """What binding a fact does to its own answer."""
    exam = Exam(model, FACTS, TAPE_DIM, seed)
    bound, exchanged, bare = (_share(exam, tape) for tape in (exam.tape, exam.exchanged(), None))
    yield Probe(
        "specificity",
        f"D = {TAPE_DIM}, N = {FACTS}, trained model",
        "exact match, bound minus exchanged answers; control: no tape",
        bound - exchanged,
        _theory(exam),
        bare,
        0.0,
    )


def capacity(model: Prism, seed: int) -> Iterator[Probe]:
    """Right answers against the number of facts on a small tape."""
    for facts in CAPACITY_FACTS:
        exam = Exam(model, facts, CAPACITY_DIM, seed)
        absent = exam.strangers(sibling=True)
        said = right(exam.replies(WORDINGS[0], absent, exam.tape), absent)
        yield Probe(
            "capacity",
            f"D = {CAPACITY_DIM}, N = {facts}, trained model",
            "exact match, all of it from the tape; control: absent facts answered",
            _share(exam, exam.tape, told=True),
            _theory(exam),
            1 - sum(said) / len(said),
            0.0,
        )


def _share(exam: Exam, tape: TokenFacts | None, told: bool = False) -> float:
    """Share of right replies; with ``told`` of those that the tape told to their full stop."""
    replies = exam.replies(WORDINGS[0], exam.facts, tape)
    found = right(replies, exam.facts)
    if told:
        whole = [reply.from_tape == len(reply.tokens) + 1 for reply in replies]
        found = [ok and all_of_it for ok, all_of_it in zip(found, whole, strict=True)]
    return sum(found) / len(found)


def _theory(exam: Exam) -> float:
    """Probability that a whole answer comes out of the register right and is not refused."""
    reads = [len(fact.answer) + 1 for fact in exam.facts]
    tape = exam.tape.tape
    once = accuracy(exam.dim, sum(reads), len(tape.vocabulary), tape.config.alpha)
    return sum(once**n for n in reads) / len(reads)
