"""Reading of questions with words that no relation explains: a scene, a polite frame, an idiom.

    score(path) = w . (features of the path and of the words that it leaves over) + b
    p(path)     = exp score / (1 + sum over the candidates of exp score)      1: there is no answer

"A postcard arrived from Hanoi, what country's stamp is on it?" leaves "postcard", "arrived" and
"stamp" over and means the country; "the salary of the mayor of Hanoi" leaves "salary" over and does
not mean the mayor. What tells them apart is where a word hangs in the sentence (the noun asked for;
beside or above the last relation's word; in another clause), and what the question as a whole is
near to: the path in plain words, its last relation, another relation, or something that the base
does not have. Candidates are the paths of the search that leave few words over, where the words
alone explain none. Weights: ``leftover.json``, fitted by ``python -m prism.studies.mind.leaving``.
Needs the parser and the encoder.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp
from pathlib import Path as File

from prism.mind.reflect.encoder import EncoderReading
from prism.mind.reflect.graph import Graph
from prism.mind.reflect.phrases import Parsed, Tree
from prism.mind.reflect.question import Question
from prism.mind.reflect.readings import Reading
from prism.mind.reflect.relations import OWN, PART, Mention, Vocabulary
from prism.mind.reflect.search import Found, Path, crossings, fits
from prism.mind.reflect.words import BE, ORDINAL

FILE = File(__file__).with_name("leftover.json")
MOST, COMPARED = 8, 12  # words left over, paths that are weighed
LEAST = 0.55  # probability of an answer
WH = ("WDT", "WP", "WP$", "WRB")
CLAUSES = ("ROOT", "advcl", "relcl", "acl", "ccomp", "xcomp", "parataxis", "csubj", "pcomp")
BESIDE = ("amod", "compound", "poss", "nummod", "nmod", "npadvmod", "advmod", "det")
CORE = ("asked for", "above the last", "noun of the question", "verb of the question")
KINDS = {"N": "noun", "V": "verb", "J": "adjective", "C": "number"}  # by first letter of the tag


@dataclass(frozen=True)
class Candidate:
    """A path, the words that it leaves over, and its features."""

    path: Path
    missing: frozenset[int]
    features: Mapping[str, float]


@dataclass(frozen=True)
class Weights:
    """Weights of the features by name, and what scores start from."""

    features: Mapping[str, float]
    start: float

    def probabilities(self, candidates: Sequence[Candidate]) -> list[float]:
        """Of each candidate; what is left is the probability that there is no answer."""
        weight = self.features
        scores = [
            self.start + sum(weight.get(name, 0.0) * x for name, x in c.features.items())
            for c in candidates
        ]
        high = max([0.0, *scores])
        parts = [exp(score - high) for score in scores]
        return [part / (exp(-high) + sum(parts)) for part in parts]


@lru_cache(maxsize=1)
def weights() -> Weights:
    """The weights of the package."""
    found = json.loads(FILE.read_text("utf-8"))
    return Weights(found["features"], found["start"])


class LeftoverReading(Reading):
    """See the module.

    Args:
        encoder: reading whose vectors are used.
    """

    name = "leftover"

    def __init__(self, encoder: EncoderReading) -> None:
        self._encoder = encoder

    def extend(
        self,
        question: Question,
        mentions: Sequence[Mention],
        found: Found,
        graph: Graph,
        vocabulary: Vocabulary,
    ) -> Found:
        """The paths that are likely enough, where the words alone explain none: also in place of
        those that the encoder completed."""
        if any(not any(m and m.guess for m in path.mentions) for path in found.paths):
            return found
        some = candidates(question, found, graph, vocabulary, self._encoder)
        chosen = choice(some, weights())
        if chosen is None:
            return Found(near=[*((p, frozenset[int]()) for p in found.paths), *found.near])
        path = chosen.path
        alike = [path, *(p for p, _ in found.near if _shape(p) == _shape(path))]
        return Found(alike, dict.fromkeys(alike, 0.0), found.near)


def choice(some: Sequence[Candidate], weight: Weights) -> Candidate | None:
    """The likeliest of the paths that end where most of the probability lies; None if that is
    less than ``LEAST``."""
    shares = weight.probabilities(some)
    ends: dict[str, float] = {}
    for one, share in zip(some, shares, strict=True):
        ends[one.path.node] = ends.get(one.path.node, 0.0) + share
    end, share = max(ends.items(), key=lambda item: item[1], default=("", 0.0))
    if share < LEAST:
        return None
    best = max((s, -i) for i, s in enumerate(shares) if some[i].path.node == end)
    return some[-best[1]]


def candidates(
    question: Question, found: Found, graph: Graph, vocabulary: Vocabulary, encoder: EncoderReading
) -> list[Candidate]:
    """The paths of a search that may be meant, those that leave the fewest words over first."""
    some: dict[tuple, tuple[Path, frozenset[int]]] = {}
    for path, missing in [*((p, frozenset[int]()) for p in found.paths), *found.near]:
        last = path.mentions[-1]
        if len(missing) > MOST or last is None or last.hint or _turned(question, missing):
            continue
        key = (*_shape(path), path.used)
        if key not in some and fits(path, question, graph):
            some[key] = path, missing
        if len(some) == COMPARED:
            break
    if not some:
        return []
    tree = _Hanging(question)
    near, others = encoder.nearness(question, vocabulary)
    alike = [encoder.likeness(question, path) for path, _ in some.values()]
    fewest = min(len(missing) for _, missing in some.values())
    rows = []
    for (path, missing), like in zip(some.values(), alike, strict=True):
        if tree.done_to(path, missing):
            continue
        features = _of_path(path, question, tree)
        kinds = dict(tree.left_over(path, missing))
        for kind, count in Counter(kinds.values()).items():
            features[f"left: {kind}"] = count
        for kind in CORE:
            texts = [question.words[p].lower for p, k in kinds.items() if k == kind]
            relation = path.edges[-1].relation
            features[f"near: {kind}"] = sum(
                encoder.closeness(text, relation, vocabulary) for text in texts
            )
        last, walked = path.edges[-1].relation, {e.relation for e in path.edges}
        known = near.get(last, 0.0)
        features |= {
            "words left": len(missing),
            "more left than of another": len(missing) - fewest,
            "nothing left": not missing,
            "like": like,
            "less like than another": like - max(alike),
            "near last": known,
            "nearer than to the unknown": known - others,
            "nearer than to another": known
            - max((n for r, n in near.items() if r not in walked), default=0.0),
        }
        rows.append(Candidate(path, missing, features))
    return rows


def _shape(path: Path) -> tuple:
    return path.start.node, path.shape


def _turned(question: Question, missing: frozenset[int]) -> bool:
    """True if a word left over makes it another thing, whatever the rest says: "former"."""
    return any(question.turning(p) and question.words[p].lower not in ORDINAL for p in missing)


def _of_path(path: Path, question: Question, tree: _Hanging) -> dict[str, float]:
    last = path.mentions[-1]
    assert last is not None
    asked = question.asked()
    return {
        "steps": len(path.edges),
        "steps implied": path.implied,
        "steps back": sum(e.back for e in path.edges),
        "steps crossed": crossings(path),
        "guesses": sum(bool(m and m.guess) for m in path.mentions),
        "last guessed": last.guess,
        "last by its own word": last.weight >= OWN,
        "last by a weak word": last.weight < PART,
        "last by any of a kind": all(question.words[p].of_a_kind for p in last.places),
        "last is the noun asked for": asked is not None and asked in last.places,
        "last beside the question word": tree.asks_for(last.places),
        "last in the clause of the question": tree.in_question(last.places),
    }


class _Hanging(Tree):
    """Places of words in the dependency tree of a question."""

    def __init__(self, question: Question) -> None:
        super().__init__(question)
        self._question = question
        asking = [n for n, t in enumerate(self.tokens) if t.tag in WH and t.dep != "mark"]
        plain = [n for n in asking if all(self.tokens[m].dep != "relcl" for m in self.up(n))]
        self._wh = next(iter(plain or asking), None)
        root = next((n for n, t in enumerate(self.tokens) if t.dep == "ROOT"), 0)
        self._clause_asked = root if self._wh is None else self._clause(self._wh)

    def left_over(self, path: Path, missing: frozenset[int]) -> Iterator[tuple[int, str]]:
        """Every word left over, and where it hangs."""
        used, last = self._of(path.used), path.mentions[-1]
        final = self._of(last.places if last else ())
        for place in missing:
            if self._question.turning(place):
                yield place, "turns"
            elif self._question.named(place):
                yield place, "another name"
            elif place in self.of_word:
                yield place, self._where(self.of_word[place], used, final)

    def _where(self, n: int, used: set[int], final: set[int]) -> str:
        token = self.tokens[n]
        noun = token.tag[0] == "N"
        if self._is_asked(n, token, noun):
            return "asked for"
        if token.head != n and token.head in used and token.dep in BESIDE:
            return "beside"
        if noun and any(n in self.up(u) and n != u for u in final):
            return "above the last"
        if noun and any(m in final for m in self.up(n) if m != n):
            return "below the last"
        kind = KINDS.get(token.tag[0], "other") if token.tag != "MD" else "verb"
        where = "the question" if self._clause(n) == self._clause_asked else "another clause"
        return f"{kind} of {where}"

    def _is_asked(self, n: int, token: Parsed, noun: bool) -> bool:
        """True if the question word stands with a word ("which party"), or is said to be it."""
        if self._wh is None:
            return False
        wh = self.tokens[self._wh]
        many = self.tokens[wh.head]
        if many.text in ("many", "much") and many.head == n:  # "how many bridges"
            return True
        if wh.head == n and wh.dep in ("det", "poss", "amod", "attr"):
            return True
        above = self.tokens[token.head].text
        is_it = noun and wh.head == token.head and token.dep in ("nsubj", "attr", "nsubjpass")
        return is_it and (above in BE or above == "'s")

    def asks_for(self, places: frozenset[int]) -> bool:
        """True if the question word stands with one of the words, or beside it in the clause."""
        if self._wh is None:
            return False
        head = self.tokens[self._wh].head
        return any(
            u == head
            or (
                self.tokens[u].head == head
                and self.tokens[u].dep in ("nsubj", "attr", "nsubjpass", "dobj")
            )
            for u in self._of(places)
        )

    def done_to(self, path: Path, missing: frozenset[int]) -> bool:
        """True if the question asks who does what to the end of a path: "Who trained the mayor?"
        does not mean the mayor."""
        if self._wh is None or path.edges[-1].back or path.mentions[-1] is None:
            return False
        wh, verb = self.tokens[self._wh], self.tokens[self._wh].head
        if wh.dep != "nsubj" or verb not in self._of(missing) or self.tokens[verb].tag[0] != "V":
            return False
        ends = (self.tokens[u] for u in self._of(path.mentions[-1].places))
        return any(token.head == verb and token.dep == "dobj" for token in ends)

    def in_question(self, places: frozenset[int]) -> bool:
        """True if one of the words is in the clause of the question word."""
        return any(self._clause(u) == self._clause_asked for u in self._of(places))

    def _of(self, places: frozenset[int] | tuple[()]) -> set[int]:
        return {self.of_word[p] for p in places if p in self.of_word}

    def _clause(self, n: int) -> int:
        """The head of the clause of a token."""
        for m in self.up(n):
            token = self.tokens[m]
            if token.dep in CLAUSES or (token.dep == "conj" and token.tag[0] == "V"):
                return m
        return self.up(n)[-1]
