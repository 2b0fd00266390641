"""Data of a run at a resume: where they lie now, and whether they are those it was started with.

Relative paths are those of the folder that the run was started in, so it can be resumed from
anywhere. Data that have moved are given anew (``--data``), and must have the same contents.
``data.json`` in the run's folder lists every file with its size and hash, and what was skipped; by
it a refusal names the file that has changed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prism.data.contents import difference
from prism.data.find import placed
from prism.data.mix import absolute
from prism.engine.settings import Settings
from prism.engine.store import checkpoint
from prism.engine.store.folder import read_json
from prism.record import write_json

if TYPE_CHECKING:
    from prism.engine.loop.trainer import TrainSpec

FILE = "data.json"
MIXES, PATHS = ("data", "modular_shared"), ("tokenizer", "reference")  # settings


def from_anywhere(s: Settings, saved: Mapping[str, Any], given: Collection[str]) -> Settings:
    """``s`` with the relative paths of the run's own working folder written out, where that is
    another than this one.

    Args:
        saved: ``run.json`` of the checkpoint; an older one does not know the folder.
        given: settings that stood on this command line, and are relative to this folder.
    """
    base = Path(saved.get("working_folder", Path.cwd()))
    if base == Path.cwd():
        return s
    changed: dict[str, str] = {}
    for name in (*MIXES, *PATHS):
        value = getattr(s, name)
        if value is not None and name not in given:
            changed[name] = absolute(value, base) if name in MIXES else str(placed(value, base))
    return dataclasses.replace(s, **changed)


def check(run: Path, start: Path, spec: TrainSpec) -> None:
    """Nothing if the data of ``spec`` are those of the run.

    Raises:
        ValueError: they are not; names the file that has changed, as far as ``data.json`` says.
    """
    saved = checkpoint.read_run(start)["identity"].get("data")
    if saved in (spec.identity.get("data"), spec.former.get("data")):
        return
    known = run / FILE
    what = difference(read_json(known)["sources"], spec.data) if known.is_file() else ""
    named = f": {what}" if what else ""
    raise ValueError(
        f"{run}: its data are not those that it was trained on{named}; must have the same contents "
        "(--data says where they are, if they have moved)"
    )


def record(run: Path, spec: TrainSpec) -> None:
    """Write ``data.json``."""
    write_json(run / FILE, {"format": 1, "sources": list(spec.data)})
