"""A mix: several sources, the share of tokens that each is to have, and what is held out.

    pydoc                                   the text inside CPython: offline, no install
    file:essays.txt:3,file:chat.jsonl:1     files, 3 tokens of the first to 1 of the second
    folder:corpus                           every text, JSON lines and Parquet file below
    hub:owner/name/config:split             a data set on the Hugging Face hub
    mix:pretrain                            a named mix: a file in ``prism/data/mixes``
    mix:my.json                             a mix of one's own, with a format per source
    store:DIR                               the text of a teacher's store (prism.distill)
    notes=file:essays.txt:3                 a source with a name of its own

Real English without a hub, here from Debian's packages (no root needed), is one folder each:

    apt-get download linux-doc-6.1 python3.11-doc
    for f in *.deb; do dpkg-deb -x $f text; done
    rm -r text/usr/share/doc/linux-doc-6.1/Documentation/translations
    folder:text/usr/share/doc/linux-doc-6.1/Documentation,folder:text/usr/share/doc/python3.11

A mix of one's own is a JSON object like those of the named mixes: ``held_out`` and ``sources``,
each source with ``kind``, ``path``, ``weight`` and the options of its format. The named ones hold
data sets that are public without a request; each is described at
https://huggingface.co/datasets/<path>. Weights are shares of tokens. Relative paths in a mix are
looked for beside its file, then in the working folder.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from prism.data.document import number_of
from prism.data.files import Files
from prism.data.find import find_files, placed
from prism.data.formats import format_from
from prism.data.hub import HubDataset
from prism.data.order import Source, stored
from prism.data.passages import PythonManual
from prism.data.teacher_store import StoreSource

HELD_OUT = 0.01
SMALL_HELD_OUT = 0.0625  # where HELD_OUT would leave a few documents, or none
SMALL = 4 * 1024 * 1024  # bytes of all sources
KINDS = ("pydoc", "file", "folder", "hub", "store")
LOCAL = ("file", "folder", "store")  # whose paths are of this machine
NEXT = re.compile(rf",(?=\s*(?:[^,:=]+=)?(?:(?:{'|'.join(KINDS)}|mix):|pydoc\s*(?:,|$)))")
OWN_NAME = re.compile(rf"([^:=]+)=((?:{'|'.join(KINDS)})(?::.*)?)", re.DOTALL)
NAMED = ("pretrain", "instruct", "retrieval")  # files of MIXES
MIXES = Path(__file__).parent / "mixes"
FORMAT_OPTIONS = ("text", "messages", "prompt", "answer")
FILES_OPTIONS = ("kind", "path", "weight", "name", *FORMAT_OPTIONS)
OPTIONS = {  # of a source in a mix, by kind
    "pydoc": ("kind", "weight"),
    "file": FILES_OPTIONS,
    "folder": FILES_OPTIONS,
    "hub": (*FILES_OPTIONS, "config", "split", "revision"),
    "store": ("kind", "path", "weight", "name"),
}


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

    @cached_property
    def shares(self) -> dict[str, float]:
        """Share of the documents that is held out, by source: ``held_out``, and of local files
        that would hold out none just enough for the one with the smallest :func:`number_of`."""
        return {s.source.name: self._share(s.source) for s in self.sources}

    def _share(self, source: Source) -> float:
        size = getattr(source, "size", None)
        if size is None:  # remote: not read for this
            return self.held_out
        limit, numbers = self.held_out * 2.0**64, set()
        for document in stored(source):  # all of a small source, so that bad rows are seen at once
            if document.text.strip():
                number = number_of(document)
                if size >= SMALL and number < limit:
                    return self.held_out
                numbers.add(number)
        first, *others = sorted(numbers) or [0]
        if not others or first < limit:
            return self.held_out
        return (first + others[0]) / 2.0**65  # the second is trained on

    def fingerprint(self) -> str:
        """Equal for mixes that give the same documents in the same order, wherever they lie."""
        parts = [[s.weight, s.source.fingerprint()] for s in self.sources]
        raw = json.dumps([parts, self.held_out])
        return hashlib.blake2b(raw.encode(), digest_size=16).hexdigest()

    def former_fingerprint(self) -> str:
        """The one of older runs, which was of the names of sources and the sizes of files."""
        parts = []
        for s in self.sources:
            former = getattr(s.source, "former_fingerprint", s.source.fingerprint)
            parts.append([s.source.name, s.weight, former()])
        raw = json.dumps([parts, self.held_out])
        return hashlib.blake2b(raw.encode(), digest_size=16).hexdigest()

    def listing(self) -> list[dict[str, Any]]:
        """The sources and their files, as JSON, for :func:`prism.data.contents.difference`."""
        return [
            {
                "name": s.source.name,
                "weight": s.weight,
                "fingerprint": s.source.fingerprint(),
                "files": s.source.listing() if isinstance(s.source, Files) else [],
                "skipped": s.source.found.skipped if isinstance(s.source, Files) else {},
            }
            for s in self.sources
        ]

    def remarks(self) -> list[str]:
        """A line for every source of which files were passed over."""
        files = [s.source for s in self.sources if isinstance(s.source, Files)]
        return [f"source {x.name}: {x.found.remark()}" for x in files if x.found.skipped]


def blended(own: Mix, shared: Mix, share: float) -> Mix:
    """Two mixes in one: ``share`` of the tokens from ``own``, the others from ``shared``.

        w_s = share own_s / sum(own) + (1 - share) shared_s / sum(shared)

    A source in both has the sum of its two weights. A source whose documents are in ``shared``
    only, whatever the two call it, is out of domain. ``shared`` says what is held out, so a model
    that goes on from one trained on it never meets the text that this one was validated on.

    Raises:
        ValueError: two different sources have one name.
    """
    sources = {s.source.name: s.source for s in own.sources}
    weights = dict.fromkeys(sources, 0.0)
    for s in shared.sources:
        name = s.source.name
        if name in sources and sources[name].fingerprint() != s.source.fingerprint():
            raise ValueError(f"source {name!r} is another one in the shared mix; give it a name")
        sources.setdefault(name, s.source)
        weights.setdefault(name, 0.0)
    for mix, part in ((own, share), (shared, 1 - share)):
        total = sum(s.weight for s in mix.sources)
        for s in mix.sources:
            weights[s.source.name] += part * s.weight / total
    # by content: equal documents may be named or reached otherwise
    domain = {(type(s.source), s.source.fingerprint()) for s in own.sources}
    return Mix(
        tuple(
            Weighted(source, weights[name], (type(source), source.fingerprint()) not in domain)
            for name, source in sources.items()
        ),
        shared.held_out,
    )


def parse_mix(text: str, base: Path | None = None) -> Mix:
    """The mix that a command line names. Of local text below ``SMALL`` bytes, ``SMALL_HELD_OUT`` is
    held out.

    Args:
        text: as above. A comma divides sources only where another kind follows, so a path may hold
            commas.
        base: folder that relative paths are looked for in before the working folder.

    Raises:
        ValueError: an unknown kind or name, a bad weight, or a source that cannot be opened.
    """
    if text.startswith("mix:"):
        return _mix_file(text, base)
    entries = [_entry(part, base) for part in NEXT.split(text)]
    mix = mix_from({"sources": entries}, base)
    sources = [weighted.source for weighted in mix.sources]
    local = all(isinstance(source, Files | PythonManual | StoreSource) for source in sources)
    size = sum(source.size for source in sources if isinstance(source, Files | StoreSource))
    return replace(mix, held_out=SMALL_HELD_OUT) if local and size < SMALL else mix


def absolute(text: str, base: Path) -> str:
    """``text`` with the paths that are there below ``base`` written out; sources keep their
    names."""
    if text.startswith("mix:"):
        name = text.removeprefix("mix:")
        return text if name in NAMED else f"mix:{placed(name, base)}"
    parts = []
    for part in NEXT.split(text):
        entry = _entry(part, base)
        path, name = entry.get("path", ""), entry.get("name", entry.get("path", ""))
        there = placed(path, base)
        if entry["kind"] in LOCAL and there != Path(path).expanduser():
            own = f"{name}=" if not re.search("[:=]", name) else ""
            weight = f":{entry['weight']:g}" if "weight" in entry else ""
            part = f"{own}{entry['kind']}:{there}{weight}"
        parts.append(part)
    return ",".join(parts)


def _mix_file(text: str, base: Path | None) -> Mix:
    name = text.removeprefix("mix:")
    path = MIXES / f"{name}.json" if name in NAMED else placed(name, base) if name else Path()
    if path.suffix != ".json":
        raise ValueError(f"{text}: must be one of {', '.join(NAMED)}, or a .json file")
    try:
        described = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{text}: cannot be read ({error})") from error
    if not isinstance(described, dict):
        raise ValueError(f"{text}: must be a JSON object with sources")
    return mix_from(described, path.parent)


def mix_from(description: Mapping[str, Any], base: Path | None = None) -> Mix:
    """The mix that a JSON object describes.

    Args:
        base: folder that relative paths are looked for in before the working folder.

    Raises:
        ValueError: as :func:`parse_mix`.
    """
    unknown = sorted(description.keys() - {"sources", "held_out"})
    if unknown:
        raise ValueError(f"mix: {unknown[0]!r}: must be sources or held_out")
    sources = description.get("sources")
    if not isinstance(sources, list) or not all(isinstance(s, Mapping) for s in sources):
        raise ValueError(f"mix: sources = {sources!r}: must be a list of objects")
    opened = tuple(_open(source, base) for source in sources)
    return Mix(opened, description.get("held_out", HELD_OUT))


def _entry(text: str, base: Path | None) -> dict[str, Any]:
    """``[name=]kind[:path][:weight]``; the path of a hub data set is
    ``owner/name[/config][:split]``."""
    named = OWN_NAME.fullmatch(text.strip())
    kind, *rest = (named[2] if named else text.strip()).split(":")
    if kind not in KINDS:
        raise ValueError(f"data {text!r}: must begin with one of {', '.join(KINDS)}, mix")
    entry: dict[str, Any] = {"kind": kind} | ({"name": named[1].strip()} if named else {})
    whole = kind in LOCAL and placed(":".join(rest), base).exists()
    if rest and (kind == "pydoc" or len(rest) > 1) and not whole:
        with suppress(ValueError):  # of float: then it is no weight, but part of the path
            entry["weight"] = float(rest[-1])
            rest.pop()
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


def _open(entry: Mapping[str, Any], base: Path | None) -> Weighted:
    kind, path = entry.get("kind"), entry.get("path")
    weight = entry.get("weight", 1.0)
    if kind not in KINDS:
        raise ValueError(f"mix: kind = {kind!r}: must be one of {', '.join(KINDS)}")
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise ValueError(f"mix: weight = {weight!r}: must be a number > 0")
    if kind == "pydoc" and path is not None:
        raise ValueError(f"data pydoc:{path}: pydoc takes no path")
    unknown = sorted(entry.keys() - OPTIONS[kind])
    if unknown:
        allowed = ", ".join(OPTIONS[kind])
        raise ValueError(f"mix: {unknown[0]!r} of {path or kind}: must be one of {allowed}")
    if kind == "pydoc":
        return Weighted(PythonManual(), weight)
    if not isinstance(path, str) or not path:
        raise ValueError(f"data {kind}: needs a path: {kind}:PATH")
    name = str(entry.get("name", path))
    if kind == "store":
        return Weighted(StoreSource(name, placed(path, base)), weight)
    format = format_from({k: v for k, v in entry.items() if k in FORMAT_OPTIONS})
    if kind == "hub":
        place = {key: entry.get(key) for key in ("config", "revision")}
        split = entry.get("split", "train")
        return Weighted(HubDataset(name, path, split=split, format=format, **place), weight)
    if kind == "folder" and not placed(path, base).is_dir():
        raise ValueError(f"source {name}: {path}: no such folder")
    return Weighted(Files(name, find_files(name, path, base), format), weight)
