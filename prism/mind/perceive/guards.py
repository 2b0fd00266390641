"""Guards: whether the speaker asserts a clause, as true now.

A sentence is no assertion where it asks, orders, quotes, jokes or tells a story. In a sentence that
is one, a clause is asserted where it stands in the indicative of the present (or in a past tense
that leaves a state, "was born", "has moved"), is not negated, hedged, conditional or future, and
stands under no verb of saying, thinking or wishing whose content the speaker does not vouch for.
The tests read tags and dependencies (closed classes of English), not sentences.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prism.mind.perceive import lexicon

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

ASKING = lexicon.pattern("asking")
JOKING = lexicon.pattern("joking")
UNREAL = lexicon.pattern("unreal")
QUOTED = re.compile(r'"[^"]*\b(?:is|are|was|am|has|have|lives?|works?|will|\'s|\'m|\'re)\b[^"]*"')
PROGRESSIVE = lexicon.words("progressive")
CREATORS = lexicon.words("creators")
SURE = lexicon.words("sure")
STATES = lexicon.words("states")
BYGONE = lexicon.pattern("bygone")
ENDED = re.compile(r"\b(?:no longer|any ?more|any longer)$", re.I)  # says what has changed
OVER = re.compile(r"\b(?:any ?more|any longer)\b(?! than)", re.IGNORECASE)
NO_LONGER = re.compile(r"\bno longer\b(?! than)", re.IGNORECASE)
BOUNDED = lexicon.pattern("bounded")
STOPPING = lexicon.words("stopping")
OPINION = lexicon.pattern("opinion")
TELLING = re.compile(rf"\b(?:{'|'.join(sorted(lexicon.FICTION))})(?:'s \w+)?(?: idea)?:", re.I)
ATTITUDES = lexicon.words("attitudes")
CLAUSES = frozenset(
    {"ROOT", "conj", "ccomp", "relcl", "advcl", "acl", "parataxis", "xcomp", "pcomp", "csubj"}
)


def asks(text: str) -> bool:
    """True for a question, or an order to answer one."""
    return text.rstrip().rstrip("\"')").endswith("?") or ASKING.match(text) is not None


def unreal(doc: Doc) -> str | None:
    """Why a whole sentence asserts nothing, or None."""
    if found := JOKING.search(doc.text):
        return f"joke: {found[0].strip()}"
    if found := UNREAL.search(doc.text):
        return f"not vouched for: {found[0]}"
    if QUOTED.search(doc.text):
        return "quotation"
    for token in doc:
        if token.lower_ in lexicon.HEDGES:
            return f"hedge: {token.text}"
        again = token.i + 1 < len(doc) and token.nbor().lower_ in ("a", "an", "every", "per")
        if token.lower_ in lexicon.PAST and token.lower_ != "back" and not again:
            return f"past: {token.text}"
        if token.dep_ == "mark" and token.lower_ in lexicon.DOUBT:
            return f"condition: {token.text}"
        if _sets_a_scene(token):
            return f"fiction: {token.text}"
    return None


def _sets_a_scene(token: Token) -> bool:
    """True for "in the novel" as a setting, and for "the film's plot:"."""
    colon = token.i + 1 < len(token.doc) and token.nbor().text == ":"
    if token.lemma_ in lexicon.FICTION and colon:
        return True
    return token.lemma_ in lexicon.FICTION and token.dep_ == "pobj" and token.head.lower_ == "in"


def _told(verb: Token) -> bool:
    """True for a clause that tells a work of fiction, or stands under an order: "a story where
    ...", "write a poem about a woman whose ...", "the film's plot: ..."."""
    above = list(verb.ancestors)
    for token in above:
        if token.lemma_ in lexicon.FICTION and verb.dep_ in ("relcl", "acl", "conj", "pcomp"):
            return True
        ordered = token.tag_ == "VB" and token.dep_ == "ROOT" and not _has_subject(token)
        unknown = verb.dep_ == "relcl" and any(c.lower_ in ("a", "an") for c in verb.head.children)
        if ordered and token.i < verb.i and (unknown or token.lemma_ not in lexicon.VOUCHING):
            return True
    return False


def asserted(verb: Token, events: bool = False) -> bool:
    """True if the clause of ``verb`` is asserted as true now.

    Args:
        events: what happened counts too ("I parked on level 3"), and what somebody can do.
    """
    if _told(verb):
        return False
    if not _indicative(verb, events) or (not events and _within(verb, BOUNDED)):
        return False
    return _affirmed(verb) and _vouched(verb)


