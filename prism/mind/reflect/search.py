"""Path search: bound paths from a name of the question whose relations' words explain the rest.

    score(path) = sum of the weights of the words that its relations explain
                  - HOP per step - IMPLIED per implied step - AGAINST per step against the words
                  - CROSSED per step out of the order of the words

A step needs a mention of its relation that no other step has used. Words that may stand for any
thing of a kind ("country") weigh less than a step costs, so they add none that is not needed. A
step that no word asks for is allowed where English leaves it out: from a place to what contains it
("the currency where she lives": home, *country*, currency), and from a thing to its name. A path is
complete when every content word is part of a mention of one of its relations, and every name lies
on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from prism.mind.reflect.direction import points_back, ways
from prism.mind.reflect.graph import Edge, Graph
from prism.mind.reflect.kinds import KIND_OF_NOUN, kind_of, may_be
from prism.mind.reflect.question import SPEAKER, Name, Question
from prism.mind.reflect.relations import SAID, Mention, Said, leads_to, naming
from prism.mind.reflect.thesaurus import CONTAINERS
from prism.mind.reflect.words import singular

HOPS, BEAM = 6, 400  # steps of a path, paths of a frontier
HOP, IMPLIED, AGAINST, CROSSED, FAR = 0.3, 0.3, 0.1, 0.15, 0.25
AHEAD = ("to", "by", "for", "from", "with", "and", "so", "in")  # of a question word


@dataclass(frozen=True)
class Path:
    """Steps from a name, with the mention that asked for each (None = implied)."""

    start: Name
    edges: tuple[Edge, ...] = ()
    mentions: tuple[Mention | None, ...] = ()

    @property
    def node(self) -> str:
        """Node at which it ends."""
        return self.edges[-1].end if self.edges else self.start.node

    @property
    def shape(self) -> tuple[tuple[str, bool], ...]:
        """Its relations, and which of them are walked backwards."""
        return tuple((e.relation, e.back) for e in self.edges)

    @property
    def used(self) -> frozenset[int]:
        """Places of the words that its steps have used."""
        return frozenset(p for m in self.mentions if m for p in m.places)

    @property
    def implied(self) -> int:
        """Steps that no word asks for, names of things not counted."""
        return sum(
            m is None and not naming(e.relation)
            for e, m in zip(self.edges, self.mentions, strict=True)
        )

    @property
    def promise(self) -> float:
        """Score of an unfinished path, by the mentions that it has used."""
        return sum(m.weight for m in self.mentions if m) - HOP * len(self.edges)


@dataclass
class Found:
    """Complete paths of a search, the best first, and what it tried.

    Attributes:
        paths: complete ones.
        scores: theirs.
        near: the best incomplete ones, with the words that they leave unexplained.
    """

    paths: list[Path] = field(default_factory=list)
    scores: dict[Path, float] = field(default_factory=dict)
    near: list[tuple[Path, frozenset[int]]] = field(default_factory=list)


def search(
    question: Question,
    mentions: Sequence[Mention],
    graph: Graph,
    hops: int = HOPS,
) -> Found:
    """Complete paths of at most ``hops`` steps from any name of the question."""
    required = question.required()
    by_relation: dict[str, list[Mention]] = {}
    for mention in mentions:
        by_relation.setdefault(mention.relation, []).append(mention)
    allowed = {
        m: {b for b, way in zip((False, True), ways(m, question), strict=True) if way}
        for m in mentions
    }
    likely = {m: points_back(m, question) for m in mentions}
    found = Found()
    said = Said(question, required)
    frontier = [Path(name) for name in question.names]
    for _ in range(hops):
        frontier = _advance(frontier, by_relation, allowed, graph, said)
        graph.ahead(path.node for path in frontier)  # all at once, for what follows
        for path in frontier:
            missing = _missing(path, question, required, by_relation, said)
            if not missing and fits(path, question, graph):
                found.paths.append(path)
            else:
                found.near.append((path, missing))
        frontier = sorted(frontier, key=lambda p: -p.promise)[:BEAM]
        if not frontier:
            break
    found.scores = {p: score(p, by_relation, likely) for p in found.paths}
    found.paths.sort(key=lambda p: (-found.scores[p], len(p.edges)))
    found.near.sort(key=lambda pair: (len(pair[1]), -pair[0].promise))
    return found


def _advance(
    frontier: list[Path],
    by_relation: dict[str, list[Mention]],
    allowed: Mapping[Mention, set[bool]],
    graph: Graph,
    said: Said,
) -> list[Path]:
    """The paths that are one step longer; the facts of all of them are read at once."""
    if not frontier:
        return []
    nodes = [path.node for path in frontier]
    steps: dict[str, list[Edge]] = {}
    wanted = [*by_relation, *(r for r in ("name", "nickname", "alias", "also known as"))]
    for edge in [*graph.ahead(nodes), *graph.behind(nodes, wanted)]:
        if edge.relation in by_relation or _may_be_implied(edge) or said.places(edge):
            steps.setdefault(edge.start, []).append(edge)
    candidates = [edge for edges in steps.values() for edge in edges]
    steps = {}
    for edge in graph.checked(candidates):
        steps.setdefault(edge.start, []).append(edge)
    longer = []
    for path in frontier:
        seen = {path.start.node, *(e.end for e in path.edges)}
        here = steps.get(path.node, ())
        backs = Counter(e.relation for e in here if e.back)
        for edge in here:
            if edge.end in seen or _turns_round(path, edge):
                continue
            for mention in by_relation.get(edge.relation, ()):
                vague = mention.guess and edge.back and backs[edge.relation] > 1
                if edge.back in allowed[mention] and not (vague or mention.places & path.used):
                    longer.append(_longer(path, edge, mention))
            if places := said.places(edge) - path.used:
                longer.append(_longer(path, edge, Mention(edge.relation, places, SAID, said=True)))
            if _may_be_implied(edge) and _left_out(path, edge):
                longer.append(_longer(path, edge, None))
    return longer


def _turns_round(path: Path, edge: Edge) -> bool:
    """True if a step walks back the relation that the last one walked: to what has the same."""
    return (
        bool(path.edges)
        and path.edges[-1].relation == edge.relation
        and (path.edges[-1].back != edge.back)
    )


def _longer(path: Path, edge: Edge, mention: Mention | None) -> Path:
    return Path(path.start, (*path.edges, edge), (*path.mentions, mention))


def _may_be_implied(edge: Edge) -> bool:
    return naming(edge.relation) or (not edge.back and edge.relation in CONTAINERS)


def _left_out(path: Path, edge: Edge) -> bool:
    """True if English may leave the step out here."""
    if naming(edge.relation):
        return True
    if not path.edges:
        return True  # only in a frame of place; see fits
    last = path.edges[-1]
    return not last.back and leads_to(last.relation) == "place" and path.mentions[-1] is not None


def _missing(
    path: Path,
    question: Question,
    required: set[int],
    by_relation: dict[str, list[Mention]],
    said: Said,
) -> frozenset[int]:
    """Content words and names that a path leaves unexplained."""
    explained = set(path.used)
    for edge, used in zip(path.edges, path.mentions, strict=True):
        explained |= said.places(edge)
        for mention in by_relation.get(edge.relation, ()):
            if mention.guess and not (used is not None and used.guess):
                continue
            places = mention.places - path.used
            if not any(question.turning(p) or _again(p, path, question) for p in places):
                explained |= mention.places
    nodes = {path.start.node, *(e.end for e in path.edges)}
    for name in question.names:
        if name.node == SPEAKER and question.words[name.first].lower not in ("my", "our"):
            continue  # "tell me", "where would I find": who asks need not be asked about
        if name.node not in nodes and name.first != path.start.first:
            explained -= set(range(name.first, name.last + 1))
            required = required | set(range(name.first, name.last + 1))
    return frozenset(required - explained)


def _again(place: int, path: Path, question: Question) -> bool:
    """True if a word stands a second time, so that it wants a step of its own."""
    return question.words[place].stem in {question.words[p].stem for p in path.used}


def fits(path: Path, question: Question, graph: Graph) -> bool:
    """True if a complete path may be the answer: it does not end with an implied step (a name may),
    begins with one only in a frame of place, and its nodes are what the question's nouns say."""
    if path.edges[-1].fact is None:
        return False
    if path.mentions[-1] is None and not naming(path.edges[-1].relation):
        return False
    if all(m is None for m in path.mentions):
        return False
    last = path.edges[-1]
    if question.wants_a_number() and (last.back or leads_to(last.relation) is not None):
        return False
    if question.words[0].lower == "where" and last.shown.isdigit():
        return False  # born in 1980: a year is no place
    hints = [i for i, m in enumerate(path.mentions) if m is not None and m.hint]
    if any(e.relation not in CONTAINERS for i in hints for e in path.edges[i + 1 :]):
        return False  # "where" and "from" ask, they do not lead on
    if path.mentions[0] is None and not naming(path.edges[0].relation):
        before = question.words[path.start.first - 1].lower if path.start.first else ""
        places = ("in", "at", "from", "to", "into", "visit", "visiting")
        stranded = question.words[-1].lower in ("in", "on", "at", "from")
        if before not in places and not stranded:
            return False
    asked = question.asked()
    if asked is not None and asked in path.used:
        ends = [
            m for e, m in zip(path.edges, path.mentions, strict=True) if m and asked in m.places
        ]
        if path.mentions[-1] not in ends:
            return False
    kinds = [kind_of((e.relation for e in graph.ahead([path.start.node])), None)]
    for edge in path.edges:
        kinds.append(kind_of((e.relation for e in graph.ahead([edge.end])), edge))
    has = {e.relation for e in graph.ahead([path.node])}
    guessed = path.mentions[-1] is not None and path.mentions[-1].guess
    return _of_its_kind(kinds, has, question, path.used, guessed)


