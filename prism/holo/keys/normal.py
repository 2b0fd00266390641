"""One door for keys and values: two spellings of one thing are one thing before anything is hashed.

    text     marks that cannot be seen (soft hyphen, byte order mark, direction marks) are dropped,
             then Unicode NFC; runs of white space become one space, the ends are trimmed
    numbers  numpy's are Python's
    values   keep their exact text

Subclasses become plain str, bytes and int, so that equal values are one value. Half a character (a
lone surrogate) is no text and is refused. Zero-width joiners stay: Persian and emoji are spelt with
them.
"""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

import numpy as np
from torch import Tensor

from prism.holo.algebra.codes import Key

UNSEEN = dict.fromkeys((0x00AD, 0x061C, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF))
UNSEEN |= dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))
DIGITS = 4300  # of an integer; Python writes out and reads no more
LIMIT = 10**DIGITS
INTEGER = re.compile(r"-?[1-9][0-9]*|0")
LOOSE = ("  ", " \n", "\n ", "\n\n", *"\t\v\f\r\x1c\x1d\x1e\x1f")  # to be made one space, or none
HASH = re.compile(r"#[0-9a-f]{16}")


class KeyHash(int):
    """The hash of a key whose text is not kept. It names the key wherever a key is wanted; so does
    its text, ``#`` and 16 hex digits, as lists print it."""

    def __repr__(self) -> str:
        return f"#{int(self):016x}"

    __str__ = __repr__


def listed(things: Any, what: str = "keys") -> list[Any] | np.ndarray:
    """Things given in bulk (a list, set, dict view, generator, tensor, numpy or pandas array) as a
    list, or as an array if they are an array of integers.

    Raises:
        TypeError: one text instead of several, an array of other numbers, or nothing iterable.
    """
    if isinstance(things, str | bytes):
        raise TypeError(f"{what} = {things!r}: must be a list of {what}; write [{things!r}]")
    if isinstance(things, Tensor):
        things = things.detach().cpu().numpy()
    elif not isinstance(things, np.ndarray) and hasattr(things, "to_numpy"):
        things = things.to_numpy()  # pandas and its kin
    if isinstance(things, np.ndarray):
        if things.dtype.kind in "iu":
            return things.ravel()
        if not things.size:  # numpy takes an empty list for one of floats
            return []
        if things.dtype.kind not in "USO":
            raise TypeError(
                f"{what} of dtype {things.dtype}: an array of {what} must hold integers or text"
            )
        return things.ravel().tolist() if things.dtype.kind != "O" else list(things)
    if isinstance(things, list):
        return things
    if not isinstance(things, Iterable):
        raise TypeError(f"{what} = {things!r}: must be a list of {what}")
    return list(things)


def normal_key(key: Any) -> Key:
    """The one spelling of a key.

    Raises:
        TypeError: no str, bytes or int.
        ValueError: an empty key, or half a character in it.
    """
    if isinstance(key, str):
        found: Key = normal_text(_whole_characters("key", str.__str__(key)))
    elif isinstance(key, bytes):
        found = bytes(memoryview(key))
    elif isinstance(key, KeyHash):
        return key
    elif isinstance(key, int | np.integer) and not isinstance(key, bool):
        return _written("key", operator.index(key))
    else:
        raise TypeError(f"key {key!r}: must be a str, bytes or int, not {type(key).__name__}")
    if not found:
        raise ValueError(f"key {key!r}: must not be empty")
    return found


def normal_text(text: str) -> str:
    """The one spelling of a text; empty if nothing in it can be seen."""
    if not text.isascii():
        # first the marks: one that stands between letters keeps NFC from joining them
        text = unicodedata.normalize("NFC", text.translate(UNSEEN))
    return " ".join(text.split())