def ended(verb: Token) -> bool:
    """True for a clause whose state is said to hold no more: "no longer works", "isn't the captain
    any more", "(has stopped) singing"."""
    helpers = {child.lower_ for child in verb.children if child.dep_ in ("aux", "auxpass")}
    if verb.dep_ == "xcomp" and verb.tag_ == "VBG" and verb.head.lemma_ in STOPPING:
        return asserted(verb.head, events=True)
    if verb.tag_ == "VBD" or helpers & (lexicon.MODALS | {"did", "was", "were", "had"}):
        return False
    denied = (_negated(verb) and _within(verb, OVER)) or _within(verb, NO_LONGER)
    return denied and not _told(verb) and _affirmed(verb) and _vouched(verb)


def _within(verb: Token, pattern: re.Pattern[str]) -> bool:
    """True if a pattern stands in the clause of a verb; in front of clauses that "and" joins, it is
    in all of them."""
    for found in pattern.finditer(verb.doc.text):
        token = verb.doc.char_span(*found.span(), alignment_mode="expand")[0]
        owner = _governor(token.head) if token.dep_ == "mark" else token
        while owner.dep_ not in CLAUSES or owner.pos_ not in ("VERB", "AUX"):
            if owner.head is owner:
                break
            owner = owner.head
        if owner == verb or (token.i < owner.i and verb in owner.conjuncts):
            return True
    return False


def _affirmed(verb: Token) -> bool:
    """True if no clause above denies it."""
    token = verb
    while token.dep_ != "ROOT":
        token = _governor(token)
        # "I don't think that ...", "It's not true that ..."; beside it, a clause is its own.
        above = token.dep_ in ("advcl", "ROOT", "conj", "ccomp", "relcl") and _negated(token)
        if above and not _beside(verb, token) and token.lemma_ != "forget":
            return False
    return True


def _governor(token: Token) -> Token:
    token = token.head
    while token.dep_ not in CLAUSES and token.head is not token:
        token = token.head
    return token


NONE = frozenset({"no", "neither", "hardly", "scarcely"})


def _beside(verb: Token, above: Token) -> bool:
    """True if only conjunctions lie between a clause and one above it."""
    token = verb
    while token is not above and token.dep_ == "conj":
        token = token.head
    return token == above


def _negated(verb: Token) -> bool:
    """True for "is not", "hardly ever drinks", "is neither a doctor nor a nurse"."""
    return any(
        child.dep_ == "neg"
        or child.lower_ in lexicon.NEGATIVE
        or (child.dep_ == "advmod" and any(c.lower_ in lexicon.NEGATIVE for c in child.children))
        or (child.dep_ in ("nsubj", "nsubjpass", "dobj", "attr", "acomp") and _none(child))
        for child in verb.children
    )


def _none(noun: Token) -> bool:
    """True for "nobody", "no town", "neither town", "few people" (but "a few people" are some)."""
    own = {child.lower_ for child in noun.children}
    if noun.lower_ in lexicon.NEGATIVE:
        return True
    if own & {"few", "little"} and "a" not in own:
        return noun.dep_ in ("nsubj", "nsubjpass")
    return any(
        child.dep_ in ("det", "neg", "preconj", "cc", "advmod") and child.lower_ in NONE
        for child in noun.children
    )


def _indicative(verb: Token, events: bool) -> bool:
    """True for a clause that is finite, positive and about now."""
    if _negated(verb) or _negated_inside(verb):
        return False
    helpers = [child for child in verb.children if child.dep_ in ("aux", "auxpass")]
    words = {child.lower_ for child in helpers}
    if words & lexicon.MODALS:
        return False
    if "can" in words:  # an ability; but "can be found in" says where it is
        return events or any(child.dep_ == "auxpass" for child in helpers)
    if verb.tag_ == "VBG" and helpers:
        going = verb.lemma_ == "go" and any(c.dep_ == "xcomp" for c in verb.children)
        return verb.lemma_ in PROGRESSIVE or (events and not going)
    if words & {"had"} or ("did" in words):
        return False
    past = verb.tag_ == "VBD" or (verb.tag_ == "VBN" and words & {"was", "were"})
    if "been" in words and verb.tag_ == "VBN":
        past = False
    if verb.lemma_ == "be" and words & {"have", "has", "'ve"}:
        return True
    if past:
        return result(verb) or (events and not _state(verb))
    if verb.tag_ == "VBN" and words & {"has", "have", "'ve", "'s"} and not words & {"been"}:
        is_perfect = any(c.lemma_ == "have" for c in helpers)
        return not is_perfect or events or result(verb) or verb.lemma_ in PROGRESSIVE
    return True


