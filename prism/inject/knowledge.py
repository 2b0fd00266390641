"""What was bound: relations and their wordings, subjects and their names, answers in the register.

    address(s, r, j) = hash(s, r) moved to place j,    bank = hash(s)

The register holds sums. The list of facts beside it makes forgetting exact and lets an answer
name its source; it is never asked for an answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from prism.data.tokens import Tokenizer
from prism.holo.algebra.codes import bank_of, hash_keys, position_hashes
from prism.inject.addresses import AddressRegister
from prism.inject.calibration import Calibration
from prism.inject.names import Names
from prism.inject.probes import PROBES, SUBJECTS
from prism.inject.reading import last_states
from prism.inject.relations import Prototypes, score, without_twins

SLOT = "{}"
RIVALS = 2  # subjects that the probes' nouns are asked about
NEARLY = 0.1  # a relation this close behind the likeliest is tried after it
EXAMPLES = 8  # subjects that a wording's prototype is averaged over
FALSE_READ = 1e-5  # chance that an address nobody wrote gives a token
STATEMENT = re.compile(r"(?:The|the) (.+) (is|was|are|were)(?: the| called| called the)?")
QUESTIONS = ("Question: What VERB the REST? Answer:", "Q: What VERB the REST?\nA:")


@dataclass
class Fact:
    """One bound answer: its tokens with the ending, and where it came from."""

    object: str
    tokens: list[int]
    source: str | None


@dataclass
class Relation:
    """The wordings of one relation, ``{}`` for the subject; once made, its prototypes ``[1 or 2,
    D]`` and what its subjects could be asked instead, ``[C, D]``."""

    wordings: tuple[str, ...]
    prototypes: Tensor | None = field(default=None, repr=False)
    rivals: Tensor | None = field(default=None, repr=False)


class Knowledge:
    """Everything that is bound to one model.

    Args:
        tokenizer: turns answers into ids.
        register: holds them.
    """

    def __init__(self, tokenizer: Tokenizer, register: AddressRegister) -> None:
        self.tokenizer, self.register = tokenizer, register
        self.names = Names()
        self.relations: dict[str, Relation] = {}
        self.facts: dict[tuple[str, str], Fact] = {}
        self.calibration: Calibration | None = None
        self._bound: Prototypes | None = None
        self._noise = register.threshold(FALSE_READ)

    @property
    def share(self) -> float:
        """The least attention that a name in question has."""
        return self.calibration.share

    def describe(self, relation: str, wordings: Sequence[str]) -> None:
        """Give a relation its wordings; prototypes are made before the next text is read.

        Raises:
            ValueError: no wording, or one without exactly one ``{}``.
        """
        if not wordings:
            raise ValueError(f"relation {relation!r}: must have at least one wording")
        for wording in wordings:
            if wording.count(SLOT) != 1:
                raise ValueError(f"wording {wording!r}: must have exactly one {SLOT}")
        self.relations[relation] = Relation(tuple(wordings))
        self._bound = None

    def bind(self, subject: str, relation: str, answer: Fact) -> None:
        """Write an answer, in place of an earlier one to the same question."""
        if relation not in self.relations:
            self.describe(relation, default_wordings(relation))
        self.names.add(subject, subject)
        if (subject, relation) in self.facts:
            self._take_out(subject, relation)
        self.register.write(*self._items(subject, relation, answer.tokens))
        self.facts[subject, relation] = answer

    def forget(self, subject: str, relation: str) -> None:
        """Take an answer out of the register again, exactly; with its last fact a subject's names
        go as well.

        Raises:
            KeyError: it was never bound.
        """
        if (subject, relation) not in self.facts:
            raise KeyError(f"no fact is bound about the {relation} of {subject}")
        self._take_out(subject, relation)
        if not any(s == subject for s, _ in self.facts):
            self.names.remove(subject)

    def _take_out(self, subject: str, relation: str) -> None:
        fact = self.facts.pop((subject, relation))
        self.register.remove(*self._items(subject, relation, fact.tokens))

    def read(self, subject: str, relation: str, place: int) -> tuple[int, float] | None:
        """The token at one place of an answer and its z-score, or None below the noise."""
        addresses, banks = self._places(subject, relation, np.array([place]))
        tokens, z = self.register.read(addresses, banks)
        return (int(tokens), float(z)) if float(z) > self._noise else None

    def source(self, subject: str, relation: str) -> str | None:
        """Where the fact came from, if that was said."""
        fact = self.facts.get((subject, relation))
        return None if fact is None else fact.source

    def asked(self, hidden: Tensor) -> list[list[tuple[str, float]]]:
        """For each state ``[T, n, D]`` of the n calibrated layers the relations it may ask about,
        the likeliest first, and how far each is above the threshold: below 0 for a relation that
        counts only where its own words stand in the text. Empty where nothing is asked."""
        if self._bound is None:
            return [[] for _ in hidden]
        scores = score(self.calibration.space(hidden), self._bound, self._rivals)
        best = scores.amax(dim=-1)
        known, found = list(self.relations), []
        for row, top in zip(scores, best.tolist(), strict=True):
            if top <= self._lowest:
                found.append([])
                continue
            near = (row > max(self._lowest, top - NEARLY)).nonzero()[:, 0]
            order = near[row[near].argsort(descending=True)].tolist()
            found.append([(known[i], float(row[i]) - self._threshold) for i in order])
        return found

    def prepare(self, model: nn.Module) -> None:
        """Make the prototypes that are missing: the only forward passes binding ever needs."""
        if self._bound is not None or not self.relations:
            return
        for name, relation in self.relations.items():
            if relation.prototypes is None:
                subjects = [s for s, r in self.facts if r == name][:EXAMPLES]
                relation.prototypes = self._prototypes(model, relation.wordings, subjects)
                relation.rivals = self._rivals_of(model, subjects[:RIVALS])
        made = list(self.relations.values())
        owner = [i for i, r in enumerate(made) for _ in r.prototypes]
        self._bound = Prototypes(torch.cat([r.prototypes for r in made]), torch.tensor(owner))
        rivals = torch.cat([self.calibration.competitors, *(r.rivals for r in made)])
        self._rivals = without_twins(rivals, self._bound)
        self._threshold = self.calibration.threshold(self._bound, self._rivals)
        self._lowest = min(self._threshold, self.calibration.spoken)

    def _rivals_of(self, model: nn.Module, subjects: Sequence[str]) -> Tensor:
        """The nouns of the probes, asked about the tape's own subjects; none without either."""
        if not subjects or not len(self.calibration.competitors):
            return self.calibration.competitors[:0]
        nouns = [p.nouns[0] for p in PROBES]
        y = self._mapped(
            model, [fill_in(f"The {n} of {SLOT} is", s) for n in nouns for s in subjects]
        )
        return F.normalize(y.unflatten(0, (len(nouns), -1)).mean(dim=1), dim=-1)

    def _prototypes(
        self, model: nn.Module, wordings: Sequence[str], subjects: Sequence[str]
    ) -> Tensor:
        """The mean over statements, and over the questions made from them; a few famous names
        help out where a relation has few subjects."""
        fill = [names[i] for i in range(2) for names in SUBJECTS.values()]
        names = [*subjects, *fill][: max(len(subjects), EXAMPLES // 2)]
        groups = filter(None, [wordings, questions(wordings)])
        rows = [self._mapped(model, [fill_in(w, s) for w in g for s in names]) for g in groups]
        return F.normalize(torch.stack([y.mean(dim=0) for y in rows]), dim=-1)

    def _mapped(self, model: nn.Module, texts: Sequence[str]) -> Tensor:
        """``[N, D]`` mapped states at the end of each text."""
        tokens = [self.tokenizer.encode(t) for t in texts]
        hidden, _ = last_states(model, tokens, self.calibration.layers)
        return self.calibration.space(hidden)

    def _items(
        self, subject: str, relation: str, tokens: list[int]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        addresses, banks = self._places(subject, relation, np.arange(len(tokens)))
        return addresses, np.array(tokens, dtype=np.int64), banks

    def _places(
        self, subject: str, relation: str, places: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Address and bank of each place ``[N]`` of an answer."""
        root, about = hash_keys([f"{subject}\0{relation}", subject])
        bank = bank_of(np.array([about]), self.register.register.banks)
        roots = np.full(len(places), root)
        return position_hashes(roots, places), np.full(len(places), bank[0])


def fill_in(wording: str, subject: str) -> str:
    """The wording about ``subject``, starting with a capital letter."""
    text = wording.replace(SLOT, subject)
    return text[0].upper() + text[1:]


def default_wordings(relation: str) -> tuple[str, ...]:
    """Wordings for a relation that is known by its noun alone."""
    return tuple(
        w.replace("REL", relation) for w in ("The REL of {} is", "{}'s REL is", "The REL for {} is")
    )


def questions(wordings: Sequence[str]) -> list[str]:
    """Questions that the first statement of the form "The ... is" answers."""
    for wording in wordings:
        match = STATEMENT.fullmatch(wording)
        if match:
            rest, verb = match.groups()
            return [q.replace("VERB", verb).replace("REST", rest) for q in QUESTIONS]
    return []
