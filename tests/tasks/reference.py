"""The rules once more, in plain Python: each solver sees a prefix and nothing else.

``SOLVERS[name](prefix)`` gives the answer that is due after the last token of ``prefix``, or None
where nothing is asked. Written from the rules' wording, without the generators' numpy.
"""

from __future__ import annotations

from collections.abc import Callable

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


def mqar(prefix: list[int]) -> int | None:
    """After the eight pairs, a key (1..63): the value that it was paired with."""
    last = prefix[-1]
    if len(prefix) <= 16 or not 1 <= last <= 63:
        return NOT_ASKED
    pairs = dict(zip(prefix[0:16:2], prefix[1:16:2], strict=True))
    return pairs[last]


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


SOLVERS: dict[str, Callable[[list[int]], int | None]] = {
    "copy": copy,
    "induction": induction,
    "mqar": mqar,
    "reasoning": reasoning,
    "parity": parity,
    "modular": modular,
}
