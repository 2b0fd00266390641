"""Facts of one model: relations and their wordings, subjects and their names, answers as tokens.

    address(s, r, j) = hash(s, r) moved to place j

The answers lie in an :class:`AnswerAccumulator`, which also lists them; what is kept here beside it
is text: how a relation is worded, and which subjects it is bound for.
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
from prism.holo import FactStore
from prism.holo.algebra.codes import hash_keys, position_hashes
from prism.inject.addresses import AnswerAccumulator, banks_for
from prism.inject.calibration import Calibration
from prism.inject.clause import content, words_of
from prism.inject.names import SLOT, Names, fill_in, subject_of, wording_of
from prism.inject.probes import PROBES, SUBJECTS
from prism.inject.reading import last_states
from prism.inject.relation_space import Prototypes, score, without_near_duplicates
from prism.inject.sync import LiveView, parts
from prism.inject.trigger import Candidate, Levels, noun_of, words
from prism.inject.wordings import SecondOpinion

NEGATIVES = 2  # subjects that the probes' nouns are asked about
SMALLEST_GAP = 0.05  # between the two scores that clearness is measured by
EXAMPLES = 8  # subjects that a wording's prototype is averaged over
FALSE_READ = 1e-5  # chance that an address nobody wrote gives a token
STATEMENT = re.compile(r"(?:The|the) (.+) (is|was|are|were)(?: the| called| called the)?")
WORDINGS = ("The REL of {} is", "{}'s REL is", "The REL for {} is")  # of a noun alone
QUESTIONS = ("Question: What VERB the REST? Answer:", "Q: What VERB the REST?\nA:")


@dataclass
class Relation:
    """One relation.

    Attributes:
        wordings: with ``{}`` for the subject.
        subjects: those it is bound for, in the order they were bound.
        prototypes: ``[1 or 2, D]``, once made.
        negatives: ``[C, D]``, what the subjects could be asked instead, once made.
    """

    wordings: tuple[str, ...]
    subjects: dict[str, None] = field(default_factory=dict)
    prototypes: Tensor | None = field(default=None, repr=False)
    negatives: Tensor | None = field(default=None, repr=False)


class Knowledge:
    """Everything that is bound to one model.

    Args:
        tokenizer: turns answers into ids.
        answers: holds them.
    """

    def __init__(self, tokenizer: Tokenizer, answers: AnswerAccumulator) -> None:
        self.tokenizer = tokenizer
        self.names = Names()
        self.relations: dict[str, Relation] = {}
        self.calibration: Calibration | None = None
        self.levels = Levels()
        self.opinion: SecondOpinion | None = None
        self._bound: Prototypes | None = None
        self._columns: dict[str, int] = {}
        self._words: dict[str, tuple[tuple[str, ...], frozenset[str]]] = {}
        self.reset(answers)

    def reset(self, answers: AnswerAccumulator) -> None:
        """Go on with another accumulator, an empty one; names and wordings stay."""
        self.answers = answers
        self._noise = answers.threshold(FALSE_READ)
        self._about: dict[str, dict[str, None]] = {}
        for relation in self.relations.values():
            relation.subjects.clear()

    def __contains__(self, fact: tuple[str, str]) -> bool:
        """True if an answer is bound for a (subject, relation)."""
        return self._root(*fact) in self.answers

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
        before = self.relations.get(relation)
        subjects = {} if before is None else before.subjects
        self.relations[relation] = Relation(tuple(wordings), subjects)
        self._bound = None

    def bind(
        self, subject: str, relation: str, tokens: Sequence[int], source: str | None = None
    ) -> None:
        """Write an answer, in place of an earlier one to the same question.

        Raises:
            ValueError: a token that the accumulator does not have, or a subject without a letter.
        """
        self.names.check(subject, subject)
        self.answers.bind(self._root(subject, relation), tokens, source)
        if relation not in self.relations:
            whole = relation.count(SLOT) == 1  # a wording is its own name
            self.describe(
                relation, [relation] if whole else [w.replace("REL", relation) for w in WORDINGS]
            )
        self.names.add(subject, subject)
        subjects = self.relations[relation].subjects
        subjects.pop(subject, None)
        subjects[subject] = None
        self._about.setdefault(subject, {})[relation] = None

    def forget(self, subject: str, relation: str) -> None:
        """Take an answer out of the accumulator again, exactly.

        Raises:
            KeyError: it was never bound.
        """
        if (subject, relation) not in self:
            raise KeyError(f"no fact is bound about the {relation} of {subject}")
        self.answers.forget(self._root(subject, relation))
        del self.relations[relation].subjects[subject]
        del self._about[subject][relation]

    def forget_names(self, subject: str) -> None:
        """Drop the names of a subject about which nothing is bound any more."""
        if not self._about.get(subject):
            self._about.pop(subject, None)
            self.names.remove(subject)

    def locate(self, prompt: str) -> tuple[str, str]:
        """Subject and relation of a sentence; raises ValueError where it has no subject."""
        subject = subject_of(prompt, self.names)
        return subject, self.relation_of(prompt, subject)

    def relation_of(self, prompt: str, subject: str) -> str:
        """The relation whose wording a sentence is, or the wording itself as a new one's name."""
        wording = wording_of(prompt, subject)
        known = (name for name, r in self.relations.items() if wording in r.wordings)
        return next(known, wording)

    def read(self, subject: str, relation: str, place: int) -> tuple[int, float] | None:
        """The token at one place of an answer and its z-score, or None below the noise."""
        root = self._root(subject, relation)
        tokens, z = self.answers.read(position_hashes(np.array([root]), np.array([place])))
        return (int(tokens), float(z)) if float(z) > self._noise else None

    def source(self, subject: str, relation: str) -> str | None:
        """Source of the fact, if one was given."""
        return self.answers.source(self._root(subject, relation))

    def clearness(self, hidden: Tensor) -> Tensor | None:
        """Clearness with which each state ``[T, n, D]`` of the n layers asks about each relation,
        ``[T, R]`` in the units of :class:`~prism.inject.trigger.Levels`; None if there is none."""
        if self._bound is None:
            return None
        scores = score(self.calibration.space(hidden), self._bound, self._negatives)
        return (scores - self._lowest) / max(self._threshold - self._lowest, SMALLEST_GAP)

    def relations_of(self, subject: str) -> list[str]:
        """The relations that are bound for a subject."""
        return list(self._about.get(subject, ()))

    def index(self, relation: str) -> int:
        """The column of a relation in :meth:`clearness`."""
        return self._columns[relation]

    def said_as(self, relation: str) -> tuple[tuple[str, ...], frozenset[str]]:
        """The words of a relation: its name's, or those that all its wordings share; and the stems
        of all words that its wordings use."""
        return self._words[relation]

    def worded(self, relation: str) -> tuple[frozenset[str], ...]:
        """The stems of each other wording of a relation that a second opinion knows of."""
        name = " ".join(self.said_as(relation)[0])
        return () if self.opinion is None else self.opinion.worded(name)

    def asked(self, one: Candidate) -> float | None:
        """The value by which a candidate is ranked if its relation is asked for, else None: the
        log-odds of a second opinion where the words leave it open and there is one, else the
        clearness of the state."""
        levels = self.levels
        if one.refused and (self.opinion is None or one.said.kind == "asked"):
            return None
        if self.opinion is not None and one.said.kind != "asked":
            if not levels.hears(one):
                return None
            odds = self.opinion.odds(one, self.said_as(one.relation)[0])
            return odds if odds > levels.odds else None
        level = levels.of(one.said, one.clause.distance, one.place)
        return one.clearness if one.clearness > level else None

    def prepare(self, model: nn.Module) -> None:
        """Make the prototypes that are missing: the only forward passes binding ever needs."""
        if self._bound is not None or not self.relations:
            return
        for relation in self.relations.values():
            if relation.prototypes is None:
                subjects = list(relation.subjects)[:EXAMPLES]
                relation.prototypes = self._prototypes(model, relation.wordings, subjects)
                relation.negatives = self._negatives_of(model, subjects[:NEGATIVES])
        made = list(self.relations.values())
        self._columns = {name: i for i, name in enumerate(self.relations)}
        self._words = {name: relation_words(name, r.wordings) for name, r in self.relations.items()}
        owner = [i for i, r in enumerate(made) for _ in r.prototypes]
        self._bound = Prototypes(torch.cat([r.prototypes for r in made]), torch.tensor(owner))
        negatives = torch.cat([self.calibration.competitors, *(r.negatives for r in made)])
        self._negatives = without_near_duplicates(negatives, self._bound)
        self._threshold = self.calibration.threshold(self._bound, self._negatives)
        self._lowest = min(self._threshold, self.calibration.spoken)

    def _negatives_of(self, model: nn.Module, subjects: Sequence[str]) -> Tensor:
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

    def _root(self, subject: str, relation: str) -> np.uint64:
        """The hash of a fact, from which its addresses are made."""
        return hash_keys([f"{subject}\0{relation}"])[0]


