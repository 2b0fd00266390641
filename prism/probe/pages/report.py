"""Report on a log: a JSON file of figures, a page made from it alone, and a film.

The page answers the questions of the log book that the study began with, as far as one run can, and
says which it cannot.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prism import whole_file
from prism.page import page
from prism.probe.pages.film import write_film
from prism.probe.pages.sections import sections
from prism.probe.readings.crystal import crystal
from prism.probe.readings.history import Latest, read, unseen
from prism.probe.readings.motion import Comoving, Lattice, Series, phases
from prism.probe.readings.survival import LastMovements, curve, summary
from prism.probe.store.log import Log
from prism.probe.store.ordinal import Bits
from prism.record import write_json

POINTS = 160  # of a curve


def write_report(log: Log, out: Path) -> list[Path]:
    """Write ``probe.json``, ``probe.html`` and ``probe.gif`` into ``out``; their paths."""
    dead = unseen(log, log.last)
    content, series, last = figures(log, dead)
    tracers = log.path.parent / "tracers.json"
    if tracers.is_file():
        content["tracers"] = json.loads(tracers.read_text("utf-8"))
    paths = [out / f"probe.{end}" for end in ("json", "gif", "html")]
    out.mkdir(parents=True, exist_ok=True)
    content["frames"] = write_film(paths[1], log, dead, last, series)
    write_json(paths[0], content)
    title = f"What {log.header['matrix']} did"
    whole_file.write(paths[2], page(title, sections(content, paths[1].read_bytes())))
    return paths


def figures(log: Log, dead: NDArray[np.int64]) -> tuple[dict[str, Any], Series, Bits]:
    """Every number of the page but those of tracers; movements by size; the last bits. The log is
    read once for all."""
    by_size, moving, last = Lattice(log), Comoving(log, dead), LastMovements(log, dead)
    end = Latest(log.start()[dead])
    read(log, dead, [by_size, moving, last, end])
    series, motion, lives = by_size.series(), moving.series(), last.lifetimes()
    times, frozen = lives.times.ravel(), lives.frozen.ravel()
    survival = curve(times, frozen)
    cloud = {"start": log.start()[dead], "end": end.bits}
    content = _content(log, len(dead))
    content |= {
        "freezing": summary(lives),
        "survival": _thinned({"t": np.arange(len(survival)), "share": survival}),
        "lattice": _thinned(series),
        "phases": phases(series),
        "comoving": _thinned(motion),
        "geometry": {name: [_number(x[0]), _number(x[-1])] for name, x in motion.items()},
        "antiparallel": _number(np.nanmedian(motion["antiparallel"])),
        "crystal": {name: crystal(bits).summary() for name, bits in cloud.items()},
    }
    return content, series, end.bits


def _content(log: Log, dead: int) -> dict[str, Any]:
    """Of which log the figures are."""
    raw = log.format.bits(0).itemsize * len(log.rows) * log.width * (log.last - log.first)
    return {
        "header": log.header,
        "first": log.first,
        "last": log.last,
        "damage": log.damage,
        "bytes": log.path.stat().st_size,
        "raw_bytes": raw,
        "rows": len(log.rows),
        "dead": dead,
    }


def _number(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None


def _thinned(series: dict[str, NDArray[Any]]) -> dict[str, list[float | None]]:
    """At most so many points, evenly over the logarithm of the index."""
    count = len(next(iter(series.values())))
    shown = np.unique(np.geomspace(1, count, POINTS).astype(int)) - 1
    return {name: [_number(float(v)) for v in x[shown]] for name, x in series.items()}
