"""Turns: what a request to /v1/chat/completions asks for, and what the knowledge base makes of it.

A client sends the whole conversation again with every turn. The last user message alone is
consolidated; earlier ones of the user are heard again for what "he" and "yes" mean, and write
nothing. Words of the assistant, of tools and of the system are never read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from prism.mind.consolidate import Consolidation, Outcome
from prism.mind.knowledge import Added
from prism.mind.perceive import perceive
from prism.mind.perceive.sentences import confirms, doubted
from prism.mind.records import Fact
from prism.mind.reflect import Answer
from prism.mind.respond import Speaker, Spoken
from prism.mind.serve import bodies
from prism.mind.serve.bodies import Refused, invalid
from prism.mind.talk import unknown
from prism.mind.working import WorkingMemory, meant_by

ROLES = ("user", "assistant", "system", "developer", "tool", "function")
MESSAGES, TURN, HEARD = 1024, 8_000, 6  # in a request; characters of a turn; turns heard again
# Nothing is drawn, so these change nothing; the answer lists those that were given.
WITHOUT_EFFECT = (
    *("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty", "stop"),
    *("logit_bias", "metadata", "store", "service_tier", "parallel_tool_calls", "tool_choice"),
    *("reasoning_effort", "verbosity", "prompt_cache_key", "safety_identifier"),
)
# These ask for something else than a reply in words; only the value that asks for nothing is taken.
NOTHING = {"n": 1, "logprobs": False, "tools": [], "functions": [], "audio": None}
KNOWN = (
    *("model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"),
    *("user", "response_format", "modalities", "top_logprobs"),
    *NOTHING,
    *WITHOUT_EFFECT,
)


@dataclass(frozen=True)
class Request:
    """A request, checked.

    Attributes:
        said: the last message, the user's.
        before: earlier messages of the user, the latest last.
        length: of all messages together, in words.
        texts: of all messages.
        stream, usage: send pieces as they come; and the counts at the end.
        most: pieces of the reply at most, or None.
        speaker: who speaks, for provenance.
        ignored: names of given parameters that have no effect.
    """

    said: str
    before: tuple[str, ...]
    texts: tuple[str, ...]
    stream: bool
    usage: bool
    most: int | None
    speaker: str
    ignored: tuple[str, ...]


def request_of(body: dict[str, Any], model: str) -> Request:
    """The request in a body.

    Raises:
        Refused: 404 another model, 422 a field, named.
    """
    bodies.only(body, *KNOWN)
    if (named := bodies.text(body.get("model"), "model", 200)) != model:
        message = f"model {named!r}: there is none; must be {model!r}"
        raise Refused(404, message, "model_not_found", "model")
    for name, value in NOTHING.items():
        if body.get(name) not in (None, value):
            invalid(name, body[name], f"{value!r} or left out".lower())
    form = bodies.field(body, "response_format", dict, {}).get("type", "text")
    if form != "text":
        invalid("response_format.type", form, '"text"')
    messages = bodies.field(body, "messages", list)
    if not messages or len(messages) > MESSAGES:
        shown = None if messages is None else len(messages)
        raise Refused(422, f"messages: {shown}; must be 1 to {MESSAGES}", "invalid_value")
    turns = [_message(message, i) for i, message in enumerate(messages)]
    role, said = turns[-1]
    last = f"messages[{len(turns) - 1}]"
    if role != "user":
        invalid(f"{last}.role", role, '"user": the turn that is answered')
    most = bodies.field(body, "max_completion_tokens", int, bodies.field(body, "max_tokens", int))
    if most is not None and most < 1:
        invalid("max_tokens", most, "at least 1")
    options = bodies.field(body, "stream_options", dict, {})
    return Request(
        said=bodies.text(said, f"{last}.content", TURN),
        before=tuple(text for who, text in turns[:-1] if who == "user")[-HEARD:],
        texts=tuple(text for _, text in turns),
        stream=bodies.field(body, "stream", bool, False),
        usage=bodies.field(options, "include_usage", bool, False),
        most=most,
        speaker=bodies.text(body.get("user") or "you", "user", 200),
        ignored=tuple(name for name in WITHOUT_EFFECT if body.get(name) is not None),
    )


def _message(message: Any, place: int) -> tuple[str, str]:
    """Role and text of a message; the text may come in parts."""
    where = f"messages[{place}]"
    if not isinstance(message, dict):
        invalid(where, message, "an object")
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        invalid(f"{where}.role", role, f"one of {', '.join(ROLES)}")
    if isinstance(content, list):
        parts = [part if isinstance(part, dict) else {} for part in content]
        if any(not isinstance(p.get("text"), str) or p.get("type") != "text" for p in parts):
            invalid(f"{where}.content", content, 'text, or parts {"type": "text", "text": ...}')
        content = "".join(part["text"] for part in parts)
    if content is None and role != "user":
        content = ""  # an assistant that called a tool
    if not isinstance(content, str):
        invalid(f"{where}.content", content, "text")
    return role, content


@dataclass
class Turn:
    """A turn as far as it has come.

    Attributes:
        request: what was asked for.
        outcome: what became of its statements.
        memory: what the conversation is about, for the pronouns of questions.
        answers: to its questions.
    """

    request: Request
    outcome: Outcome = field(default_factory=Outcome)
    memory: WorkingMemory = field(default_factory=WorkingMemory)
    answers: list[tuple[str, Answer]] = field(default_factory=list)

    def consolidate(self, consolidation: Consolidation) -> None:
        """Hear what was said before, and write what the last message asserts."""
        for text in self.request.before:
            hear_again(consolidation, text[:TURN])
        self.outcome = consolidation.turn(self.request.said)
        self.memory = consolidation.memory

    def context(self, question: str) -> tuple[str, ...]:
        """Things that the pronouns of a question may mean, the likeliest first."""
        return self.memory.latest(meant_by(question, self.memory.resolve))

    def answered(self, question: str, answer: Answer) -> None:
        """Take in an answer; the next question's pronouns may mean what it spoke of."""
        self.answers.append((question, answer))
        self.memory.spoken_of(answer.nodes)

    def trace(self) -> dict[str, Any]:
        """Notes of a turn, and how each answer was found, as JSON."""
        outcome = self.outcome
        return {
            "noted": [added_json(added) for added in outcome.noted],
            "kept": [added_json(added) for added in outcome.kept],
            "ended": [fact_json(fact) for fact in outcome.over],
            "operation": outcome.operation,
            "unsure": [triple_json(f.subject, f.relation, f.object) for f in outcome.unsure],
            "answers": [{"question": q, **answer.as_dict()} for q, answer in self.answers],
            "skipped": [{"text": s.text, "why": s.why} for s in outcome.sentences if s.why],
            "ignored": list(self.request.ignored),
        }

    def reply(self, speaker: Speaker | None) -> Iterator[Spoken]:
        """The reply, piece by piece."""
        parts = [iter(words(line)) for line in self._told()]
        for question, answer in self.answers:
            if speaker is None or answer.outcome == "ambiguous":
                parts.append(iter(words(answer.text or answer.note, answer.text is not None)))
            else:
                parts.append(speaker.say(question, answer.text))
        if not parts:
            if speaker is not None:
                parts = [speaker.say(self.request.said, None)]
            else:
                why = "; ".join(dict.fromkeys(s.why for s in self.outcome.sentences if s.why))
                parts = [iter(words(f"Nothing noted: {why or 'nothing was stated'}."))]
        for number, part in enumerate(parts):
            if number:
                yield Spoken("\n", False)
            yield from part

    def _told(self) -> Iterator[str]:
        for added in self.outcome.noted:
            yield told(added)
        for fact in self.outcome.over:
            yield f"Ended: {fact.subject} · {fact.relation} = {fact.object}."
        for said, instead in self.outcome.mistaken:
            yield f"Nothing ended: {unknown(said, instead)}."
        for added in self.outcome.kept:
            yield f"Kept as you said it: {added.fact.object}"
        for fact in self.outcome.unsure:
            what = f"{fact.subject} · {fact.relation} = {fact.object}"
            yield f"Not noted, as you were not sure: {what}. Say yes to note it."


