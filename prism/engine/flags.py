"""A frozen dataclass as a command line: one field, one flag.

``seq_len`` is ``--seq-len``; its type and default are those of the flag, its metadata holds the
help text and what is allowed.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


def flag(
    default: Any,
    group: str,
    text: str,
    *,
    choices: tuple[str, ...] | None = None,
    low: float | None = None,
    high: float | None = None,
    metavar: str | None = None,
    renew: bool = False,
) -> Any:
    """A field that is a flag. ``low <= value <= high``; ``renew``: may change on ``--resume``."""
    meta = {
        "group": group,
        "help": text,
        "choices": choices,
        "low": low,
        "high": high,
        "metavar": metavar,
        "renew": renew,
    }
    if isinstance(default, tuple):
        return field(default_factory=lambda: default, metadata=meta)
    return field(default=default, metadata=meta)


def flag_name(name: str) -> str:
    """``seq_len`` to ``--seq-len``."""
    return "--" + name.replace("_", "-")


def kind_of(owner: type, f: dataclasses.Field[Any]) -> type:
    """The type of a flag's value: bool, int, float, str, or tuple for a list of strings."""
    hint = typing.get_type_hints(owner)[f.name]
    if isinstance(hint, types.UnionType):
        hint = next(x for x in typing.get_args(hint) if x is not type(None))
    return typing.get_origin(hint) or hint


def as_flags(values: Any, hidden: Collection[str] = (), everything: bool = False) -> list[str]:
    """The fields of the dataclass ``values`` as they are typed, ``--seq-len 64``: those that differ
    from their default, or all; without the groups ``hidden``."""
    flags = []
    for f in dataclasses.fields(values):
        value = getattr(values, f.name)
        default = () if f.default is dataclasses.MISSING else f.default
        if f.metadata["group"] in hidden or (value == default and not everything):
            continue
        if value is not None and value != ():
            flags.append(spelled_flag(f.name, value))
    return flags


def spelled_flag(name: str, value: Any) -> str:
    """The flag of a field with a value, as it is typed."""
    flag = flag_name(name)
    if isinstance(value, bool):
        return flag if value else flag.replace("--", "--no-", 1)
    return f"{flag} {' '.join(map(str, value))}" if isinstance(value, tuple) else f"{flag} {value}"


def check(owner: type, f: dataclasses.Field[Any], value: Any) -> None:
    """Nothing if ``value`` is one of field ``f`` of ``owner``.

    Raises:
        ValueError: it is not.
    """
    meta, kind = f.metadata, kind_of(owner, f)
    if value is None and f.default is None:
        return
    allowed = "a list of strings" if kind is tuple else f"of type {kind.__name__}"
    right = isinstance(value, int | float) if kind is float else isinstance(value, kind)
    right = right and (kind is bool or not isinstance(value, bool))
    if right and meta["choices"]:
        right, allowed = value in meta["choices"], f"one of {', '.join(meta['choices'])}"
    low, high = meta["low"], meta["high"]
    if right and low is not None:
        right = math.isfinite(value) and low <= value <= (math.inf if high is None else high)
        allowed = f">= {low:g}" if high is None else f"in {low:g} .. {high:g}"
        if not math.isfinite(value):
            allowed = f"a finite number {allowed}"
    if not right:
        raise ValueError(f"{flag_name(f.name)} {value}: must be {allowed}")
    check_not_empty(f.name, value)


def check_not_empty(name: str, value: Any) -> None:
    """Nothing if no text of the flag ``name`` is blank, which is what an unset variable of the
    shell gives.

    Raises:
        ValueError: one is.
    """
    for text in value if isinstance(value, tuple) else (value,):
        if isinstance(text, str) and not text.strip():
            raise ValueError(f"{flag_name(name)} {text!r}: must not be empty")


@dataclass(frozen=True)
class Effect:
    """Condition under which some flags change anything.

    Attributes:
        names: of the flags.
        when: whether they do, of whatever :func:`check_effect` is given.
        needs: for the error: what they need, or why they have none.
    """

    names: Collection[str]
    when: Callable[..., bool]
    needs: str


def check_effect(effects: Sequence[Effect], name: str, shown: str, *of: Any) -> None:
    """Nothing if flag ``name``, which was given, has an effect.

    Args:
        effects: the table.
        shown: the flag and its value.
        of: arguments of :attr:`Effect.when`.

    Raises:
        ValueError: it has none.
    """
    for effect in effects:
        if name in effect.names and not effect.when(*of):
            raise ValueError(f"{shown}: {effect.needs}")


def add_flags(parser: argparse.ArgumentParser, owner: type) -> None:
    """One flag per field of ``owner``; those not given are absent from the parsed namespace."""
    groups: dict[str, Any] = {}
    for f in dataclasses.fields(owner):
        meta, kind = f.metadata, kind_of(owner, f)
        group = groups.setdefault(meta["group"], parser.add_argument_group(meta["group"]))
        options: dict[str, Any] = {"default": argparse.SUPPRESS, "dest": f.name}
        shown = "" if f.default in (None, False, dataclasses.MISSING) else f" (default {f.default})"
        options["help"] = (meta["help"] + shown).replace("%", "%%")
        if kind is bool:
            both = f.default is not False
            options["action"] = argparse.BooleanOptionalAction if both else "store_true"
        elif kind is tuple:
            options |= {"nargs": "+", "metavar": meta["metavar"]}
        else:
            options |= {"type": kind, "metavar": meta["metavar"] or kind.__name__.upper()}
        group.add_argument(flag_name(f.name), **options)


class FormerFlag(argparse.Action):
    """Former name of a flag, ``dest`` being the new one; refused with an error that says so."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        parser.error(f"{self.option_strings[0]}: is now {flag_name(self.dest)}")


def refuse_former(parser: argparse.ArgumentParser, renamed: Mapping[str, str]) -> None:
    """Refuse the former flags of ``renamed`` (old to new field name), each in one line."""
    for old, new in renamed.items():
        parser.add_argument(
            flag_name(old),
            dest=new,
            nargs="?",
            action=FormerFlag,
            default=argparse.SUPPRESS,
            help=argparse.SUPPRESS,
        )


def given(namespace: argparse.Namespace) -> dict[str, Any]:
    """The flags that stood on the command line, by field name."""
    values = vars(namespace)
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
