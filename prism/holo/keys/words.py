"""Known words that a typing error could be taken for: *election* beside *selection*.

``slip_words.txt.gz`` holds, without case, each English word, name of a person or place that one
wrong key press makes of another one of at least seven letters; a word with a capital is one that
means something else without it (*Polish*, *March*). ``.ci/slip_words.py`` made it, and
``slip_words.md`` says of what.
"""

from __future__ import annotations

import gzip
from functools import cache
from importlib.resources import files


@cache
def slip_words() -> frozenset[str]:
    """All words of the list."""
    packed = files("prism.holo.keys").joinpath("slip_words.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode("utf-8").split("\n"))


def known(word: str) -> bool:
    """True if a word without case is one that a typing error could be taken for; with a capital:
    whether it means something else without."""
    return word in slip_words()
