"""Direction of a relation in English: from its subject on ("the capital of X", "X's capital") or
back to it ("whose capital is X", "X is the capital of").
"""

from __future__ import annotations

from prism.mind.reflect.question import Question
from prism.mind.reflect.relations import Mention, symmetric
from prism.mind.reflect.words import BE, word_set

ASKING = word_set("who whom what which where how what's who's that's name tell say")
OWNING = word_set("its their his her my our")
WHOLE = word_set("the a an its their his her my our")


def ways(mention: Mention, question: Question) -> tuple[bool, bool]:
    """Permission that the words of a mention give to a step ahead, and to one back."""
    if mention.hint:  # but "governed from X" is not about where X is from
        return not question.named(min(mention.places) + 1), False
    if symmetric(mention.relation):
        return True, True
    words = [w.lower for w in question.words]
    first, last = min(mention.places), max(mention.places)
    # "which company" names what the relation leads to, never what it starts from
    kind = all(question.words[p].of_a_kind for p in mention.places)
    back = not kind or _after(words, first, "whose")
    if _owned(words, first, question):
        return True, False
    if first > 1 and words[first - 1] in WHOLE and question.named(first - 2):
        return False, back  # "X, its capital"
    if _after(words, first, "whose") and _asked_after(words, last):
        return True, False  # "a country whose capital is what"
    if _after(words, first, "whose") and "whose" in words[:2]:
        return True, back  # "whose payroll is X on", "whose capital is X"
    if _after(words, first, "whose") and not _named_before(words, first, question):
        return False, back
    follows = words[last + 1 : last + 3]
    if follows[:1] == ["of"] and len(follows) == 2 and follows[1] not in ("which", "what"):
        return (False, back) if _said_to_be(words, first, question) else (True, False)
    return True, back


def points_back(mention: Mention, question: Question) -> bool:
    """True if a step back is the likelier one: "whose capital is", "as its capital"."""
    words = [w.lower for w in question.words]
    first, last = min(mention.places), max(mention.places)
    return (
        (_after(words, first, "whose") and not _asked_after(words, last))
        or _said_to_be(words, first, question)
        or _after(words, first, "as")
    )


def _after(words: list[str], place: int, what: str) -> bool:
    """True if ``what`` stands before a noun phrase that holds ``place``."""
    before = [w for w in words[max(0, place - 3) : place] if w not in WHOLE]
    return before[-1:] == [what]


def _asked_after(words: list[str], last: int) -> bool:
    """True if "is what", "is who" follows."""
    follows = words[last + 1 : last + 4]
    return len(follows) == 2 and follows[0] in BE and follows[1] in ("what", "who", "which")


def _owned(words: list[str], first: int, question: Question) -> bool:
    """True if a possessive owns the relation: "X's (beautiful) capital", "its capital" where "its"
    stands for a thing spoken of."""
    at = first - 1
    while at >= max(0, first - 2):
        if words[at] == "'s" and at > 0 and words[at - 1] not in ASKING:
            return True
        if words[at] in OWNING and question.named(at):
            return True
        at -= 1
    return False


def _named_before(words: list[str], first: int, question: Question) -> bool:
    """True if a name stands before "whose": "Boris, whose wife"."""
    at = next(i for i in range(first - 1, -1, -1) if words[i] == "whose") - 1
    return at >= 0 and question.named(at)


def _said_to_be(words: list[str], first: int, question: Question) -> bool:
    """True if a name, or what stands for one, is said to be the relation: "X is the capital of"."""
    at = first - 1
    while at >= 0 and words[at] in WHOLE:
        at -= 1
    if at < 1 or words[at] not in BE:
        return False
    return question.named(at - 1) or (
        at > 1 and words[at - 1] in ("that", "who", "it", "he", "she")
    )