def normal_keys(keys: Any) -> list[Key] | np.ndarray:
    """:func:`normal_key` of many, given as :func:`listed` takes them."""
    keys = listed(keys)
    if isinstance(keys, np.ndarray):
        return keys
    kinds = set(map(type, keys))
    if kinds == {str} and (whole := "\n".join(["", *keys, ""])).isascii():  # the common case
        if whole.count("\n") == len(keys) + 1 and not any(space in whole for space in LOOSE):
            return keys  # not a second copy of the texts
        names: list[Key] = [" ".join(key.split()) for key in keys]
        if "" not in names:
            return names
    return keys if _small_integers(keys, kinds) else [normal_key(key) for key in keys]


def normal_value(value: Any, key: Any = None) -> str | bytes | int:
    """A value as plain str, bytes or int, its text as it is; ``key`` is named if it cannot be one.

    Raises:
        TypeError: of another type.
        ValueError: empty, or half a character in it.
    """
    what = "value" if key is None else f"key {key!r}: value"
    if isinstance(value, str):
        found: str | bytes | int = _whole_characters(what, str.__str__(value))
    elif isinstance(value, bytes):
        found = bytes(memoryview(value))
    elif isinstance(value, int | np.integer) and not isinstance(value, bool):
        return _written(what, operator.index(value))
    else:
        many = isinstance(value, list | tuple | set | dict | np.ndarray)
        hint = "; a tape made with sequence=True takes sequences" if many else ""
        kind = type(value).__name__
        raise TypeError(f"{what} {value!r}: must be a str, bytes or int, not {kind}{hint}")
    if not found:
        raise ValueError(f"{what} {value!r}: must not be empty")
    return found


def normal_values(values: Any, keys: Any) -> list[Any] | np.ndarray:
    """:func:`normal_value` of many, given as :func:`listed` takes them, one per key."""
    values = listed(values, "values")
    if len(values) != len(keys):
        raise ValueError(f"{len(values)} values for {len(keys)} keys: must be as many")
    if isinstance(values, np.ndarray):
        return values
    kinds = set(map(type, values))
    if _small_integers(values, kinds) or (
        kinds == {str} and "" not in values and "\n".join(values).isascii()
    ):
        return values
    return [normal_value(value, key) for value, key in zip(values, keys, strict=True)]


def normal_source(source: str | None) -> str | None:
    """The name of a source as plain str; None = it has none."""
    return None if source is None else _whole_characters("source", str.__str__(source))


def integer_of(text: str) -> int | None:
    """The integer whose digits a text is; None where it is another text."""
    if not INTEGER.fullmatch(text) or len(text.lstrip("-")) > DIGITS:
        return None
    return int(text)


def spellings(given: Any, name: Key) -> list[Key]:
    """Other spellings under which a key may be listed, the likeliest first: an integer as its
    digits and digits as the integer (a shell knows only text), ``#`` and a hash, and, for tapes
    that were filled before keys were spelt as now, the text as it was given and as it was spelt."""
    other: list[Key] = []
    if isinstance(name, int) and not isinstance(name, KeyHash):
        other.append(str(name))
    elif isinstance(name, str):
        number = integer_of(name)
        if number is not None:
            other.append(number)
        if HASH.fullmatch(name):
            other.append(KeyHash(name[1:], 16))
        if given != name and isinstance(given, str):
            other += [str.__str__(given), _older_spelling(given)]
    return other


def _older_spelling(text: str) -> str:
    """The spelling that tapes list which were filled while NFC came before the marks, so that a
    mark kept letters apart; the text as given where that is nothing."""
    composed = unicodedata.normalize("NFC", text).translate(UNSEEN)
    return " ".join(composed.split()) or str.__str__(text)


def _small_integers(things: list[Any], kinds: set[type]) -> bool:
    """True if all are plain integers that can be written out."""
    return kinds == {int} and -LIMIT < min(things) <= max(things) < LIMIT


def _written(what: str, number: int) -> int:
    if not -LIMIT < number < LIMIT:
        size = f"an integer of {number.bit_length():,} bits"
        raise ValueError(f"{what}: {size}: must have at most {DIGITS:,} digits")
    return number


def _whole_characters(what: str, text: str) -> str:
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        raise ValueError(f"{what} {text!r}: holds half a character (a lone surrogate)")
    return text
