"""Losses, observers and data that a command hands to a run, with their flags.

The engine imports no package that builds on it. The command (``prism/run_scale.py``) holds the one
list of extensions; each may have

    flags   a frozen dataclass of :func:`prism.engine.flags.flag` fields, which become flags of the
            command, are saved with the run, and come back at a resume
    data    changes the mix that ``--data`` names
    build   gives a loss in place of the cross-entropy, terms beside it, observers

An extension that none of the flags asks for gives nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prism.data import Mix
from prism.engine.flags import flag_name
from prism.engine.loop.loss import CrossEntropy, Loss, ModelPenalties, OwnAnswer
from prism.engine.loop.observer import Observer
from prism.engine.loop.trainer import TrainSpec
from prism.engine.parallel.world import World


@dataclass(frozen=True)
class Parts:
    """Additions of an extension to a run.

    Attributes:
        loss: in place of the cross-entropy; at most one extension may give one.
        terms: of the loss, beside it.
        observers: with names of their own.
        identity: what has to be the same at a resume, by name, e.g. the fingerprint of a store.
        remarks: to be printed before the first step.
    """

    loss: Loss | None = None
    terms: Sequence[Loss] = ()
    observers: Sequence[Observer] = ()
    identity: Mapping[str, str] = field(default_factory=dict)
    remarks: Sequence[str] = ()


@dataclass(frozen=True)
class Extension:
    """An entry of the command's list.

    Attributes:
        name: for errors.
        flags: a frozen dataclass whose fields are flags; its ``__post_init__`` may refuse values.
            Field names must differ from those of the settings and of other extensions.
        data: of an instance of ``flags`` and the mix of ``--data``: the mix to read.
        build: of an instance of ``flags``, the spec (without the parts of other extensions) and
            the ranks: the parts. Called at the start, at a resume and at each growth point.
    """

    name: str
    flags: type | None = None
    data: Callable[[Any, Mix], Mix] | None = None
    build: Callable[[Any, TrainSpec, World], Parts] | None = None

    def own(self, values: Mapping[str, Any]) -> Any:
        """The instance of ``flags`` with those of ``values`` that are its own; None without."""
        if self.flags is None:
            return None
        names = {f.name for f in dataclasses.fields(self.flags)}
        return self.flags(**{k: v for k, v in values.items() if k in names})


def flag_fields(extensions: Sequence[Extension]) -> dict[str, dataclasses.Field[Any]]:
    """The fields of all extensions' flags, by name.

    Raises:
        ValueError: two extensions have one of the same name.
    """
    fields: dict[str, dataclasses.Field[Any]] = {}
    for extension in extensions:
        for f in dataclasses.fields(extension.flags) if extension.flags else ():
            if f.name in fields:
                raise ValueError(f"{flag_name(f.name)}: two extensions have it; names must differ")
            fields[f.name] = f
    return fields


def renewed_flags(
    saved: Mapping[str, Any], given: Mapping[str, Any], known: Mapping[str, dataclasses.Field[Any]]
) -> dict[str, Any]:
    """The flags of extensions at a resume: ``saved`` with the ``given`` ones that may change.

    Raises:
        ValueError: a flag that would make it another run, or a saved one that no extension has.
    """
    for name in saved:
        if name not in known:
            raise ValueError(f"{flag_name(name)}: the run was started with it; is unknown here")
    for name, value in given.items():
        before = saved.get(name, known[name].default)
        if value != before and not known[name].metadata["renew"]:
            raise ValueError(f"{flag_name(name)} {value}: the run was started with {before}")
    lists = {k: tuple(v) for k, v in saved.items() if isinstance(v, list)}
    return {**saved, **lists, **given}


def extended(
    spec: TrainSpec, w: World, extensions: Sequence[Extension], values: Mapping[str, Any]
) -> TrainSpec:
    """``spec`` with the parts of all extensions.

    Args:
        values: the flags of extensions that were given.

    Raises:
        ValueError: two extensions give a loss, or one cannot be built.
    """
    built = [(e.name, e.build(e.own(values), spec, w)) for e in extensions if e.build is not None]
    losses = [(name, parts.loss) for name, parts in built if parts.loss is not None]
    if len(losses) > 1:
        names = " and ".join(name for name, _ in losses)
        raise ValueError(f"{names} give a loss each; choose one")
    main = losses[0][1] if losses else CrossEntropy()
    terms = [term for _, parts in built for term in parts.terms]
    identity = dict(spec.identity)
    for _, parts in built:
        identity |= parts.identity
    return dataclasses.replace(
        spec,
        losses=(main, OwnAnswer(), ModelPenalties(), *terms),
        observers=tuple(x for _, parts in built for x in parts.observers),
        identity=identity,
        remarks=(*spec.remarks, *(x for _, parts in built for x in parts.remarks)),
    )
