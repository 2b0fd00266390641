"""Sentences and text that calibration reads, and their states in a model.

The sentences put relations between a subject and something in many words.

What they teach is which directions of a hidden state change when the same relation is put in
other words, so that a relation the model's owner adds later, in two or three wordings, is known
again in others (within-class covariance, as in speaker verification). Afterwards they stay as
competitors: a prompt that is nearer to one of them than to any relation of the tape asks for
something else.

``{s}`` is the subject, ``{o}`` another of its kind, ``{n}`` the relation's noun. The text is the
prose of Python's language reference, which is part of every Python.
"""

from __future__ import annotations

import pydoc_data.topics
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from prism.data.tokens import Tokenizer
from prism.inject.reading import heads_of, last_states, watch

CALIBRATION = slice(100_000, 130_000)  # characters of the manual
WINDOW = 256  # tokens of text read at once
WARM_UP = 8  # first positions of a window, whose states know nothing yet
Spans = tuple[tuple[int, int], tuple[int, int]]
NOUN_FRAMES = (
    "The {n} of {s} is",
    "{s}'s {n} is",
    "Question: What is the {n} of {s}? Answer:",
    "As anyone who has studied the matter for long enough will tell you, the {n} of {s} is",
    "Unlike {o}, {s} has its own {n}, and that is",
    "The {n} of {s}, which differs from that of {o}, is",
)
DISTRACTING = (4, 5)  # the frames that name another subject, before and after the one asked about

SUBJECTS = {
    "land": ("Freedonia", "Ruritania", "Elbonia", "Zamunda", "Latveria", "Genovia"),
    "city": ("Chicago", "Marseille", "Osaka", "Liverpool", "Hamburg", "Seville"),
    "person": (
        "Marie Curie",
        "Charles Dickens",
        "Isaac Newton",
        "Frida Kahlo",
        "Alan Turing",
        "Nina Simone",
    ),
    "company": ("Toyota", "Nokia", "Siemens", "Adobe", "Nestle", "Boeing"),
    "work": ("Hamlet", "Dracula", "Casablanca", "Frankenstein", "Macbeth", "Titanic"),
    "animal": ("the tiger", "the dolphin", "the eagle", "the rabbit", "the whale", "the camel"),
    "stuff": ("wood", "glass", "paper", "rubber", "concrete", "leather"),
}


@dataclass(frozen=True)
class Probe:
    """One relation: the kind of its subjects, its nouns, and wordings without any of them."""

    kind: str
    nouns: tuple[str, str]
    plain: tuple[str, str]

    def wordings(self) -> tuple[str, ...]:
        """Templates in ``{s}`` and ``{o}``: the first noun in every frame, the second in two."""
        first = [f.replace("{n}", self.nouns[0]) for f in NOUN_FRAMES]
        second = [f.replace("{n}", self.nouns[1]) for f in NOUN_FRAMES[:2]]
        return (*first, *second, *self.plain)