def _state(verb: Token) -> bool:
    """True for a state in the past tense, which may hold no more: "lived", "was called"."""
    named = verb.lemma_ in lexicon.NAMING and any(c.dep_ == "auxpass" for c in verb.children)
    return named or verb.lemma_ in STATES or BYGONE.search(verb.sent.text) is not None


def _negated_inside(verb: Token) -> bool:
    """True for "lives in no town"."""
    return any(
        _none(noun)
        for child in verb.children
        if child.dep_ in ("prep", "agent")
        for noun in child.children
        if noun.dep_ == "pobj"
    )


def result(verb: Token) -> bool:
    """True for a past tense that leaves a state."""
    if verb.lemma_ in lexicon.NAMING and any(c.dep_ == "auxpass" for c in verb.children):
        return False  # "was called" is a name of then
    if verb.lemma_ in lexicon.RESULTS:
        return True
    if any(child.dep_ == "agent" for child in verb.children):
        return True
    if verb.lemma_ == "be":
        sides = [child for child in verb.children if child.dep_ in ("nsubj", "attr")]
        return any(side.lemma_ in CREATORS for side in sides)
    return False


def _vouched(verb: Token) -> bool:
    """True if no verb above leaves the content of the clause open."""
    token = verb
    while token.dep_ != "ROOT":
        above, dep = _governor(token), token.dep_
        if dep == "ccomp" and any(c.lower_ in lexicon.MODALS for c in above.children):
            return False  # "it could be that ..."
        if dep == "ccomp" and _spliced(token, above):
            return True  # "The lake is 212 m deep, our club measured it"
        if dep in ("ccomp", "csubj", "pcomp", "xcomp") and not _vouches(above, dep):
            return False
        if dep == "advcl" and not _attached(token):
            return False
        token = above
    if verb.lemma_ in lexicon.NAMING and any(c.lower_ == "me" for c in verb.children):
        return True  # "call me Max"
    order = verb.dep_ in ("ROOT", "conj") and verb.tag_ == "VB" and not _has_subject(verb)
    return not order and not any(
        child.dep_ in ("parataxis", "ccomp")
        and child.lemma_ in ("think", "guess", "believe", "suppose", "hear", "reckon")
        for child in verb.children
    )


def _spliced(clause: Token, above: Token) -> bool:
    """True for a clause that a comma alone joins to the next, which the parser takes for its
    content; not where the next says or thinks it."""
    words = clause.doc[clause.i : above.i]
    return (
        clause.i < above.i
        and any(t.text == "," for t in words)
        and not any(c.dep_ == "mark" for c in clause.children)
        and above.lemma_ not in ATTITUDES
    )


def _attached(clause: Token) -> bool:
    """True for an adverbial clause that states a fact of its own ("born in Lagos, she ...")."""
    return (
        clause.tag_ in ("VBN", "VBG")
        or any(
            child.dep_ == "mark"
            and child.lower_ in ("because", "since", "as", "although", "though", "while", "whereas")
            for child in clause.children
        )
        or any(child.dep_ == "advmod" and child.lower_ == "where" for child in clause.children)
    )


def _has_subject(verb: Token) -> bool:
    return any(
        child.dep_ in ("nsubj", "nsubjpass", "expl", "csubj") for child in verb.children
    ) or (verb.dep_ == "conj" and verb.head is not verb and _has_subject(verb.head))


def _vouches(verb: Token, dep: str) -> bool:
    """True if the speaker vouches for what stands under ``verb``."""
    if dep == "xcomp":
        return verb.lemma_ in lexicon.BEGINNING or verb.lemma_ in ("let", "happen")
    if verb.lemma_ not in lexicon.VOUCHING:
        return False
    negated = any(child.dep_ == "neg" for child in verb.children)
    if (
        verb.lemma_ == "forget"
        and not negated
        and not any(child.lower_ in ("i", "to") for child in verb.children)
    ):
        return False
    subject = next((c for c in verb.children if c.dep_ in ("nsubj", "nsubjpass")), None)
    if verb.lemma_ == "be":
        if any(
            c.tag_ == "WP"
            for child in verb.children
            if child.dep_ == "ccomp"
            for c in child.children
        ):
            return True  # a cleft: "it was Ann who founded Acme"
        sides = [c for c in verb.children if c.dep_ in ("acomp", "attr")]
        held = subject is None or subject.lower_ in (
            "it",
            "thing",
            "fact",
            "point",
            "truth",
            "news",
        )
        return held and all(side.lemma_ in SURE for side in sides)
    return subject is None or subject.lower_ in ("i", "you", "we", "it", "let", "me")