def hear_again(consolidation: Consolidation, text: str) -> None:
    """Let working memory hear an earlier turn; nothing is written."""
    memory = consolidation.memory
    memory.next_turn()
    if confirms(text):
        memory.confirm()
    sentences = perceive(text, memory.resolve, memory.names(), memory.heard)
    for sentence in sentences:
        memory.doubt(doubted(sentence, memory.resolve), sentence.text)


def words(text: str, fact: bool = False) -> Sequence[Spoken]:
    """Text in pieces of a word, with the space before it."""
    return [Spoken(piece, fact) for piece in re.findall(r"\s*\S+", text)]


def told(added: Added) -> str:
    """A statement's outcome in a sentence."""
    fact = added.fact
    what = f"{fact.subject} · {fact.relation} = {fact.object}"
    if added.outcome == "superseded" and added.before is not None:
        return f"Noted: {what} (before: {added.before.object})."
    if added.outcome == "pending":
        return f"{what} stays; the other statement waits as {added.pending}."
    return f"Known already: {what}." if added.outcome == "known" else f"Noted: {what}."


def triple_json(subject: str, relation: str, object: str) -> dict[str, str]:
    """Three names as JSON."""
    return {"subject": subject, "relation": relation, "object": object}


def fact_json(fact: Fact) -> dict[str, Any]:
    """A fact as JSON."""
    source = {**vars(fact.source), "shown": str(fact.source)}
    return {**vars(fact), "source": source, "live": fact.live}


def added_json(added: Added) -> dict[str, Any]:
    """A statement's outcome as JSON."""
    before = None if added.before is None else fact_json(added.before)
    return {**vars(added), "fact": fact_json(added.fact), "before": before}
