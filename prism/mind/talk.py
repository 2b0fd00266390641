"""Talk: a conversation with a knowledge base, line in, lines out; what ``prism.chat`` runs.

A line that starts with "/" is a command. Any other is a turn: what it asserts is consolidated and
shown with the number that takes it back, what it asks is answered with how sure and from where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from prism.command import quoted
from prism.mind.consolidate import Consolidation, Outcome, unheard
from prism.mind.documents import LEFT, export_table, import_table
from prism.mind.knowledge import Added, KnowledgeBase
from prism.mind.notes import SUFFIXES, read_notes
from prism.mind.perceive import Triple, lexicon
from prism.mind.perceive.sentences import forgets
from prism.mind.records import SAID, Fact, Source
from prism.mind.schema import Busy
from prism.mind.working import meant_by
from prism.whole_file import reason

HELP = """\
say it        a statement is noted and shown; a question is answered
/why          how the last answer was found
/facts [NAME] what holds, of one thing or all
/history NAME | RELATION             all that was believed
/remember NAME | RELATION | VALUE    note a fact without reading a sentence
/undo [N]     take back the last operation, or operation N
/forget N, /forget NAME | RELATION   stop believing it; its history stays
/erase NAME   remove all about a name to the last byte; cannot be undone
/pending, /accept N, /reject N       what waits, as somebody trusted more says otherwise
/import FILE [SUBJECT-COLUMN RELATION-COLUMN ...]   a table, or notes in .md or .txt
/export FILE  all facts that hold, as JSON lines, into a new .jsonl
/help, /quit  this list; the end (Ctrl-D too)"""
SIGNS = {"added": "+", "superseded": "~", "known": "=", "pending": "?"}
QUIT = ("quit", "exit")  # whoever reads the lines ends at them
INDENT = "\n      "  # a value's own line breaks never open a line of the talk
FORGETTING = "to forget a fact: /forget N or /forget NAME | RELATION; /facts lists them"
SHOWN = 50  # facts in one answer to /facts


class Answered(Protocol):
    """An answer as it is printed (``prism.mind.reflect.Answer``)."""

    text: str | None
    confidence: float
    hops: tuple[Any, ...]
    sources: tuple[Any, ...]
    note: str
    nodes: tuple[str, ...]


class Asking(Protocol):
    """Questions answered (``prism.mind.mind.Mind``)."""

    def ask(self, question: str, context: Sequence[str] = ()) -> Any: ...

    def say(self, question: str, answer: Any) -> Iterator[Any]: ...

    def forget(self) -> None: ...


class Talk:
    """A conversation.

    Args:
        kb: the knowledge base.
        mind: answers questions.
        speaker: name of the user.
    """

    def __init__(self, kb: KnowledgeBase, mind: Asking, speaker: str = "you") -> None:
        self.kb, self.mind = kb, mind
        self.consolidation = Consolidation(kb, speaker)
        self.answer: Answered | None = None

    def line(self, text: str) -> Iterator[str]:
        """The lines that answer a line; an error is one of them, and nothing was changed."""
        text = text.strip()
        if not text:
            return
        try:
            said = self._command(text) if text.startswith("/") else self._turn(text)
            yield from (line.replace("\r", "\n").replace("\n", INDENT) for line in said)
        except (ValueError, KeyError, OSError, Busy) as error:
            yield f"! {reason(error)}"

    def _turn(self, text: str) -> Iterator[str]:
        outcome = self.consolidation.turn(text)
        yield from noted_lines(outcome)
        for question in outcome.questions:
            memory = self.consolidation.memory
            context = memory.latest(meant_by(question, memory.resolve))
            answer = self.answer = self.mind.ask(question, context)
            memory.spoken_of(answer.nodes)
            words = "".join(piece.text for piece in self.mind.say(question, answer)).strip()
            yield f"mind> {words}"
            if answer.text is not None:
                yield "      " + sure_line(answer)
        if not (outcome.changes or outcome.unsure or outcome.questions):
            why = "; ".join(s.why for s in outcome.sentences if s.why)
            yield "- nothing noted: " + (FORGETTING if forgets(text) else why)

    def _command(self, text: str) -> Iterator[str]:
        name, _, rest = text[1:].partition(" ")
        if name.lower() in QUIT and rest.strip():
            raise ValueError(f"/{name} {rest.strip()}: takes nothing; must be /{name}")
        if (deed := COMMANDS.get(name.lower())) is None:
            raise ValueError(f"/{name}: is no command; /help lists them")
        yield from deed(self, rest.strip())

    def why(self, rest: str) -> Iterator[str]:
        """The hops of the last answer, and where they stand."""
        if self.answer is None:
            raise ValueError("/why: nothing was asked yet")
        yield self.answer.note if self.answer.text is None else sure_line(self.answer)
        yield from (f"  {n} {hop}" for n, hop in enumerate(self.answer.hops, 1))
        yield from (f"  from {source}" for source in self.answer.sources)

    def facts(self, rest: str) -> Iterator[str]:
        """Facts that hold, of one thing or all."""
        found = self.kb.facts(rest or None, limit=SHOWN + 1)
        yield from (fact_line(fact) for fact in found[:SHOWN])
        if len(found) > SHOWN:
            yield f"... {len(self.kb):,} in all; /facts NAME or /export FILE"
        if not found:
            yield "no facts" + (f" about {rest}" if rest else " yet")

    def history(self, rest: str) -> Iterator[str]:
        """All that was believed about a name and relation."""
        subject, relation = _fields(rest, 2, "/history NAME | RELATION")
        found = self.kb.history(subject, relation)
        yield from (fact_line(fact) for fact in found)
        if not found:
            yield f"nothing was ever noted as {relation} of {subject}"

    def remember(self, rest: str) -> Iterator[str]:
        """A fact from three fields."""
        fields = _fields(rest, 3, "/remember NAME | RELATION | VALUE")
        source = Source("user", self.consolidation.speaker, None, rest)
        yield added_line(self.kb.add(*fields, source=source))

    def undo(self, rest: str) -> Iterator[str]:
        """Take back the last deed, be it only what waits for a yes, or an operation; say what it
        was."""
        if not rest and (withdrawn := self.consolidation.withdraw()):
            for fact in withdrawn:
                what = f"{fact.relation} of {fact.subject} = {fact.object}"
                yield f"taken back: {what}; it was not noted, and waits no more"
            return
        number = _number(rest, "/undo N") if rest else self.kb.undoable()
        added = self.kb.added_by(number)
        added = [fact for fact in added if fact.relation != SAID] or added
        waited = [f"{s.relation} of {s.subject} = {s.object}" for s in self.kb.waiting(number)]
        back = self.kb.undo(number)
        gone = "".join(f"; taken back: {fact}" for fact in added)
        gone += "".join(f"; waits no more: {what}" for what in waited)
        yield f"undone: {number}{gone}" + "".join(f"; holds again: {fact}" for fact in back)

    def forget(self, rest: str) -> Iterator[str]:
        """Stop believing a fact by its number, or all under a name and relation."""
        if "|" in rest:
            subject, relation = _fields(rest, 2, "/forget NAME | RELATION")
            numbers = [fact.id for fact in self.kb.get(subject, relation)]
            if not numbers:
                raise KeyError(f"{relation} of {subject}: nothing holds")
        else:
            numbers = [_number(rest, "/forget N, or /forget NAME | RELATION")]
        for number in numbers:
            fact = self.kb.fact(number)
            operation = self.kb.retract(number)
            self.consolidation.memory.forget(fact.object)
            yield f"forgotten: {fact}  (/undo {operation})"

    def erase(self, rest: str) -> Iterator[str]:
        """Remove all about a name."""
        removed = self.kb.erase(subject=_needed(rest, "/erase NAME"))
        self.consolidation.memory.forget(rest)
        self.answer = None
        self.mind.forget()
        yield f"{removed:,} rows erased"

    def pending(self, rest: str) -> Iterator[str]:
        """Statements that wait for a decision."""
        waiting = self.kb.pending()
        for number, said in waiting:
            yield f"? {number}  {said.relation} of {said.subject} = {said.object}  ({said.source})"
        if not waiting:
            yield "nothing waits"

    def accept(self, rest: str) -> Iterator[str]:
        """Let a waiting statement win."""
        yield added_line(self.kb.accept(_number(rest, "/accept N")))

    def reject(self, rest: str) -> Iterator[str]:
        """Drop a waiting statement."""
        self.kb.reject(_number(rest, "/reject N"))
        yield "dropped"

    def read(self, rest: str) -> Iterator[str]:
        """Import a table, or notes."""
        name, *columns = rest.split() or [""]
        path = _file(name, "/import")
        if path.suffix in SUFFIXES:
            yield from self._notes(path)
            return
        subject, relations = (columns[0], columns[1:]) if columns else (None, [])
        done = import_table(self.kb, path, subject, relations)
        counts = f"{done.added:,} added, {done.known:,} known, {done.superseded:,} superseded"
        yield f"{quoted(name)}: {counts}, {done.pending:,} waiting (/pending)"
        if done.left:
            yield f"- {LEFT}"

    def _notes(self, path: Path) -> Iterator[str]:
        noted = read_notes(self.kb, path)
        facts = [added for added in noted.added if added.fact.relation != SAID]
        yield from (added_line(added) for added in facts)
        for added in unheard(facts, (a for a in noted.added if a not in facts)):
            yield f"+ kept as it stands: {added.fact.object}  ({added.fact.source})"
        if noted.data:
            lines = ", ".join(str(line) for line, _ in noted.data[:10])
            yield f"- lines {lines} speak to their reader or quote: data; nothing is read from them"
        if not (noted.added or noted.data):
            yield f"- {quoted(str(path))}: no statement was recognised"

    def export(self, rest: str) -> Iterator[str]:
        """Write all facts."""
        yield f"{quoted(rest)}: {export_table(self.kb, _file(rest, '/export')):,} facts"

    def help(self, rest: str) -> Iterator[str]:
        """The commands."""
        yield from HELP.split("\n")


def noted_lines(outcome: Outcome) -> Iterator[str]:
    """Lines of what the ledger has acknowledged of a turn, and of what waits."""
    for added in outcome.noted:
        yield added_line(added)
    for fact in outcome.over:
        what = f"{fact.subject} · {fact.relation} = {fact.object}"
        yield f"x {what}, ended  (/undo {outcome.operation})"
    for said, instead in outcome.mistaken:
        yield f"- nothing ended: {unknown(said, instead)}"
    for added in outcome.kept:
        yield f"+ kept as you said it: {added.fact.object}  (/undo {added.operation})"
    for fact in outcome.unsure:
        what = f"{fact.relation} of {fact.subject} = {fact.object}"
        yield f"? not noted, as you were not sure: {what}; say yes to note it"


def unknown(said: Triple, instead: Sequence[Fact]) -> str:
    """Things said to be over that are not known, and what is known instead."""
    what = f"{said.relation} of {said.subject} = {said.object}"
    if said.relation == lexicon.LEFT:
        what = f"what {said.subject} had to do with {said.object}"
    elif not said.subject:
        what = f"{said.object} as {said.relation}"
    stays = ", ".join(str(fact) for fact in instead)
    return f"{what} is not noted" + (f"; {stays} stays" if stays else "")


def added_line(added: Added) -> str:
    """A statement's outcome: sign, fact, where from, and the number that takes it back."""
    fact = added.fact
    line = f"{SIGNS[added.outcome]} {fact.subject} · {fact.relation} = {fact.object}"
    if added.before is not None:
        line += f", before: {added.before.object}"
    if added.pending is not None:
        return f"{line} stays; the other waits as {added.pending} (/pending)"
    undo = "" if added.operation is None else f"; /undo {added.operation}"
    return f"{line}  ({fact.source}{undo})"


