"""Probes of a register beside its theory: random vectors without a model, and end to end.

Random codes, no model:

    vsa          cos(unbind(k), v) = 1 / sqrt(N) for N facts; another key's is 0
    specificity  the mean of that cosine over the facts minus a random vector's: 1 / sqrt(N) again
    capacity     share of facts answered right, the integral of :mod:`prism.holo.capacity.theory`

The first design reported +0.355 as the "specificity" of its model. It is 1 / sqrt(8), a property of
any eight random vectors, whatever their length; no model takes part in it.

A trained model, asked in words for the facts on a tape:

    specificity  P(answer | its fact is bound) - P(answer | the answers are exchanged), exact match
    capacity     exact match against the number of facts, every token and the full stop from the
                 tape; theory: each is one read, right with accuracy(D, items, V + 1, alpha)

An answer of n tokens takes n + 1 reads, so theory is the mean of the (n + 1)-th powers. It knows of
no model: what lies below it is what the model gets wrong. (The model may guess a full stop that the
tape does not give; the probe of capacity does not count those.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from prism.holo import HoloTape
from prism.holo.algebra.codes import signs
from prism.holo.capacity.theory import accuracy
from prism.inject.token_facts import TokenFacts
from prism.model.prism import Prism, load_saved
from prism.studies.retrieval.measures import RetrievalEvalSet, right
from tasks.retrieval import WORDINGS, Retrieval

CANDIDATES = 1000  # values M that a read chooses from
TRIALS = 10
VSA_FACTS = (1, 8, 50, 200, 400)
SPECIFICITY_FACTS = (1, 8, 200)
LOADS = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the facts that D numbers hold at 99%
HELD = 33  # numbers per fact there, for M = 1000: only decides which loads are shown
ALPHA = 0.01
FACTS = 100
TAPE_DIM = 32_768
CAPACITY_DIM = 8192
CAPACITY_FACTS = (25, 50, 100, 200, 400)


@dataclass(frozen=True)
class ProbeResult:
    """One figure of a probe beside its theory; ``control`` is the same figure where nothing should
    be found, and ``expected`` what it should be there."""

    probe: str
    setting: str
    measures: str
    measured: float
    theory: float
    control: float
    expected: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def vsa(dim: int, seed: int) -> Iterator[ProbeResult]:
    """Cosine of the unbound vectors with the bound values."""
    for facts in VSA_FACTS:
        true, other, _ = _cosines(dim, facts, seed)
        yield ProbeResult(
            "vsa",
            f"D = {dim}, N = {facts}",
            "cos(unbind(key), value); control: the key of another fact",
            true,
            1 / math.sqrt(facts),
            other,
            0.0,
        )


def vector_specificity(dim: int, seed: int) -> Iterator[ProbeResult]:
    """The figure that the first design took for one of its model."""
    for facts in SPECIFICITY_FACTS:
        true, _, random = _cosines(dim, facts, seed)
        yield ProbeResult(
            "specificity",
            f"D = {dim}, N = {facts}, no model",
            "cos(unbind, value) - cos(unbind, random); control: the random one",
            true - random,
            1 / math.sqrt(facts),
            random,
            0.0,
        )


def vector_capacity(dim: int, seed: int) -> Iterator[ProbeResult]:
    """Right answers against the number of facts; keys that were never bound as the control."""
    for share in LOADS:
        facts = max(1, round(share * dim / HELD))
        right = falsely = 0
        for trial in range(TRIALS):
            tape, keys, ids = _filled(dim, facts, seed + trial)
            hashes = tape.hash(keys)
            right += int((tape.read(hashes, alpha=1.0, decoder="filter").ids == ids).sum())
            absent = tape.hash(keys + facts)
            falsely += int(tape.read(absent, ALPHA, decoder="filter").accepted.sum())
        yield ProbeResult(
            "capacity",
            f"D = {dim}, N = {facts}, M = {CANDIDATES}",
            f"facts answered right; control: unknown keys answered, alpha = {ALPHA:g}",
            right / (TRIALS * facts),
            accuracy(dim, facts, CANDIDATES),
            falsely / (TRIALS * facts),
            ALPHA,
        )


def _filled(dim: int, facts: int, seed: int) -> tuple[HoloTape, np.ndarray, np.ndarray]:
    """A tape of ``facts`` random facts, their keys 0..N-1 and value ids int64 [N]."""
    tape = HoloTape(dim, values=CANDIDATES, seed=seed, overfill=True)
    keys = np.arange(facts)
    ids = np.random.default_rng([seed, facts]).integers(CANDIDATES, size=facts)
    tape.bind_many(keys, ids)
    return tape, keys, ids


def _cosines(dim: int, facts: int, seed: int) -> tuple[float, float, float]:
    """Mean cosines of the unbound vectors with their values, of those under keys that were not
    bound with the same values, and of the first with random vectors."""
    total = torch.zeros(3, dtype=torch.float64)
    for trial in range(TRIALS):
        tape, keys, ids = _filled(dim, facts, seed + trial)
        values = signs(tape.vocabulary.codes.words(ids), dim).float()
        read = tape.unbind(tape.key_vectors(keys))
        strange = tape.unbind(tape.key_vectors(keys + facts))
        noise = torch.randn(facts, dim, generator=torch.Generator().manual_seed(seed + trial))
        pairs = ((read, values), (strange, values), (read, noise))
        cosines = [torch.cosine_similarity(x.double(), y.double(), dim=-1) for x, y in pairs]
        total += torch.stack([c.mean() for c in cosines])
    return tuple((total / TRIALS).tolist())


def trained(folder: Path) -> Prism:
    """The model in ``folder``, frozen.

    Raises:
        FileNotFoundError, ValueError: there is none, or it is not one of ``run_holo_train``.
    """
    model = load_saved(folder)
    config = model.config
    if not config.holo_mode or config.vocab_size != Retrieval.vocab_size:
        has = f"holo_mode = {config.holo_mode}, vocab_size = {config.vocab_size}"
        raise ValueError(f"{folder}: {has}: must be a model of prism.run_holo_train")
    return model.eval().requires_grad_(False)


def model_specificity(model: Prism, seed: int) -> Iterator[ProbeResult]:
    """Effect of binding a fact on its own answer."""
    exam = RetrievalEvalSet(model, FACTS, TAPE_DIM, seed)
    bound, exchanged, bare = (_share(exam, tape) for tape in (exam.tape, exam.exchanged(), None))
    yield ProbeResult(
        "specificity",
        f"D = {TAPE_DIM}, N = {FACTS}, trained model",
        "exact match, bound minus exchanged answers; control: no tape",
        bound - exchanged,
        _theory(exam),
        bare,
        0.0,
    )


def model_capacity(model: Prism, seed: int) -> Iterator[ProbeResult]:
    """Right answers against the number of facts on a small tape."""
    for facts in CAPACITY_FACTS:
        exam = RetrievalEvalSet(model, facts, CAPACITY_DIM, seed)
        absent = exam.unseen_facts(sibling=True)
        said = right(exam.replies(WORDINGS[0], absent, exam.tape), absent)
        yield ProbeResult(
            "capacity",
            f"D = {CAPACITY_DIM}, N = {facts}, trained model",
            "exact match, all of it from the tape; control: absent facts answered",
            _share(exam, exam.tape, from_tape=True),
            _theory(exam),
            1 - sum(said) / len(said),
            0.0,
        )


def _share(exam: RetrievalEvalSet, tape: TokenFacts | None, from_tape: bool = False) -> float:
    """Share of right replies; with ``from_tape`` of those that
    come from the tape up to their full stop."""
    replies = exam.replies(WORDINGS[0], exam.facts, tape)
    correct = right(replies, exam.facts)
    if from_tape:
        whole = [reply.from_tape == len(reply.tokens) + 1 for reply in replies]
        correct = [ok and all_of_it for ok, all_of_it in zip(correct, whole, strict=True)]
    return sum(correct) / len(correct)


def _theory(exam: RetrievalEvalSet) -> float:
    """Probability that a whole answer comes out of the register right and is not refused."""
    reads = [len(fact.answer) + 1 for fact in exam.facts]
    tape = exam.tape.tape
    once = accuracy(exam.dim, sum(reads), len(tape.vocabulary), tape.config.alpha)
    return sum(once**n for n in reads) / len(reads)


# by name: on random vectors, and on a trained model where there is such a probe
PROBES = {
    "vsa": (vsa, None),
    "specificity": (vector_specificity, model_specificity),
    "capacity": (vector_capacity, model_capacity),
}
