"""The rules once more, in plain Python: each solver sees a prefix and nothing else.

``SOLVERS[name](prefix)`` gives the answer that is due after the last token of ``prefix``, or None
where nothing is asked. Written from the rules' wording, without the generators' numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import permutations

from tasks.memorize import TABLE

NOT_ASKED = None


def copy(prefix: list[int]) -> int | None:
    """The data before SEP (16), again in order: at SEP the first, at every blank the next."""
    if 16 not in prefix:
        return NOT_ASKED
    separator = prefix.index(16)
    return prefix[:separator][len(prefix) - 1 - separator]


def induction(prefix: list[int]) -> int | None:
    """A trigger (16 and above) that was here before: what followed it then."""
    last = prefix[-1]
    if last < 16 or last not in prefix[:-1]:
        return NOT_ASKED
    return prefix[prefix.index(last) + 1]


def mqar(prefix: list[int], pairs: int = 8, keys: int = 63) -> int | None:
    """After the pairs, a key: the value that it was paired with."""
    last = prefix[-1]
    if len(prefix) <= 2 * pairs or not 1 <= last <= keys:
        return NOT_ASKED
    table = dict(zip(prefix[0 : 2 * pairs : 2], prefix[1 : 2 * pairs : 2], strict=True))
    return table[last]


def reasoning(prefix: list[int]) -> int | None:
    """At SEP (18): ADD (16) and SUB (17) applied in turn, kept within 0..15 after each."""
    if prefix[-1] != 18:
        return NOT_ASKED
    value = prefix[0]
    steps = prefix[1:-1]
    for operation, delta in zip(steps[0::2], steps[1::2], strict=True):
        value += {16: delta, 17: -delta}[operation]
        value = min(15, max(0, value))
    return value


def parity(prefix: list[int]) -> int | None:
    """Whether the number of ones is odd."""
    return int(prefix.count(1) % 2 == 1)


def modular(prefix: list[int]) -> int | None:
    """The sum of the digits modulo 5."""
    return sum(prefix) % 5


def noisy_recall(prefix: list[int]) -> int | None:
    """A key (0..7) that was here before: the token that followed it then."""
    last = prefix[-1]
    if last >= 8 or last not in prefix[:-1]:
        return NOT_ASKED
    return prefix[prefix.index(last) + 1]


def selective_copy(prefix: list[int]) -> int | None:
    """Behind COPY (15), at the j-th blank: the j-th token that is no blank (14)."""
    if 15 not in prefix[:-1]:
        return NOT_ASKED
    end = prefix.index(15)
    return [token for token in prefix[:end] if token != 14][len(prefix) - end - 2]


def memorize(prefix: list[int]) -> int | None:
    """At INSERT (254): the value of the key before it, from the fixed table."""
    return int(TABLE[prefix[-2]]) if prefix[-1] == 254 else NOT_ASKED


def symmetric_group(prefix: list[int], n: int) -> int:
    """The permutations of ``prefix`` applied one after another to a row of ``n`` things."""
    elements = list(permutations(range(n)))
    where = tuple(range(n))
    for token in prefix:
        where = tuple(elements[token][i] for i in where)
    return elements.index(where)


SOLVERS: dict[str, Callable[[list[int]], int | None]] = {
    "copy": copy,
    "induction": induction,
    "mqar": mqar,
    "reasoning": reasoning,
    "parity": parity,
    "modular": modular,
    "noisy_recall": noisy_recall,
    "selective_copy": selective_copy,
    "memorize": memorize,
    "s3": partial(symmetric_group, n=3),
    "s5": partial(symmetric_group, n=5),
    "mqar64": partial(mqar, pairs=64, keys=255),
    "mqar128": partial(mqar, pairs=128, keys=255),
}