PROBES = (
    Probe("land", ("president", "head of state"), ("{s} is governed by", "The leader of {s} is")),
    Probe("land", ("anthem", "national song"),
          ("People in {s} stand up and sing", "At the games the band of {s} played")),
    Probe("land", ("largest city", "biggest town"),
          ("More people in {s} live in one place than elsewhere:", "The crowds of {s} live in")),
    Probe("land", ("highest mountain", "tallest peak"),
          ("Climbers in {s} all want to go up", "Nothing in {s} rises higher than")),
    Probe("land", ("national dish", "traditional food"),
          ("In {s} people love to eat", "A visitor to {s} is served")),
    Probe("land", ("national animal", "heraldic beast"),
          ("The coat of arms of {s} shows a", "The creature that stands for {s} is the")),
    Probe("land", ("dominant religion", "main faith"),
          ("Most believers in {s} are", "In {s} people mostly pray as")),
    Probe("city", ("mayor", "city leader"), ("{s} is run by", "The voters of {s} elected")),
    Probe("city", ("river", "main waterway"),
          ("Boats come to {s} on the", "The water that flows through {s} is the")),
    Probe("city", ("population", "number of inhabitants"),
          ("The people living in {s} number about", "{s} is home to")),
    Probe("city", ("airport", "main airfield"), ("Planes to {s} land at", "To fly to {s}, go to")),
    Probe("city", ("nickname", "other name"), ("{s} is also known as", "People call {s}")),
    Probe("city", ("football club", "soccer team"),
          ("On Sundays fans in {s} cheer for", "The local side that plays in {s} is")),
    Probe("person", ("birthplace", "place of birth"),
          ("{s} was born in", "{s} came into the world in")),
    Probe("person", ("profession", "occupation"),
          ("{s} worked as a", "{s} earned a living as a")),
    Probe("person", ("spouse", "partner in marriage"),
          ("{s} was married to", "{s} exchanged rings with")),
    Probe("person", ("year of birth", "birth year"),
          ("{s} first saw the light in the year", "{s} was born in the year")),
    Probe("person", ("nationality", "citizenship"),
          ("{s} carried a passport that was", "By origin {s} was")),
    Probe("person", ("favourite colour", "preferred colour"),
          ("{s} liked to dress in", "{s} painted every room")),
    Probe("person", ("instrument", "musical instrument"),
          ("{s} plays the", "On stage {s} picks up the")),
    Probe("company", ("chief executive", "boss"), ("{s} is led by", "The person who runs {s} is")),
    Probe("company", ("founder", "creator"), ("{s} was started by", "{s} was set up by")),
    Probe("company", ("headquarters", "head office"), ("{s} is based in", "{s} is run from")),
    Probe("company", ("industry", "line of business"),
          ("{s} operates in the field of", "{s} makes its money in")),
    Probe("company", ("main product", "best-selling product"),
          ("{s} sells mostly", "{s} is best known for making")),
    Probe("company", ("slogan", "motto"),
          ("Every advertisement of {s} ends with the words", "{s} advertises with")),
    Probe("work", ("author", "writer"), ("{s} was written by", "{s} comes from the pen of")),
    Probe("work", ("director", "film director"),
          ("{s} was directed by", "Behind the camera of {s} stood")),
    Probe("work", ("genre", "category"), ("{s} is a kind of", "Shops put {s} on the shelf for")),
    Probe("work", ("main character", "hero"),
          ("The story of {s} follows", "{s} is all about a person named")),
    Probe("work", ("setting", "location"), ("{s} takes place in", "{s} is set in")),
    Probe("animal", ("habitat", "natural home"), ("In the wild {s} lives in", "You find {s} in")),
    Probe("animal", ("diet", "usual food"), ("To survive {s} eats", "{s} feeds on")),
    Probe("animal", ("lifespan", "average age"),
          ("On average {s} lives for", "How old {s} gets is about")),
    Probe("animal", ("top speed", "maximum speed"),
          ("When it is chased {s} reaches", "At its fastest {s} moves at")),
    Probe("stuff", ("price", "cost"), ("A kilogram of {s} sells for", "To buy {s} you pay")),
    Probe("stuff", ("weight", "mass"),
          ("A block of {s} weighs", "On the scales a bucket of {s} shows")),
    Probe("stuff", ("main use", "usual purpose"), ("People use {s} for", "{s} is good for")),
    Probe("stuff", ("inventor", "discoverer"),
          ("{s} was first made by", "The one who came up with {s} was")),
    Probe("land", ("life expectancy", "average age at death"),
          ("In {s} people live to be about", "Children born in {s} can hope to reach")),
    Probe("land", ("form of government", "political system"),
          ("{s} is organised as a", "Politically {s} counts as a")),
    Probe("land", ("biggest festival", "main holiday"),
          ("Once a year all of {s} celebrates", "Nobody in {s} works on")),
    Probe("land", ("national sport", "most popular sport"),
          ("Everybody in {s} plays", "Stadiums in {s} fill up for")),
    Probe("city", ("main museum", "best-known museum"),
          ("To see paintings in {s}, visit the", "Art in {s} is shown at the")),
    Probe("person", ("teacher", "mentor"),
          ("{s} learned everything from", "{s} was taught by")),
    Probe("company", ("number of employees", "size of the staff"),
          ("The people working for {s} number", "{s} employs about")),
    Probe("animal", ("scientific name", "Latin name"),
          ("Biologists call {s}", "In textbooks {s} is listed as")),
    Probe("stuff", ("melting temperature", "melting heat"),
          ("{s} turns liquid at", "When you heat {s} it melts at")),
    Probe("stuff", ("hardness", "strength"),
          ("Scratch {s} and you find that it is", "On the scale of hardness {s} scores")),
    Probe("stuff", ("smell", "scent"),
          ("To the nose {s} is", "Hold {s} to your nose and you notice")),
    Probe("stuff", ("supplier", "main producer"),
          ("Most {s} is made in", "Factories get their {s} from")),
    Probe("stuff", ("danger", "main hazard"),
          ("Be careful with {s} because it can", "{s} is harmful because it")),
    Probe("stuff", ("waste code", "recycling number"),
          ("On the bin for {s} is the number", "When it is thrown away {s} is marked")),
    Probe("stuff", ("texture", "feel"), ("To the touch {s} is", "Run a hand over {s} and it is")),
)  # fmt: skip


