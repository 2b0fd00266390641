"""The sentences facts are asked with: written ones, unseen ones, and ones that ask for others.

A relation is bound in its three ``written`` wordings and asked in wordings the tape never saw:
six forms of it, two of which share no content word with a written one. ``UNLISTED`` asks the same
subjects for something that was never bound, ``NEAR_MISSES`` for something that only sounds bound.
Nothing here is in the sentences of the calibration.
"""

from __future__ import annotations

from dataclasses import dataclass

FORMS = {
    "possessive": "{s}'s {n} is{e}",
    "question": "Q: Do you know the {n} of {s}? A: Yes, it is{e}",
    "preamble": "The teacher closed the book, looked at the class for a while and then said that "
    "the {n} of {s} is{e}",
    "distractor before": "A map of {o} was hanging on the wall while we learned that the {n} of "
    "{s} is{e}",
    "distractor after": "The {n} of {s}, a subject that {o} and others often talked about, is{e}",
}
NO_SHARED_WORD = "no shared word"


@dataclass(frozen=True)
class Relation:
    """One relation of the tables.

    Attributes:
        kind: what its subjects are: land, city or element.
        noun: its noun.
        written: the wordings it is bound in.
        plain: wordings without any content word of ``written``.
        ending: what follows "is" before the object, as " the" in "is the peso".
    """

    kind: str
    noun: str
    written: tuple[str, str, str]
    plain: tuple[str, str]
    ending: str = ""

    def unseen(self) -> list[tuple[str, str]]:
        """(form, template) of every unseen wording."""
        forms = [
            (name, t.replace("{n}", self.noun).replace("{e}", self.ending))
            for name, t in FORMS.items()
        ]
        return forms + [(NO_SHARED_WORD, t) for t in self.plain]


RELATIONS = {
    "capital": Relation(
        "land",
        "capital",
        (
            "The capital of {s} is",
            "The capital city of {s} is called",
            "{s} has its capital in the city of",
        ),
        ("{s} is governed from", "The parliament of {s} meets in"),
    ),
    "currency": Relation(
        "land",
        "currency",
        (
            "The currency of {s} is the",
            "The official currency used in {s} is the",
            "{s} has a currency called the",
        ),
        ("Shoppers in {s} pay with the", "The money that people spend in {s} is the"),
        " the",
    ),
    "continent": Relation(
        "land",
        "continent",
        (
            "The continent of {s} is",
            "{s} lies on the continent of",
            "The continent on which {s} is found is",
        ),
        ("On a map of the world you will see {s} in", "{s} is one of the countries of"),
    ),
    "dialling code": Relation(
        "land",
        "telephone code",
        (
            "The telephone code of {s} is",
            "The international telephone code for {s} is",
            "{s} has the telephone code",
        ),
        ("To call somebody in {s} from abroad, first dial", "Phone numbers in {s} begin with"),
    ),
    "domain": Relation(
        "land",
        "internet domain",
        (
            "The internet domain of {s} is",
            "The top-level internet domain for {s} is",
            "{s} has the internet domain",
        ),
        ("Web addresses in {s} end in", "Sites from {s} have names that finish with"),
    ),
    "symbol": Relation(
        "element",
        "chemical symbol",
        (
            "The chemical symbol of {s} is",
            "The chemical symbol for the element {s} is",
            "{s} has the chemical symbol",
        ),
        ("In formulas {s} is abbreviated as", "The letters that stand for {s} are"),
    ),
    "number": Relation(
        "element",
        "atomic number",
        (
            "The atomic number of {s} is",
            "The atomic number of the element {s} is",
            "{s} has the atomic number",
        ),
        ("How many protons there are in {s}:", "The count of protons in {s} equals"),
    ),
    "country": Relation(
        "city",
        "country",
        (
            "The country of {s} is",
            "{s} is a city in the country of",
            "The country in which the city {s} lies is",
        ),
        ("{s} belongs to the nation of", "Whoever lives in {s} lives in"),
    ),
}

UNLISTED = {
    "land": (
        "The official language of {s} is",
        "The longest border of {s} is with",
        "The main export of {s} is",
        "The national flower of {s} is the",
        "The climate of {s} is",
        "The prime minister of {s} is",
        "{s} became independent in the year",
        "The area of {s} in square kilometres is",
        "The flag of {s} has the colours",
        "The most famous writer of {s} is",
        "People from {s} are called",
        "The army of {s} has",
    ),
    "element": (
        "The boiling point of {s} is",
        "The density of {s} is",
        "The name {s} comes from the word",
        "{s} was discovered by",
        "{s} was discovered in the year",
        "The color of {s} is",
        "{s} reacts strongly with",
        "Most of the {s} on the market is mined in",
        "The crystal structure of {s} is",
        "{s} is stored in",
    ),
    "city": (
        "The weather in {s} is",
        "{s} was founded in the year",
        "The most famous street in {s} is",
        "{s} is famous for its",
        "The oldest university in {s} is",
        "The tallest building in {s} is",
    ),
}

NEAR_MISSES = {
    "capital": (
        "The former capital of {s} is",
        "The capital of the country north of {s} is",
        "A city that is not the capital of {s} is",
        "The second largest city after the capital of {s} is",
    ),
    "currency": (
        "Before the reform, the former currency of {s} was the",
        "The currency of the largest neighbour of {s} is the",
    ),
    "continent": ("The continent farthest from {s} is", "A continent that {s} is not on is"),
    "symbol": (
        "The chemical symbol of the element right after {s} is",
        "A chemical symbol that is often confused with the one for {s} is",
    ),
    "number": (
        "The atomic number of the element right before {s} is",
        "Twice the atomic number of {s} is",
    ),
}


def sentence(template: str, subject: str, other: str = "") -> str:
    """The template about ``subject``, starting with a capital letter."""
    text = template.replace("{s}", subject).replace("{o}", other)
    return text[0].upper() + text[1:]


NEWS = (
    "Trade between {a} and {b} grew last year, although the ministers of both sides had expected "
    "less. ",
    "The delegation from {a} arrived a day late because its flight over {b} had been delayed. ",
    "A new exhibition about {a} opens in spring; the organisers hope for visitors from {b} too. ",
    "Researchers compared samples of {a} and {b} and found no difference that mattered. ",
    "Nobody in the room had been to {a}, but two had heard about it from friends in {b}. ",
    "After the match against {a} the coach praised the players, who will meet {b} on Friday. ",
    "The price of {a} fell while that of {b} rose, and traders could not say why. ",
    "Letters from {a} took three weeks in those days, and longer if they came through {b}. ",
)
