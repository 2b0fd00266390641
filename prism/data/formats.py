"""From a row of a data set to the parts of a document: what is read, and what is learned.

    {"text": "body"}                                      one field, learned
    {"prompt": "Q: {q}\\nA: ", "answer": "{answers.0}"}     fields in a template
    {"messages": "conversation"}                          a chat, the assistant's turns learned

A name in braces may lead into nested values by dots: ``{answers.text.0}``. A chat is written as

    <|user|>
    What is the tallest mountain?
    <|assistant|>
    Mount Everest.

in plain text, so that every tokenizer can read it.
"""

from __future__ import annotations

import json
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from prism.data.document import BadRowError, Document

Parts = tuple[tuple[str, bool], ...]

FIELD = re.compile(r"\{([^{}]+)\}")
SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = 60
SPEAKERS = {"human": "user", "gpt": "assistant", "bot": "assistant"}


class Format(Protocol):
    """A rule that makes the parts of a document from a row of a source."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields of a row that are used."""

    def parts(self, row: Mapping[str, Any]) -> Parts:
        """Text in order, each piece with True if it is learned.

        Raises:
            ValueError: the row has no such field, or it holds something else.
        """


@dataclass(frozen=True)
class TextField:
    """One field that is learned whole."""

    field: str = "text"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.field.split(".")[0],)

    def parts(self, row: Mapping[str, Any]) -> Parts:
        chat = _chat(row)
        if self.field not in row and chat is not None:
            raise ValueError(
                f"no field {self.field!r} for {self.field!r}; there are {sorted(row)}. A chat "
                f'needs "messages": "{chat}" in a mix:FILE.json, see docs/DATA.md'
            )
        return ((lookup(row, self.field), True),)


def _chat(row: Mapping[str, Any]) -> str | None:
    """The field of a row that looks like a chat, None without."""
    for name, value in row.items():
        turns = isinstance(value, list) and all(isinstance(turn, Mapping) for turn in value)
        if turns and (value or name == "messages"):
            return name
    return None


@dataclass(frozen=True)
class Template:
    """Fields in a text; ``prompt`` is read, ``answer`` learned. Text in braces names a field.

    A row whose answer is empty gives an empty document, and is passed over.
    """

    prompt: str
    answer: str

    @property
    def columns(self) -> tuple[str, ...]:
        names = FIELD.findall(self.prompt + self.answer)
        return tuple(dict.fromkeys(name.split(".")[0] for name in names))

    def parts(self, row: Mapping[str, Any]) -> Parts:
        answer = self._fill(self.answer, row)
        if not answer.strip():
            return ()
        prompt = self._fill(self.prompt, row)
        return ((prompt, False), (answer, True)) if prompt else ((answer, True),)

    @staticmethod
    def _fill(template: str, row: Mapping[str, Any]) -> str:
        return FIELD.sub(lambda field: lookup(row, field[1]), template)


@dataclass(frozen=True)
class Messages:
    """A list of turns, each with who speaks (``role`` or ``from``) and what (``content`` or
    ``value``)."""

    field: str = "messages"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.field,)

    def parts(self, row: Mapping[str, Any]) -> Parts:
        turns = row.get(self.field)
        if not isinstance(turns, list | tuple) or not all(isinstance(t, Mapping) for t in turns):
            raise ValueError(
                f"field {self.field!r} = {SHORT.repr(turns)}: must be a list of messages"
            )
        parts: list[tuple[str, bool]] = []
        for turn in turns:
            role = turn.get("role", turn.get("from"))
            content = turn.get("content", turn.get("value"))
            if not isinstance(role, str) or not isinstance(content, str):
                raise ValueError(f"message {SHORT.repr(turn)}: must have a role and a content")
            role = SPEAKERS.get(role, role)
            parts += [(f"<|{role}|>\n", False), (f"{content}\n", role == "assistant")]
        return tuple(parts) if any(learned for _, learned in parts) else ()


def document_of(format: Format, source: str, row: object, where: str) -> Document:
    """The document that ``format`` makes of a row.

    Args:
        source: name of the row's source, for errors.
        row: a mapping, or a mapping as JSON in UTF-8.
        where: the row's place in the source.

    Raises:
        BadRowError: the row is no mapping, or lacks a field; names source and place.
    """
    try:
        row = json.loads(row) if isinstance(row, bytes) else row
        if not isinstance(row, Mapping):
            raise ValueError("must be a JSON object")
        return Document(format.parts(row), where)
    except (ValueError, RecursionError) as error:
        raise BadRowError(f"source {source}: {where}: {error}") from error


def lookup(row: Mapping[str, Any], path: str) -> str:
    """The value at a dotted path as text; null and an empty list on the way are ``""``.

    Raises:
        ValueError: there is no such field, or it is neither text nor a number.
    """
    value: Any = row
    for key in path.split("."):
        if isinstance(value, Mapping):
            if key not in value:
                raise ValueError(f"no field {key!r} for {path!r}; there are {sorted(value)}")
            value = value[key]
        elif isinstance(value, list | tuple) and key.isdigit():
            value = value[int(key)] if int(key) < len(value) else None
        elif value is not None:
            raise ValueError(f"field {path!r}: {SHORT.repr(value)} has no part {key!r}")
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"field {path!r} = {SHORT.repr(value)}: must be text")
    return str(value)


def format_from(options: Mapping[str, Any]) -> Format:
    """The format that a source's options ask for, ``TextField()`` if they ask for none.

    Args:
        options: ``{"text": field}``, ``{"prompt": template, "answer": template}`` or
            ``{"messages": field}``.

    Raises:
        ValueError: more than one, or not text.
    """
    for name, value in options.items():
        if not isinstance(value, str):
            raise ValueError(f"{name} = {value!r}: must be text")
    if not options:
        return TextField()
    if options.keys() == {"text"}:
        return TextField(options["text"])
    if options.keys() == {"messages"}:
        return Messages(options["messages"])
    if options.keys() <= {"prompt", "answer"} and "answer" in options:
        return Template(options.get("prompt", ""), options["answer"])
    allowed = "must be text, messages, or prompt and answer"
    raise ValueError(f"format {sorted(options)}: {allowed}")
