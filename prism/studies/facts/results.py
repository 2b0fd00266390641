"""facts.json: every measured tape, on disk as soon as it is measured.

``{"meta": {"settings": {...}, ...}, "runs": [{"facts": N, "seed": s, "rows": [...]}, ...]}``. A
command that was stopped goes on where it stopped. What the figures depend on is in the settings,
the code included, so figures of two protocols never meet in one file.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from prism import whole_file

PACKAGE = Path(__file__).resolve().parents[2]
CODE = ("eval_facts.py", "studies/facts", "inject", "holo", "pretrained")


class FactsFile:
    """The results in one file.

    Args:
        path: where the file is or will be.
        meta: what is known beforehand; ``meta["settings"]`` is what every figure depends on.

    Raises:
        ValueError: the file is there and is none of ours, or was made with other settings.
    """

    def __init__(self, path: Path, meta: dict[str, Any]) -> None:
        self.path, self.meta = path, meta
        self.runs: list[dict[str, Any]] = []
        if not path.exists():
            return
        before = _read(path)
        old, new = before["meta"]["settings"], meta["settings"]
        for name in {**new, **old}:
            if old.get(name) != new.get(name):
                raise ValueError(
                    f"{path}: was measured with {name} = {old.get(name)}, now {new.get(name)}: "
                    "must be the same to go on; give another --out"
                )
        self.runs = before["runs"]
        self.meta["started"] = before["meta"]["started"]

    def has(self, facts: int, seed: int) -> bool:
        """Whether this tape was measured to its end."""
        return any((run["facts"], run["seed"]) == (facts, seed) for run in self.runs)

    def add(self, run: dict[str, Any], finished: str) -> None:
        """Keep one more tape and replace the file in one step."""
        self.runs.append(run)
        self.meta["finished"] = finished
        content = {"meta": self.meta, "runs": self.runs}
        whole_file.write(self.path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def code_fingerprint() -> str:
    """Hex digits of the source that a figure can depend on."""
    digest = hashlib.sha256()
    for name in CODE:
        place = PACKAGE / name
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            digest.update(path.relative_to(PACKAGE).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
        settings, started = content["meta"]["settings"], content["meta"]["started"]
        keys = [(run["facts"], run["seed"], run["rows"]) for run in content["runs"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: {error!r}: must be a file of this command") from error
    if not isinstance(settings, dict) or not isinstance(started, str | None) or not all(keys):
        raise ValueError(f"{path}: must be a file of this command")
    return content
