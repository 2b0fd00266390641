"""Answers with the k likeliest tokens of every position, as JSON lines; and their defects.

    {"messages": [{"role": "user", "content": ...}, {"role": "assistant", "content": ...}],
     "response_tokens": n,
     "token_logprobs": [{"position": 0, "generated_token_id": 26539, "generated_token": "Research",
                         "logprob": -2.984375,
                         "top_k": [{"token_id": 1206, "token": "To", "logprob": -1.359375}, ...]}]}

The schema of public data sets of this kind. A file is read line by line. Every defect is named as
``file:line:position``, the position being that of the token in the answer (or ``-``, or the column
where a line is no JSON), and reading goes on, so one run finds all of them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SLACK = 0.02  # of the sum of probabilities: 50 of them rounded to bf16
ULP = 1 / 128  # relative, of bf16
Record = dict[str, Any]


@dataclass(frozen=True)
class Defect:
    """A defect at ``line`` (from 1) and ``position`` (of the token or column; None = all of it)."""

    line: int
    position: int | None
    text: str

    def at(self, file: Path) -> str:
        """One line that names it."""
        where = "-" if self.position is None else self.position
        return f"{file}:{self.line}:{where}: {self.text}"


@dataclass
class Validator:
    """Finds the defects of records, one after the other.

    Args:
        top_k: entries of every list; None = as many as the first list has.
        vocab_size: ids are below; None = not known.

    Attributes:
        pieces: text of every id met so far.
        seen: line of every record so far, by digest.
    """

    top_k: int | None = None
    vocab_size: int | None = None
    pieces: dict[int, str] = field(default_factory=dict)
    seen: dict[bytes, int] = field(default_factory=dict)

    def read(self, raw: bytes, line: int) -> tuple[Record | None, list[Defect]]:
        """The record of a line, None if it has a defect; and the defects."""
        try:
            record = json.loads(raw)
        except UnicodeDecodeError as error:
            return None, [Defect(line, error.start, f"not UTF-8 ({error.reason})")]
        except json.JSONDecodeError as error:
            cut = "" if raw.endswith(b"\n") else ", the last line is cut off"
            return None, [Defect(line, error.pos, f"not JSON ({error.msg}{cut})")]
        except RecursionError:
            return None, [Defect(line, None, "not JSON that can be read (too deeply nested)")]
        found = [Defect(line, at, text) for at, text in self._defects(record)]
        key = hashlib.blake2b(raw.strip(), digest_size=16).digest()
        if key in self.seen:
            found.append(Defect(line, None, f"is the same as line {self.seen[key]}"))
        self.seen.setdefault(key, line)
        return (None if found else record), found

    def _defects(self, record: Any) -> Iterator[tuple[int | None, str]]:
        if not isinstance(record, dict):
            yield None, f"{_short(record)}: must be an object"
            return
        yield from _of_messages(record.get("messages"))
        tokens = record.get("token_logprobs")
        if not isinstance(tokens, list) or not tokens:
            yield None, f"token_logprobs = {_short(tokens)}: must be a list of tokens"
            return
        said = record.get("response_tokens")
        if said != len(tokens) or isinstance(said, bool):
            yield None, f"response_tokens = {_short(said)}: must be {len(tokens)}, as there are"
        whole = True
        for i, token in enumerate(tokens):
            for text in self._of_token(token, i):
                whole = False
                yield i, text
        if whole:
            yield from _of_text(record, tokens)

    def _of_token(self, token: Any, i: int) -> Iterator[str]:
        if not isinstance(token, dict):
            yield f"{_short(token)}: must be an object"
            return
        if token.get("position") != i or isinstance(token.get("position"), bool):
            yield f"position = {_short(token.get('position'))}: must be {i}"
        own = {"token_id": token.get("generated_token_id"), "token": token.get("generated_token"),
               "logprob": token.get("logprob")}  # fmt: skip
        own_errors = list(self._of_entry(own, "generated token"))
        yield from own_errors
        entries = token.get("top_k")
        if not isinstance(entries, list) or not entries:
            yield f"top_k = {_short(entries)}: must be a list of tokens"
            return
        self.top_k = self.top_k or len(entries)
        if len(entries) != self.top_k:
            yield f"top_k has {len(entries)} entries: must have {self.top_k}"
        errors = [x for n, e in enumerate(entries) for x in self._of_entry(e, f"top_k[{n}]")]
        yield from errors
        if not errors:
            yield from _of_list(entries, None if own_errors else own)

    def _of_entry(self, entry: Any, name: str) -> Iterator[str]:
        """Defects of an id with its text and log-probability."""
        if not isinstance(entry, Mapping):
            yield f"{name} = {_short(entry)}: must be an object"
            return
        token, text, logprob = entry.get("token_id"), entry.get("token"), entry.get("logprob")
        if not isinstance(token, int) or isinstance(token, bool) or token < 0:
            yield f"{name}: id {_short(token)}: must be an integer >= 0"
        elif self.vocab_size is not None and token >= self.vocab_size:
            yield f"{name}: id {token}: must be below {self.vocab_size}"
        elif not isinstance(text, str):
            yield f"{name}: token {_short(text)}: must be text"
        elif self.pieces.setdefault(token, text) != text:
            yield f"{name}: token {text!r} of id {token}: was {self.pieces[token]!r} before"
        if not isinstance(logprob, int | float) or isinstance(logprob, bool):
            yield f"{name}: logprob {_short(logprob)}: must be a number"
        elif not (math.isfinite(logprob) and logprob <= 0):
            yield f"{name}: logprob {logprob}: must be finite and <= 0"


def _of_messages(messages: Any) -> Iterator[tuple[int | None, str]]:
    if not isinstance(messages, list) or not messages:
        yield None, f"messages = {_short(messages)}: must be a list of turns"
        return
    for turn in messages:
        if not (isinstance(turn, dict) and isinstance(turn.get("content"), str)):
            yield None, f"message {_short(turn)}: must have a role and a content"
            return
    roles = [turn.get("role") for turn in messages]
    turns = roles[1:] if roles[0] == "system" else roles
    wanted = [("user", "assistant")[i % 2] for i in range(len(turns))]
    if turns != wanted or not turns or turns[-1] != "assistant":
        yield None, f"roles {_short(roles)}: must alternate, user first and assistant last"


def _of_list(entries: list[Any], own: Record | None) -> Iterator[str]:
    """Defects of the top k of a position as a whole, and against the chosen token ``own``."""
    ids, logs = [e["token_id"] for e in entries], [float(e["logprob"]) for e in entries]
    if len(set(ids)) < len(ids):
        twice = next(x for n, x in enumerate(ids) if x in ids[:n])
        yield f"top_k: id {twice} stands twice"
    for n in range(1, len(logs)):
        if logs[n] > logs[n - 1]:
            yield f"top_k[{n}]: logprob {logs[n]} after {logs[n - 1]}: must not rise"
            break
    total = sum(map(math.exp, logs))
    if total > 1 + SLACK:
        yield f"top_k: probabilities sum to {total:.4f}: must be at most {1 + SLACK:g}"
    if own is None:
        return
    if own["token_id"] in ids:
        there = logs[ids.index(own["token_id"])]
        if there != own["logprob"]:
            yield f"generated token: logprob {own['logprob']}: must be {there}, as in top_k"
    elif own["logprob"] > logs[-1] + abs(logs[-1]) * ULP:
        yield (f"generated token: logprob {own['logprob']}, not in top_k: must be at most "
               f"{logs[-1]}, its last")  # fmt: skip


def _of_text(record: Record, tokens: list[Any]) -> Iterator[tuple[int | None, str]]:
    """Defects of the answer against its tokens, the last of which may be the end of the turn."""
    if not isinstance(record["messages"], list) or not record["messages"]:
        return
    content = record["messages"][-1].get("content")
    spelled = [token["generated_token"] for token in tokens]
    if any("�" in piece for piece in spelled) or not isinstance(content, str):
        return  # a character in several tokens: the pieces say less than the ids
    if content not in ("".join(spelled), "".join(spelled[:-1])):
        at, place = 0, len(spelled) - 1
        for i, piece in enumerate(spelled):
            if not content.startswith(piece, at):
                place = i
                break
            at += len(piece)
        yield place, f"token {spelled[place]!r}: the answer has {content[at : at + 20]!r} there"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def lines(path: Path, begin: int = 0) -> Iterator[bytes]:
    """The lines of a file with their ends, from byte ``begin``; blank ones are passed over by
    whoever reads."""
    with path.open("rb") as file:
        file.seek(begin)
        yield from file


def validated(
    path: Path, validator: Validator
) -> Iterator[tuple[bytes, Record | None, list[Defect]]]:
    """Every line of a file that is not blank, its record (None if it has a defect), its defects."""
    for number, raw in enumerate(lines(path), 1):
        if raw.strip():
            yield raw, *validator.read(raw, number)


def written(record: Record) -> bytes:
    """A record as a line, the way that :mod:`prism.distill.generate` writes it; in ASCII where it
    holds half a character, which UTF-8 cannot write."""
    try:
        return json.dumps(record, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(record).encode() + b"\n"
