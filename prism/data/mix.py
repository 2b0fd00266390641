"""A mix: several sources, the share of tokens that each is to have, and what is held out.

    pydoc                                   the text inside CPython: offline, no install
    file:essays.txt:3,file:chat.jsonl:1     files, 3 tokens of the first to 1 of the second
    folder:corpus                           every text, JSON lines and Parquet file below
    hub:owner/name/config:split             a data set on the Hugging Face hub
    mix:pretrain                            a named mix: ``NAMED``
    mix:my.json                             a mix of one's own, with a format per source

Real English without a hub, here from Debian's packages (no root needed), is one folder each:

    apt-get download linux-doc-6.1 python3.11-doc
    for f in *.deb; do dpkg-deb -x $f text; done
    rm -r text/usr/share/doc/linux-doc-6.1/Documentation/translations
    folder:text/usr/share/doc/linux-doc-6.1/Documentation,folder:text/usr/share/doc/python3.11

A mix of one's own is a JSON object like those of ``NAMED``: ``held_out`` and ``sources``, each
source with ``kind``, ``path``, ``weight`` and the options of its format.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prism.data.bundled import PythonManual
from prism.data.files import Files, find_files
from prism.data.formats import format_from
from prism.data.hub import HubDataset
from prism.data.named import NAMED
from prism.data.order import Source

HELD_OUT = 0.01
SMALL_HELD_OUT = 0.0625  # where HELD_OUT would leave a few documents, or none
SMALL = 4 * 1024 * 1024  # bytes of all sources
KINDS = ("pydoc", "file", "folder", "hub")
PLACE_OPTIONS = ("kind", "path", "config", "split", "revision", "weight", "name")


@dataclass(frozen=True)
class Weighted:
    """A source and its share of the tokens, relative to the others.

    Attributes:
        out_of_domain: whether it lies outside the domain of the model (:func:`blended`).
    """

    source: Source
    weight: float
    out_of_domain: bool = False


@dataclass(frozen=True)
class Mix:
    """Weighted sources with a held-out share of the documents.

    Attributes:
        sources: at least one; their names differ.
        held_out: share of the documents that validation has and training never sees, in (0, 0.5].
    """

    sources: tuple[Weighted, ...]
    held_out: float = HELD_OUT

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("mix: has no source; must have at least one")
        names = [s.source.name for s in self.sources]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"mix: source {name!r} is named twice; give one of them a name")
        for s in self.sources:
            if not (math.isfinite(s.weight) and s.weight > 0):
                raise ValueError(f"source {s.source.name}: weight = {s.weight!r}: must be > 0")
        number = isinstance(self.held_out, int | float)
        if not (number and 0 < self.held_out <= 0.5):
            raise ValueError(f"mix: held_out = {self.held_out!r}: must be in (0, 0.5]")

    def fingerprint(self) -> str:
        """Equal for mixes that give the same documents in the same order."""
        parts = [[s.source.name, s.weight, s.source.fingerprint()] for s in self.sources]
        raw = json.dumps([parts, self.held_out])
        return hashlib.blake2b(raw.encode(), digest_size=16).hexdigest()


def parse_mix(text: str) -> Mix:
    """The mix that a command line names. Of local text below ``SMALL`` bytes, ``SMALL_HELD_OUT`` is
    held out.

    Raises:
        ValueError: an unknown kind or name, a bad weight, or a source that cannot be opened.
    """
    if text.startswith("mix:"):
        return mix_from(_described(text.removeprefix("mix:")))
    entries = [_entry(part) for part in text.split(",")]
    mix = mix_from({"sources": entries})
    sources = [weighted.source for weighted in mix.sources]
    local = all(isinstance(source, Files | PythonManual) for source in sources)
    size = sum(source.size for source in sources if isinstance(source, Files))
    return replace(mix, held_out=SMALL_HELD_OUT) if local and size < SMALL else mix


def mix_from(description: Mapping[str, Any]) -> Mix:
    """The mix that a JSON object describes.

    Raises:
        ValueError: as :func:`parse_mix`.
    """
    unknown = sorted(description.keys() - {"sources", "held_out"})
    if unknown:
        raise ValueError(f"mix: {unknown[0]!r}: must be sources or held_out")
    sources = description.get("sources")
    if not isinstance(sources, list) or not all(isinstance(s, Mapping) for s in sources):
        raise ValueError(f"mix: sources = {sources!r}: must be a list of objects")
    return Mix(tuple(map(_open, sources)), description.get("held_out", HELD_OUT))


def _described(name: str) -> Mapping[str, Any]:
    if name in NAMED:
        return NAMED[name]
    path = Path(name)
    if path.suffix != ".json":
        raise ValueError(f"mix:{name}: must be one of {', '.join(NAMED)}, or a .json file")
    try:
        described = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"mix:{name}: cannot be read ({error})") from error
    if not isinstance(described, dict):
        raise ValueError(f"mix:{name}: must be a JSON object with sources")
    return described


def _entry(text: str) -> dict[str, Any]:
    """``kind[:path][:weight]``; the path of a hub data set is ``owner/name[/config][:split]``."""
    kind, *rest = text.strip().split(":")
    if kind not in KINDS:
        raise ValueError(f"data {text!r}: must begin with one of {', '.join(KINDS)}, mix")
    entry: dict[str, Any] = {"kind": kind}
    if rest and (kind == "pydoc" or len(rest) > 1) and _is_number(rest[-1]):
        entry["weight"] = float(rest.pop())
    if kind == "hub" and len(rest) > 1:
        entry["split"] = rest.pop()
    if rest:
        entry["path"] = ":".join(rest)
    if kind == "hub":
        parts = entry.get("path", "").split("/", 2)
        if len(parts) < 2 or not all(parts):
            raise ValueError(f"data {text}: must be hub:OWNER/NAME, /CONFIG and :SPLIT may follow")
        entry["path"] = "/".join(parts[:2])
        if len(parts) == 3:
            entry["config"] = parts[2]
    return entry


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _open(entry: Mapping[str, Any]) -> Weighted:
    kind, path = entry.get("kind"), entry.get("path")
    weight = entry.get("weight", 1.0)
    if kind not in KINDS:
        raise ValueError(f"mix: kind = {kind!r}: must be one of {', '.join(KINDS)}")
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise ValueError(f"mix: weight = {weight!r}: must be a number > 0")
    if kind == "pydoc":
        if path is not None:
            raise ValueError(f"data pydoc:{path}: pydoc takes no path")
        return Weighted(PythonManual(), weight)
    if not isinstance(path, str) or not path:
        raise ValueError(f"data {kind}: needs a path: {kind}:PATH")
    name = str(entry.get("name", path))
    format = format_from({k: v for k, v in entry.items() if k not in PLACE_OPTIONS})
    if kind == "hub":
        place = {key: entry.get(key) for key in ("config", "revision")}
        split = entry.get("split", "train")
        return Weighted(HubDataset(name, path, split=split, format=format, **place), weight)
    if kind == "folder" and not Path(path).expanduser().is_dir():
        raise ValueError(f"source {name}: {path}: no such folder")
    return Weighted(Files(name, find_files(name, path), format), weight)
