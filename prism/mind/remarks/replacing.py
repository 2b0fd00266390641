"""Replacing: whether a newer remark takes the place of an older one, and with which of its words.

"Our vet is Dr. Salk." "Dr. Salk has retired, Dr. Hume is our vet now." What is new stands in the
newer sentence as the old value stood in the older: the same sort of words, the same function, near
in meaning. Each span of the newer is compared with the likeliest answers of the older (weighted by
the first pass of the reading), and each span of the older knows how like it the newer's best is.

    parallel(new) = sum over old spans of p1(old) likeness(old, new)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from prism.mind.reflect.words import FIRST_PERSON, word_set
from prism.mind.remarks.parse import Parse
from prism.mind.remarks.spans import Span

CHANGE = word_set(
    """now nowadays new change changed replace replaced switch switched swap swapped move moved
    shift shifted anymore longer instead quit leave left retire retired resign resigned step stepped
    upgrade upgraded reset promote transferred transfer relocate relocated drop dropped raise raised
    update updated become became sell sold trade traded rename renamed cancel postponed postpone
    stop stopped cease ceased
    latest today noo days since turn turned join joined elect elected outgrown gone over run out"""
)
LIKE = 0.6  # likeness from which a word of the question is explained
OLD = 5  # spans of the older remarks that are compared


@dataclass(frozen=True)
class Placed:
    """A span of one of several remarks."""

    remark: int
    span: Span


def changes(parse: Parse) -> bool:
    """True if a remark says that something has changed."""
    words = parse.words
    return any(w.lower in CHANGE or w.lemma in CHANGE for w in words) or any(
        one.lower == "any" and other.lower == "more" for one, other in pairwise(words)
    )


def mine(parse: Parse) -> bool:
    """True for a remark of the speaker's own things."""
    return any(w.lower in FIRST_PERSON for w in parse.words)


def likenesses(parse: Parse, one: Span, other_parse: Parse, other: Span) -> dict[str, float]:
    """Ways in which two spans of two remarks are alike."""
    a, b = parse.words[one.head], other_parse.words[other.head]
    left = [w for w in parse.words[one.first : one.last + 1] if w.content]
    right = [w for w in other_parse.words[other.first : other.last + 1] if w.content]
    found = {
        "tag": float(a.tag[:3] == b.tag[:3]),
        "ent": float(a.ent == b.ent and bool(a.ent)),
        "other ent": float(a.ent != b.ent and bool(a.ent) and bool(b.ent)),
        "prep": float(one.prep == other.prep and bool(one.prep)),
        "function": float(a.dep == b.dep),
        "kind": float(one.kind == other.kind),
        "shape": float(_shape(parse, one) == _shape(other_parse, other)),
        "words": float(len(left) == len(right)),
        "same first": float(bool(left and right) and left[0].stem == right[0].stem),
        "same last": float(bool(left and right) and left[-1].stem == right[-1].stem),
    }
    if parse.vectors is not None and other_parse.vectors is not None:
        mean = parse.vectors[one.first : one.last + 1].mean(0)
        found["cosine"] = float(mean @ other_parse.vectors[other.first : other.last + 1].mean(0))
    return found


def _shape(parse: Parse, span: Span) -> tuple[str, ...]:
    """Letters and digits of a span's words by class: "2-8-5" is like "6-1-4"."""
    shapes = []
    for word in parse.words[span.first : span.last + 1]:
        kinds = ["9" if c.isdigit() else "A" if c.isupper() else "a" for c in word.text[:2]]
        shapes.append("".join(kinds) if word.content else word.lower)
    return tuple(shapes)


def parallels(
    texts: Sequence[Parse],
    placed: Sequence[Placed],
    first: np.ndarray,
    linked: np.ndarray,
    explained: Sequence[np.ndarray],
    turn: np.ndarray,
) -> list[dict[str, float]]:
    """Features of each span by the spans of older and newer remarks that are linked with its own.

    Args:
        texts: the remarks, the oldest first.
        placed: their spans.
        first: score of each span in the first pass.
        linked: ``[remarks, remarks]``, true for two that are about one thing.
        explained: by remark, how far it explains each content word of the question.
        turn: of each remark, which turn it was said in.
    """
    found: list[dict[str, float]] = [{} for _ in placed]
    with_it = [np.flatnonzero(turn == turn[n]) for n in range(len(texts))]
    cue = [any(changes(texts[m]) for m in near) for near in with_it]
    own = [{w.stem for w in text.words if w.content} for text in texts]
    whole = [set().union(*(own[m] for m in near)) for near in with_it]
    explained = [np.max([explained[m] for m in near], axis=0) for near in with_it]
    for n in range(len(texts)):
        older = [i for i, p in enumerate(placed) if p.remark < n and linked[n, p.remark]]
        if not older:
            continue
        best = sorted(older, key=lambda i: -first[i])[:OLD]
        odds = np.exp(first[best] - first[best[0]])
        odds /= odds.sum()
        said = set().union(*(own[m] for m in {placed[i].remark for i in older}))
        about = _about(texts, placed, best, odds, explained, n, whole[n], cue[n])
        for i, new in enumerate(placed):
            if new.remark != n:
                continue
            found[i] |= {f"new {name}": value for name, value in about.items()}
            ways: dict[str, float] = {}
            for share, j in zip(odds, best, strict=True):
                old = placed[j]
                each = likenesses(texts[old.remark], old.span, texts[n], new.span)
                for name, value in each.items():
                    ways[name] = ways.get(name, 0.0) + float(share) * value
            words = [w for w in texts[n].words[new.span.first : new.span.last + 1] if w.content]
            fresh = bool(words) and not any(w.stem in said for w in words)
            found[i] |= {f"parallel {name}": value for name, value in ways.items()}
            found[i]["fresh"] = float(fresh)
            found[i]["fresh after change"] = float(fresh and cue[n])
            alike = float(np.mean([ways.get(k, 0.0) for k in ("tag", "shape", "cosine")]))
            found[i]["fresh and like"] = alike * fresh
            for j in best:
                mark = found[j]
                mark["successor"] = max(mark.get("successor", 0.0), alike * fresh)
                mark["changed"] = max(mark.get("changed", 0.0), float(cue[n]))
                for name, value in about.items():
                    mark[f"old {name}"] = max(mark.get(f"old {name}", 0.0), value)
    return found


def _about(
    texts: Sequence[Parse],
    placed: Sequence[Placed],
    best: Sequence[int],
    odds: np.ndarray,
    explained: Sequence[np.ndarray],
    newer: int,
    own: set[str],
    cue: bool,
) -> dict[str, float]:
    """Signs that a newer remark speaks of the older one's value: it names the old value, or it
    explains of the question what the older one does. A door's code is not changed by another code
    of an alarm, as the newer remark loses the door."""
    names, lost, gained = 0.0, 0.0, 0.0
    for share, j in zip(odds, best, strict=True):
        old = placed[j]
        words = texts[old.remark].words[old.span.first : old.span.last + 1]
        stems = {w.stem for w in words if w.content}
        names += float(share) * bool(stems & own)
    old = explained[placed[best[0]].remark]
    if len(old):
        lost = float(((old >= LIKE) & (explained[newer] < LIKE)).sum())
        gained = float(((old < LIKE) & (explained[newer] >= LIKE)).sum())
    return {
        "value named": names,
        "value named after change": names * cue,
        "lost": min(lost, 3.0) / 2,
        "nothing lost": float(lost == 0),
        "nothing lost after change": float(lost == 0 and cue),
        "lost and not named": float(lost > 0) * (1 - names),
        "gained": float(gained > 0),
    }
