"""Prose of a file into a knowledge base: its plain statements, with their lines.

    paragraphs   of a .md or .txt file, as blank lines divide them
    data         a paragraph that instructs its reader anywhere (:mod:`...perceive.instructions`),
                 code, quotations and front matter: nothing is read from them
    trust        the source is ``file``: what contradicts a user or a program waits

Each statement gives its facts, and is kept in its own words too. The first person is the file's
writer, whom nobody knows: what is said in it is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prism.mind.knowledge import Added, KnowledgeBase
from prism.mind.ledger import Statement
from prism.mind.perceive import Triple, perceive
from prism.mind.perceive.instructions import instructs
from prism.mind.records import SAID, Source
from prism.mind.reflect.words import FIRST_PERSON, tokens

SUFFIXES = (".md", ".txt", ".markdown")
ENDS = (".", "!", "?", ":", ";", '."', '!"', '?"', ".)", "!)", "?)")
FENCES = ("```", "~~~")
PLAIN = re.compile(r"[\"“'A-Z0-9](?:(?!%%)[^|{}<>\[\]_=#@\\])*[.!]")  # prose: kept in its own words


@dataclass(frozen=True)
class Noted:
    """Result of reading a file: what the ledger says of each statement, and the lines that are
    data, with why."""

    added: tuple[Added, ...]
    data: tuple[tuple[int, str], ...]


def paragraphs(text: str) -> Iterator[list[tuple[int, str]]]:
    """Numbered lines of each paragraph of prose; code and headings divide, and are left out."""
    lines: list[tuple[int, str]] = []
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        fence = bare.startswith(FENCES)
        fenced = fenced != fence
        if fence or fenced or not bare or bare.startswith(("#", "|")):
            if lines:
                yield lines
            lines = []
            continue
        lines.append((number, bare.lstrip("-*+ ").strip()))
    if lines:
        yield lines


def unwrapped(lines: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines of a paragraph, those of wrapped prose joined: where its last line ends a sentence,
    a line that ends none goes on in the next."""
    if not lines[-1][1].endswith(ENDS):
        yield from lines
        return
    first, parts = lines[0][0], []
    for number, line in lines:
        first = first if parts else number
        parts.append(line)
        if line.endswith(ENDS):
            yield first, " ".join(parts)
            parts = []


def _line_of(sentence: str, first: int, lines: list[tuple[int, str]]) -> int:
    """The line on which a sentence begins, from line ``first`` on."""
    opening = sentence.split()[:3]
    return next((n for n, line in lines if n >= first and " ".join(opening) in line), first)


def stated(text: str, uri: str) -> tuple[list[Statement], list[tuple[int, str]]]:
    """The statements of a file's text, and the lines that are data."""
    statements: list[Statement] = []
    data: list[tuple[int, str]] = []
    for lines in paragraphs(text):
        why = next((found for _, line in lines if (found := instructs(line))), None)
        if why is None and lines[0][1].startswith((">", '"', "“")):
            why = "a quotation"
        if why is not None:
            data += [(number, why) for number, _ in lines]
            continue
        for number, line in unwrapped(lines):
            for sentence in perceive(line):
                source = Source("file", uri, _line_of(sentence.text, number, lines), sentence.text)
                statements += [
                    Statement(fact.subject, fact.relation, fact.object, source, fact.many)
                    for fact in sentence.facts
                    if not _about_the_writer(fact)
                ]
                statements += [
                    Statement(remark.topic, SAID, remark.text, source, many=True)
                    for remark in sentence.remarks
                    if PLAIN.fullmatch(remark.text)
                    and not any(token.lower in FIRST_PERSON for token in tokens(remark.text))
                ]
    return statements, data


def _about_the_writer(fact: Triple) -> bool:
    return "me" in (fact.subject.split("/")[0], fact.object.split("/")[0])


def read_notes(kb: KnowledgeBase, path: Path) -> Noted:
    """Add what the plain sentences of a file state, in one operation.

    Raises:
        ValueError: it is no text in UTF-8.
        OSError: it cannot be read.
    """
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: byte {error.start} is not UTF-8") from error
    statements, data = stated(text, str(path))
    added = kb.add_many(statements) if statements else []
    return Noted(tuple(added), tuple(data))
