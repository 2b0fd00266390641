"""Path search: bound paths from a name of the question whose relations' words explain the rest.

    score(path) = sum of the weights of its mentions - HOP per step - IMPLIED per implied step

A step needs a mention of its relation that no other step has used. A step that no word asks for is
allowed where English leaves it out: from a place to what contains it ("the currency where she
lives": home, *country*, currency), and from a thing to its name. A path is complete when every
content word is part of a mention of one of its relations, and every name lies on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from prism.mind.reflect.direction import points_back, ways
from prism.mind.reflect.graph import Edge, Graph
from prism.mind.reflect.kinds import KIND_OF_NOUN, kind_of, may_be
from prism.mind.reflect.question import Name, Question
from prism.mind.reflect.relations import Mention, leads_to, naming
from prism.mind.reflect.thesaurus import CONTAINERS

HOPS, BEAM = 6, 400  # steps of a path, paths of a frontier
HOP, IMPLIED, LIKELY = 0.05, 0.5, 0.1


@dataclass(frozen=True)
class Path:
    """Steps from a name, with the mention that asked for each (None = implied)."""

    start: Name
    edges: tuple[Edge, ...] = ()
    mentions: tuple[Mention | None, ...] = ()

    @property
    def node(self) -> str:
        """Where it ends."""
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
    def score(self) -> float:
        """See the module."""
        weight = sum(m.weight * (1 + 0.25 * (len(m.places) - 1)) for m in self.mentions if m)
        return weight - HOP * len(self.edges) - IMPLIED * self.implied


@dataclass
class Found:
    """Complete paths of a search, the best first, and what it tried.

    Attributes:
        paths: complete ones.
        near: the best incomplete ones, with the words that they leave unexplained.
    """

    paths: list[Path] = field(default_factory=list)
    near: list[tuple[Path, frozenset[int]]] = field(default_factory=list)


def search(question: Question, mentions: Sequence[Mention], graph: Graph) -> Found:
    """Complete paths from any name of the question."""
    required = question.required()
    by_relation: dict[str, list[Mention]] = {}
    for mention in mentions:
        by_relation.setdefault(mention.relation, []).append(mention)
    allowed = {m: {b for b, way in zip((False, True), ways(m, question), strict=True) if way}
               for m in mentions}
    likely = {m: points_back(m, question) for m in mentions}
    found = Found()
    frontier = [Path(name) for name in question.names]
    for _ in range(HOPS):
        frontier = _advance(frontier, by_relation, allowed, graph)
        for path in frontier:
            missing = _missing(path, question, required, by_relation)
            if not missing and fits(path, question, graph):
                found.paths.append(path)
            else:
                found.near.append((path, missing))
        frontier = sorted(frontier, key=lambda p: -p.score)[:BEAM]
        if not frontier:
            break
    found.paths.sort(key=lambda p: (-p.score + LIKELY * _against(p, likely), len(p.edges)))
    found.near.sort(key=lambda pair: (len(pair[1]), -pair[0].score))
    return found


def _advance(
    frontier: list[Path],
    by_relation: dict[str, list[Mention]],
    allowed: Mapping[Mention, set[bool]],
    graph: Graph,
) -> list[Path]:
    """The paths that are one step longer; the facts of all of them are read at once."""
    if not frontier:
        return []
    nodes = [path.node for path in frontier]
    steps: dict[str, list[Edge]] = {}
    wanted = [*by_relation, *(r for r in ("name", "nickname", "alias", "also known as"))]
    for edge in [*graph.ahead(nodes), *graph.behind(nodes, wanted)]:
        if edge.relation in by_relation or _may_be_implied(edge):
            steps.setdefault(edge.start, []).append(edge)
    candidates = [edge for edges in steps.values() for edge in edges]
    steps = {}
    for edge in graph.checked(candidates):
        steps.setdefault(edge.start, []).append(edge)
    longer = []
    for path in frontier:
        seen = {path.start.node, *(e.end for e in path.edges)}
        for edge in steps.get(path.node, ()):
            if edge.end in seen:
                continue
            for mention in by_relation.get(edge.relation, ()):
                if edge.back in allowed[mention] and not mention.places & path.used:
                    longer.append(_longer(path, edge, mention))
            if _may_be_implied(edge) and _left_out(path, edge):
                longer.append(_longer(path, edge, None))
    return longer


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
    path: Path, question: Question, required: set[int], by_relation: dict[str, list[Mention]]
) -> frozenset[int]:
    """Content words and names that a path leaves unexplained."""
    explained = set(path.used)
    for edge in path.edges:
        for mention in by_relation.get(edge.relation, ()):
            if not any(question.turning(p) for p in mention.places - path.used):
                explained |= mention.places
    nodes = {path.start.node, *(e.end for e in path.edges)}
    for name in question.names:
        if name.node not in nodes and name.first != path.start.first:
            explained -= set(range(name.first, name.last + 1))
            required = required | set(range(name.first, name.last + 1))
    return frozenset(required - explained)


def fits(path: Path, question: Question, graph: Graph) -> bool:
    """True if a complete path may be the answer: it does not end with an implied step (a name may),
    begins with one only in a frame of place, and its nodes are what the question's nouns say."""
    if path.mentions[-1] is None and not naming(path.edges[-1].relation):
        return False
    if all(m is None for m in path.mentions):
        return False
    if path.mentions[0] is None and not naming(path.edges[0].relation):
        before = question.words[path.start.first - 1].lower if path.start.first else ""
        if before not in ("in", "at", "from", "to", "into", "visit", "visiting"):
            return False
    kinds = [kind_of((e.relation for e in graph.ahead([path.start.node])), None)]
    for edge in path.edges:
        kinds.append(kind_of((e.relation for e in graph.ahead([edge.end])), edge))
    return _of_its_kind(kinds, question, path.used)


def _of_its_kind(kinds: list[str | None], question: Question, used: frozenset[int]) -> bool:
    """True if the last node is what "which city" or a leading "who" asks for, and every other noun
    of a kind has a node that it may mean."""
    words = [w.lower for w in question.words]
    for i, word in enumerate(words):
        asked = KIND_OF_NOUN.get(word)
        if asked is None or question.named(i):
            continue
        if i and words[i - 1] in ("which", "what") or (i == 0 and word in ("who", "where", "whom")):
            if not may_be(kinds[-1], asked) and (word, kinds[-1]) != ("where", "organisation"):
                return False
        elif word not in ("who", "whom", "where") and i not in used:
            if not any(may_be(kind, asked) for kind in kinds):
                return False
    return True


def _against(path: Path, likely: Mapping[Mention, bool]) -> int:
    """Steps against the direction that the words suggest."""
    pairs = zip(path.edges, path.mentions, strict=True)
    return sum(m is not None and likely[m] != e.back for e, m in pairs)
