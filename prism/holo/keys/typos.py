"""Typing errors: which word can have been meant by a word that was typed.

One key press goes wrong (Damerau 1964, with the keyboard taken into account):

    dropped     Freedonia -> Fredonia      doubled     Freedonia -> Freeddonia
    swapped     Freedonia -> Freednoia     neighbour   Freedonia -> Freedomia   (m lies beside n)

Any other edit makes another word more often than a misspelt one: an added letter Erika of Erik, a
letter from the far side of the keyboard illusion of allusion. And a key press that goes wrong in a
short word, a number or a code makes another one, so only words of at least :data:`LONG` letters are
ever edited, and only one of a text. A slip that ends in a known word, an inflection or a related
name (legal forms of the language, :mod:`prism.holo.keys.words`) is no slip: *election* is no
misspelt *selection*, *Tunisian* no misspelt *Tunisia*.

To find all known strings one edit away from a text, index each under all its :func:`deletions` and
look the text up under its own (the symmetric-delete method): strings one edit apart share a
deletion.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from prism.holo.keys.words import known

LONG, LONGEST = 7, 40  # letters of a word that may have been mistyped
CASED = 4  # letters of a word whose capital may have been left out
LETTERS = {  # of the alphabets with a keyboard below
    "latin": "abcdefghijklmnopqrstuvwxyzàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþßāăąćčďđēėęěğģīįıķłļńņňőœř"
    "śşšţťūůűųźżžșț",
    "greek": "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ",
    "cyrillic": "абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґўјљњћђџѓќѕ",
}
ROWS = {  # of the keys
    "latin": ("qwertyuiop", "asdfghjkl", "zxcvbnm"),
    "greek": (";ςερτυθιοπ", "ασδφγηξκλ", "ζχψωβνμ"),
    "cyrillic": ("йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю"),
}
SINGULAR, TENSES = ("us", "is", "ss"), ("ed", "er")  # endings
VOWELS = frozenset("aeiou")  # soprano, soprani
SHORT = frozenset(["of", "the", "in", "is", "for", "and", "at", "on", "by", "to", "from"])
CODES = (  # Roman, hexadecimal, nucleotides; and what nobody could say
    re.compile("[ivxlcdm]+"),
    re.compile("[a-f]+"),
    re.compile("[acgtun]+"),
    re.compile(".*[b-df-hj-np-tv-xz]{7}.*"),
)
PLAIN = re.compile(r"[(\[\"'“‘«¿¡]*[^\W\d_]+(?:[-'’][^\W\d_]+)*[)\]\"'”’».,;:!?…]*")
RUNS = re.compile(r"[^\W\d_]+")
SPACES = re.compile(r"(\s+)")


def _beside(rows: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """The keys around each key of a keyboard, diagonals included."""
    at = {key: (r, c) for r, row in enumerate(rows) for c, key in enumerate(row)}
    return {
        key: frozenset(
            k for k, (y, x) in at.items() if k != key and max(abs(y - r), abs(x - c)) < 2
        )
        for key, (r, c) in at.items()
    }


BESIDE = {key: keys for rows in ROWS.values() for key, keys in _beside(rows).items()}


def fold(text: str) -> str:
    """Text without case; as long as it was."""
    small = text.lower()
    return small if len(small) == len(text) else text


def pieces(text: str) -> list[str]:
    """Tokens of a text at the even places, the white space between them at the odd ones."""
    return SPACES.split(text)


def is_slip(typed: str, meant: str) -> bool:
    """True if ``meant`` can have been meant by ``typed``: the same words in the same order, up to
    capitals left out and at most one typing error in one long word."""
    these, those = pieces(typed), pieces(meant)
    if len(these) != len(those) or typed == meant:
        return False
    shouted, slips = typed.isupper() and len(these) > 1, 0
    for place, (a, b) in enumerate(zip(these, those, strict=True)):
        if a == b or _same_but_for_case(a, b, shouted, place == 0):
            continue
        slips += 1
        if slips > 1 or not _is_token_slip(a, b, shouted):
            return False
    return True


def meanings(token: str) -> Iterator[str]:
    """The tokens, without case, that one key press away give ``token``, most of them no words; a
    superset of those that :func:`is_slip` would take."""
    token = fold(token)
    if not PLAIN.fullmatch(token):
        return
    for run in RUNS.finditer(token):
        start, end = run.span()
        for word in _meant_by(run.group()):
            yield token[:start] + word + token[end:]


def _meant_by(word: str) -> Iterator[str]:
    letters = alphabet(word)
    if letters is None or not LONG - 1 <= len(word) <= LONGEST + 1:
        return
    for i in range(len(word) + 1):
        head, tail = word[:i], word[i:]
        for letter in letters:
            yield head + letter + tail
        if len(tail) > 1 and tail[0] == tail[1]:
            yield head + tail[1:]
        if len(tail) > 1 and tail[0] != tail[1]:
            yield head + tail[1] + tail[0] + tail[2:]
        for letter in BESIDE.get(tail[:1], ()):
            yield head + letter + tail[1:]


def alphabet(word: str) -> str | None:
    """The alphabet that all letters of a word without case are of."""
    for letters in LETTERS.values():
        if set(word) <= set(letters):
            return letters
    return None


def _same_but_for_case(typed: str, meant: str, shouted: bool, first: bool) -> bool:
    """True if two tokens are one word, typed without its capital, in capitals as the whole text,
    or with the capital of a sentence."""
    small = fold(typed)
    if small != fold(meant) or not PLAIN.fullmatch(typed):
        return False
    return _case_left_out(typed, meant, shouted, first) and not known(small.capitalize())


def _case_left_out(typed: str, meant: str, shouted: bool, first: bool = False) -> bool:
    for a, b in zip(RUNS.findall(typed), RUNS.findall(meant), strict=True):
        if a == b or (a[1:] == b[1:] and a[:1].isupper() and b[:1].islower() and first):
            continue
        if not (a.islower() or (shouted and a.isupper())) or not b[1:].islower():
            return False
        if len(b) < CASED and b not in SHORT:
            return False
    return True


def _is_token_slip(typed: str, meant: str, shouted: bool) -> bool:
    """True if two tokens agree in all but one of their words, which is a slip."""
    if not (PLAIN.fullmatch(typed) and PLAIN.fullmatch(meant)):
        return False
    if RUNS.sub("", typed) != RUNS.sub("", meant):
        return False
    words, others = RUNS.findall(typed), RUNS.findall(meant)
    different = [pair for pair in zip(words, others, strict=True) if pair[0] != pair[1]]
    return len(different) == 1 and is_word_slip(*different[0], shouted)


def is_word_slip(typed: str, meant: str, shouted: bool = False) -> bool:
    """True if ``typed`` can be the word ``meant`` with one key press wrong."""
    name = meant[:1].isupper()
    if not meant[1:].islower() or not (shouted or typed[2:].islower()):
        return False  # capitals inside (after a first letter doubled or swapped): a code
    if not (name or shouted or typed.islower()):
        return False
    a, b = fold(typed), fold(meant)
    return editable(b) and wrong_key(a, b) and not other_form(a, b, name) and not known(a)


def editable(word: str) -> bool:
    """True if a word without case is long, of one alphabet, and no number or code in letters."""
    if alphabet(word) is None or not LONG <= len(word) <= LONGEST:
        return False
    return not any(code.fullmatch(word) for code in CODES)


def wrong_key(typed: str, meant: str) -> bool:
    """True if one key press dropped, doubled, swapped or on the key beside makes ``typed`` of
    ``meant``."""
    same = 0
    while same < min(len(typed), len(meant)) and typed[same] == meant[same]:
        same += 1
    a, b = typed[same:], meant[same:]
    if len(a) + 1 == len(b):
        return a == b[1:]
    if len(a) == len(b) + 1:
        return a[1:] == b and typed[same - 1 : same] == a[:1]
    if len(a) != len(b) or not a:
        return False
    swapped = a[:2] == b[1::-1] and a[2:] == b[2:] and len(a) > 1
    return swapped or (a[1:] == b[1:] and a[0] in BESIDE.get(b[0], ()))


def other_form(typed: str, meant: str, name: bool) -> bool:
    """True if the edit is one by which languages make another word, at the end: plural, tense,
    gender of a name, nationality."""
    if name and typed[:-2] == meant[:-2] and {typed[-2:], meant[-2:]} == {"er", "re"}:
        return True  # Alexandre
    if typed[:-1] != meant[:-1] and typed != meant[:-1]:
        return False
    last = meant[-1]
    if not meant.isascii() and alphabet(meant) is not LETTERS["latin"]:
        return True
    if typed != meant[:-1]:
        pair = {typed[-1], last}
        return pair <= VOWELS or pair == ({"s", "z"} if name else {"s", "d"})
    if last == "s":
        return not meant.endswith(SINGULAR)
    if last == "n":
        return name and typed[-1] in "ae"  # Tunisian, Jansen
    return last == "a" or meant.endswith(TENSES) or (last in "eo" and (name or not meant.isascii()))


def deletions(text: str) -> set[str]:
    """The text, and the text with each of its letters left out."""
    return {text, *(text[:i] + text[i + 1 :] for i in range(len(text)))}


def one_typo(text: str, draw: random.Random) -> str:
    """``text`` with one wrong key press inside a long word: a letter dropped, doubled, swapped with
    the next or replaced by one beside it on the keyboard."""
    word = draw.choice([word for word in text.split() if len(word) >= LONG])
    at = draw.randrange(1, len(word) - 1)
    head, letter, tail = word[:at], word[at], word[at + 1 :]
    changed = {
        "drop": head + tail,
        "double": head + 2 * letter + tail,
        "swap": head + tail[0] + letter + tail[1:],
        "beside": head + draw.choice(sorted(BESIDE.get(letter.lower(), letter))) + tail,
    }[draw.choice(("drop", "double", "swap", "beside"))]
    return text.replace(word, changed, 1) if changed != word else one_typo(text, draw)
