"""Words whose class decides how a clause is read: relations of verbs, results, attitudes, signs.

Closed classes of English (modals, hedges, attitude verbs), and the few open ones that a statement
of fact needs: verbs whose past tense leaves a state that still holds, and verbs that name one and
the same relation. A verb that stands nowhere here is its own relation, in the present tense.
"""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from typing import Any

DATA: dict[str, Any] = tomllib.loads(
    files("prism.mind.perceive").joinpath("words.toml").read_text("utf-8")
)


def words(name: str) -> frozenset[str]:
    """A set of words and phrases of ``words.toml``."""
    return frozenset(word.strip() for word in DATA["words"][name].replace("\n", " ").split(","))


def rows(name: str) -> tuple[tuple[str, ...], ...]:
    """Rows of names that belong together."""
    lines = DATA["relations"][name].strip().splitlines()
    return tuple(tuple(part.strip() for part in line.split(",")) for line in lines)


def pattern(name: str) -> re.Pattern[str]:
    """A pattern that ignores case; its lines are joined as they are. ``%T`` in it is a period,
    ``%M`` a month."""
    text = DATA["patterns"][name].replace("%T", DATA["patterns"]["period"])
    text = text.replace("%M", DATA["patterns"]["month"])
    return re.compile("".join(text.splitlines()), re.IGNORECASE)


# -- relations -------------------------------------------------------------------------------------

# lemma and preposition -> the relation's one name; "<" turns it round: its object is the subject.
VERBS: dict[str, str] = DATA["verbs"]
# In a clause about people in general ("they speak Dutch in Utopia") the place is the subject.
OF_PLACES: dict[str, str] = DATA["place_relations"]
# The relation that a state's name has where its holder is an event's outcome.
BECOMING = words("becoming")
NAMING = words("naming")
PUTTING = words("putting")
POSSESSING = frozenset({"have", "own", "get", "adopt", "possess"})
BEGINNING = frozenset({"start", "begin", "keep", "continue"})
# A past tense that leaves a state: what it says holds now.
RESULTS = words("results")
TIMED = words("timed")
# Relations that take several objects at once; any other takes one, and a new one supersedes.
MANY = words("many")

# Relation of what a sentence says that somebody has left, whatever the ledger calls it.
LEFT = "has left"
# Names of one relation. A base that keeps it under one of them gets it under no second.
SENSES = rows("senses")
INVERSES = rows("inverses")

# -- things ----------------------------------------------------------------------------------------

SPEAKER = words("speaker")
PERSONAL = words("personal")
NEUTER = frozenset({"it", "its", "itself", "this", "that"})
PLURAL = frozenset({"they", "them", "their", "theirs", "themselves", "these", "those"})
GENERIC = words("generic")
NOBODY = words("nobody")
# Nouns that only stand for somebody or something, which a relative clause describes.
DESCRIBED = words("described")
COLOURS = words("colours")
MEASURES: dict[str, str] = DATA["measures"]
# Adjectives before a relation that do not belong to its name.
LOOSE = words("loose")
BODIES = words("bodies")
SPANS = words("spans")
PROFESSIONS = tuple(sorted(words("professions")))
NO_PROFESSION = words("no_profession")
WORKERS = words("workers")

# -- attitudes -------------------------------------------------------------------------------------

# The speaker vouches for what stands under these ("remember that ...", "you should know ...").
VOUCHING = words("vouching")
MODALS = words("modals")
HEDGES = words("hedges")
PAST = words("past")
NEGATIVE = words("negative")
DOUBT = frozenset(["if", "unless", "whether", "lest"])
SOON = frozenset(["tomorrow", "soon", "tonight", "eventually", "someday", "later"])
WISHING = words("wishing")
FICTION = words("fiction")


def plural_noun(noun: str) -> str:
    """A plural noun's singular, by the rules of spelling."""
    if noun.endswith("ies") and len(noun) > 4:
        return noun[:-3] + "y"
    if noun.endswith(("ches", "shes", "xes", "sses")):
        return noun[:-2]
    if noun.endswith("children"):
        return noun[:-3]
    return noun[:-1] if noun.endswith("s") and not noun.endswith("ss") else noun


def third_person(lemma: str) -> str:
    """A verb in the third person of the present: "live" -> "lives"."""
    irregular = {"have": "has", "be": "is", "do": "does", "go": "goes"}
    if lemma in irregular:
        return irregular[lemma]
    if lemma.endswith(("s", "x", "z", "ch", "sh", "o")):
        return f"{lemma}es"
    if lemma.endswith("y") and lemma[-2:-1] not in "aeiou":
        return f"{lemma[:-1]}ies"
    return f"{lemma}s"


def sense(relation: str) -> tuple[str, ...]:
    """Other names of a relation, under which a base may keep it already."""
    name = relation.lower()
    return next((names for names in SENSES if name in names), ())


def inverses(relation: str) -> tuple[str, ...]:
    """Names of a relation from its object's side: a founder "founded" a firm."""
    for names in (relation, *sense(relation)):
        for sides in INVERSES:
            if names.lower() in sides:
                return tuple(side for side in sides if side != names.lower())
    return ()
