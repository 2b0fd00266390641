"""Made-up names of people, companies and rivers, and the values of relations without a table."""

from __future__ import annotations

import random

from prism.mind.records import identity


def listed(text: str, separator: str | None = None) -> list[str]:
    """The entries of a list that is written as text."""
    return [entry.strip() for entry in text.split(separator) if entry.strip()]


FIRST = listed("""
    Ada Amir Anika Anton Beatrix Bojan Camila Carlo Dagny Darius Edda Elias Farah Felix
    Greta Gustav Hana Hugo Ines Ivo Jadwiga Jonas Kaia Kofi Leila Lorenzo Malik Marta Nadia
    Nikolai Odette Omar Paloma Piotr Quentin Rania Rafael Saskia Soren Tamar Teodor Ulla Uri
    Vera Viktor Wanda Willem Xenia Yara Yusuf Zelda Zoran
    """)
STARTS = [
    "Bar",
    "Bel",
    "Cor",
    "Dal",
    "Fen",
    "Gar",
    "Hol",
    "Jar",
    "Kel",
    "Lor",
    "Mar",
    "Nor",
    "Ost",
    "Pel",
    "Quin",
    "Ros",
    "Sol",
    "Tar",
    "Ven",
    "Wil",
    "Zan",
]
MIDDLES = listed("a e i o u an en ar er il")
ENDS = listed("""
    berg dek dorf grave lin mann mond ness quist rell rand sen son ström tova vick wood
    """)
FIRMS = listed("Systems,Industries,Works,Labs,Group,Foods,Motors,Partners,Textiles,Optics", ",")
CONTINENTS = listed("Africa,Asia,Europe,North America,Oceania,South America", ",")
LANGUAGES = listed("""
    Amharic Basque Catalan Danish Estonian Finnish Galician Hausa Icelandic Javanese Kazakh
    Latvian Maltese Nepali Occitan Polish Quechua Romanian Swahili Tamil Urdu Vietnamese
    Welsh Xhosa Yoruba Zulu
    """)
TIMEZONES = listed("""
    Africa/Lagos America/Lima America/Denver Asia/Baku Asia/Kabul Asia/Tokyo Atlantic/Azores
    Australia/Perth Europe/Minsk Europe/Oslo Indian/Mauritius Pacific/Apia Pacific/Fiji
    """)
HOBBIES = listed(
    """
    archery, beekeeping, bird watching, calligraphy, chess, falconry, fencing, gliding,
    juggling, kite flying, knitting, origami, pottery, rock climbing, stamp collecting,
    surfing, weaving, woodcarving
    """,
    ",",
)
PRODUCTS = listed(
    """
    accordions, bicycles, binoculars, candles, carpets, electric kettles, fishing rods,
    fountain pens, hammocks, lawn mowers, locks, microscopes, printing presses, roller
    skates, saddles, sewing machines, skis, telescopes, tents, umbrellas, violins,
    wheelchairs
    """,
    ",",
)
SERIES = listed(
    "noble gas,halogen,alkali metal,lanthanide,actinide,metalloid,transition metal", ","
)


class Names:
    """New names, none of them twice.

    Args:
        draw: source of chance.
        taken: identities that are used already; those of new names are added.
    """

    def __init__(self, draw: random.Random, taken: set[str]) -> None:
        self.draw, self.taken = draw, taken

    def people(self, count: int) -> list[str]:
        """First and last names."""
        return [
            self._new(lambda: f"{self.draw.choice(FIRST)} {self._word()}") for _ in range(count)
        ]

    def companies(self, count: int) -> list[str]:
        """Names of firms."""
        return [
            self._new(lambda: f"{self._word()} {self.draw.choice(FIRMS)}") for _ in range(count)
        ]

    def rivers(self, count: int) -> list[str]:
        """Names of rivers."""
        return [self._new(self._word) for _ in range(count)]

    def _word(self) -> str:
        draw = self.draw
        middle = "".join(draw.choice(MIDDLES) for _ in range(draw.choice((1, 1, 2))))
        return draw.choice(STARTS) + middle + draw.choice(ENDS)

    def _new(self, make) -> str:
        for _ in range(10_000):
            name = make()
            if identity(name) not in self.taken:
                self.taken.add(identity(name))
                return name
        raise ValueError("names: the lists hold too few for a world of this size")