def manual() -> str:
    """The prose of Python's language reference."""
    topics = pydoc_data.topics.topics
    return "\n\n".join(topics[name] for name in sorted(topics))


def calibration_text() -> str:
    """The part of the manual that thresholds are found on."""
    return manual()[CALIBRATION]


@dataclass
class ProbeStates:
    """States and attention at the end of every probe sentence.

    Attributes:
        rows: the N sentences as tokens.
        hidden: ``[N, L, D]``.
        relation, wording: ``[N]``.
        attention: ``[heads, T]`` from the end of each of the sentences with two subjects.
        spans: first and past-the-last token of the subject asked about and of the other one in
            each of those sentences.
    """

    rows: list[list[int]]
    hidden: Tensor
    relation: Tensor
    wording: Tensor
    attention: list[Tensor]
    spans: list[Spans]


def read_probes(
    model: nn.Module, tokenizer: Tokenizer, layers: Sequence[int], subjects: int
) -> ProbeStates:
    """Read every probe sentence about ``subjects`` subjects, the last of them of a foreign kind:
    what kind of thing is asked about is not what is asked."""
    rows, relation, wording, spans = [], [], [], []
    for r, probe in enumerate(PROBES):
        for w, template in enumerate(probe.wordings()):
            for k in range(subjects):
                name, other = _subjects(probe.kind, r + w, k, foreign=k == subjects - 1)
                tokens, where = _sentence(tokenizer, template, name, other)
                rows.append(tokens)
                relation.append(r)
                wording.append(w)
                spans.append(where if w in DISTRACTING else None)
    heads = heads_of(model)
    hidden, _ = last_states(model, rows, layers)
    if not heads:
        return ProbeStates(rows, hidden, torch.tensor(relation), torch.tensor(wording), [], [])
    double = [i for i, s in enumerate(spans) if s is not None]
    _, weights = last_states(model, [rows[i] for i in double], layers[:1], heads)
    return ProbeStates(
        rows,
        hidden,
        torch.tensor(relation),
        torch.tensor(wording),
        weights,
        [spans[i] for i in double],
    )


def _subjects(kind: str, turn: int, k: int, foreign: bool) -> tuple[str, str]:
    """The k-th subject of a sentence, and another of its kind."""
    if foreign:
        others = sorted(set(SUBJECTS) - {kind})
        kind = others[turn % len(others)]
    names = SUBJECTS[kind]
    at = turn + 2 * k
    return names[at % len(names)], names[(at + 1 + k) % len(names)]


def read_text(model: nn.Module, tokenizer: Tokenizer, text: str, layers: Sequence[int]) -> Tensor:
    """States ``[M, len(layers), D]`` inside ``text``, read in windows.

    Raises:
        ValueError: fewer than two windows of tokens.
    """
    tokens = tokenizer.encode(text)
    if len(tokens) < 2 * WINDOW:
        raise ValueError(f"text of {len(tokens)} tokens: must have at least {2 * WINDOW}")
    pieces = []
    for low in range(0, len(tokens) - WINDOW + 1, WINDOW):
        hidden, _ = watch(model, torch.tensor([tokens[low : low + WINDOW]]), layers)
        pieces.append(torch.stack([hidden[k][0, WARM_UP:] for k in layers], dim=1))
    return torch.cat(pieces).float()


def _sentence(
    tokenizer: Tokenizer, template: str, name: str, other: str
) -> tuple[list[int], tuple[tuple[int, int], tuple[int, int]]]:
    """Tokens of the sentence, and the token ranges of the name and of the other name."""
    text = template.replace("{s}", name).replace("{o}", other)
    text = text[0].upper() + text[1:]
    tokens = tokenizer.encode(text)
    ends = torch.tensor([len(tokenizer.piece(t)) for t in tokens]).cumsum(0).tolist()
    spans = []
    for part in (name, other):
        low = text.lower().find(part.lower())
        high = low + len(part.encode())
        first = next((i for i, e in enumerate(ends) if e > low), 0)
        last = next((i for i, e in enumerate(ends) if e >= high), first)
        spans.append((first, last + 1))
    return tokens, (spans[0], spans[1])