def _of_its_kind(
    kinds: list[str | None],
    has: set[str],
    question: Question,
    used: frozenset[int],
    guessed: bool,
) -> bool:
    """True if the last node is what "which city" or a leading "who" asks for, and every other noun
    of a kind has a node that it may mean. A node that has such a thing itself is not what is asked
    for, and after a guess its kind must be known.
    """
    words = [w.lower for w in question.words]
    for i, word in enumerate(words):
        asked = KIND_OF_NOUN.get(word) or KIND_OF_NOUN.get(singular(word))
        if asked is None or question.named(i):
            continue
        if (i and words[i - 1] in ("which", "what")) or (
            word in ("who", "where", "whom") and (i == 0 or (i == 1 and words[0] in AHEAD))
        ):
            if guessed and kinds[-1] is None:
                return False
            loose = word in ("who", "where") and kinds[-1] == "organisation"  # "who ... work for"
            if not (may_be(kinds[-1], asked) or loose) or (word in has and i not in used):
                return False
        elif word in ("who", "whom", "where") or i in used:
            continue
        elif not any(may_be(kind, asked) for kind in kinds):
            return False
    return True


def score(
    path: Path, by_relation: Mapping[str, list[Mention]], likely: Mapping[Mention, bool]
) -> float:
    """See the module."""
    weights: dict[int, float] = {}
    for edge, used in zip(path.edges, path.mentions, strict=True):
        own = by_relation.get(edge.relation, ())
        for mention in [*own, used] if used is not None and used.said else own:
            if mention.guess and mention is not used:
                continue
            near = used is None or mention is used or not _between(mention, used, path)
            for place in mention.places:
                weight = mention.weight if near else FAR * mention.weight
                weights[place] = max(weights.get(place, 0.0), weight)
    pairs = list(zip(path.edges, path.mentions, strict=True))
    against = sum(m is not None and likely.get(m, False) != e.back for e, m in pairs)
    cost = HOP * len(pairs) + IMPLIED * path.implied + AGAINST * against
    return sum(weights.values()) - cost - CROSSED * crossings(path)


def _between(one: Mention, other: Mention, path: Path) -> bool:
    """True if a step's words stand between two mentions of another step's relation."""
    low, high = sorted((min(one.places), min(other.places)))
    return any(low < p < high for m in path.mentions if m and m is not other for p in m.places)


def crossings(path: Path) -> int:
    """Steps whose words stand nearer to the name than those of the step before, on one side of it:
    English nests, "the hobby of the mayor of the capital of X"."""
    sides: dict[bool, list[int]] = {False: [], True: []}
    for mention in path.mentions:
        if mention is not None:
            first = min(mention.places)
            sides[first > path.start.first].append(abs(first - path.start.first))
    return sum(b < a for side in sides.values() for a, b in pairwise(side))