def fact_line(fact: Fact) -> str:
    """A fact of the ledger in a line."""
    gone = "" if fact.live else "  no longer believed"
    return f"{fact.id}  {fact.subject} · {fact.relation} = {fact.object}  ({fact.source}){gone}"


def sure_line(answer: Answered) -> str:
    """Confidence of an answer, number of its facts, and where from."""
    where = ", ".join(dict.fromkeys(str(source) for source in answer.sources))
    hops = len(answer.hops)
    return f"{answer.text}: sure to {answer.confidence:.2f}, {hops} fact{'s'[: hops != 1]}; {where}"


def _needed(text: str, usage: str) -> str:
    if not text:
        raise ValueError(f"{usage.split()[0]}: must be {usage}")
    return text


def _fields(text: str, number: int, usage: str) -> list[str]:
    fields = [field.strip() for field in _needed(text, usage).split("|")]
    if len(fields) != number or not all(fields):
        raise ValueError(f"{text!r}: must be {usage}")
    return fields


def _file(name: str, command: str) -> Path:
    """A named file; "-" is none: the talk has the standard streams."""
    if _needed(name, f"{command} FILE") == "-":
        raise ValueError(f"{command} -: needs a file")
    return Path(name)


def _number(text: str, usage: str) -> int:
    if not _needed(text, usage).isdecimal():
        raise ValueError(f"{text!r}: must be a number, as in {usage}")
    return int(text)


COMMANDS: dict[str, Callable[[Talk, str], Iterator[str]]] = {
    "why": Talk.why,
    "facts": Talk.facts,
    "history": Talk.history,
    "remember": Talk.remember,
    "undo": Talk.undo,
    "forget": Talk.forget,
    "erase": Talk.erase,
    "pending": Talk.pending,
    "accept": Talk.accept,
    "reject": Talk.reject,
    "import": Talk.read,
    "export": Talk.export,
    "help": Talk.help,
}