class KnowledgeView(LiveView):
    """The facts of a store as a model's :class:`Knowledge`; an address is (subject, relation).

    Attributes:
        given: (subject, relation, ending) of the keys that were bound through the model, as a key
            like "head of state of Freedonia" alone does not separate them.
    """

    def __init__(self, store: FactStore, knowledge: Knowledge) -> None:
        super().__init__(store)
        self.knowledge = knowledge
        self.given: dict[str, tuple[str, str, str]] = {}

    def reset(self, room: int) -> None:
        size = len(self.knowledge.answers.codes)
        banks = banks_for(room, size)
        self.knowledge.reset(AnswerAccumulator(vocab_size=size, banks=banks, grow=True))

    def tokens_of(self, answer: str) -> int:
        return len(self.knowledge.tokenizer.encode(f" {answer}."))

    def place(self, key: str) -> tuple[str, str]:
        if key in self.given:
            return self.given[key][:2]
        texts = parts(key)
        if len(texts) == 1:
            return self.knowledge.locate(texts[0])
        return self.knowledge.names.same(texts[0]), texts[1]

    def add(self, address: tuple[str, str], answer: str, source: str | None) -> None:
        given = self.given.get(self.key_of(address))
        tokens = self.knowledge.tokenizer.encode(f" {answer}{given[2] if given else '.'}")
        self.knowledge.bind(*address, tokens, source)

    def remove(self, address: tuple[str, str]) -> None:
        self.knowledge.forget(*address)

    def sync(self) -> bool:
        before = {subject for subject, _ in self._keys}
        changed = super().sync()
        if changed:
            for subject in before - {subject for subject, _ in self._keys}:
                self.knowledge.forget_names(subject)
        return changed


def relation_words(name: str, wordings: Sequence[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """The words that say a relation: its name's if all wordings have them, else the ones that all
    wordings share, in the order of the first; and the stems of the words of all wordings."""
    shared, usual = noun_of(wordings), frozenset(content(words_of(" ".join(wordings))))
    if SLOT not in name and shared <= frozenset(words(name)):
        return tuple(words_of(name)), usual
    return tuple(w for w in words(wordings[0]) if w in shared), usual


def questions(wordings: Sequence[str]) -> list[str]:
    """Questions that the first statement of the form "The ... is" answers."""
    for wording in wordings:
        match = STATEMENT.fullmatch(wording)
        if match:
            rest, verb = match.groups()
            return [q.replace("VERB", verb).replace("REST", rest) for q in QUESTIONS]
    return []
