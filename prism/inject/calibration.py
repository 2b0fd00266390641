"""Everything about a model that the attachment must know, found once and without a gradient.

The model reads the probe sentences and some unrelated text. From these come the layer whose states
tell relations apart best (its neighbours are compared with it), the space to compare them in, the
heads that look at the subject asked about rather than at another one, and the thresholds. The
choices are made on the probes' relations alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from prism.data.tokens import Tokenizer
from prism.inject.layer_selection import TEXT_RATE, score_layers
from prism.inject.probes import DISTRACTING, PROBES, SUBJECTS
from prism.inject.reading import (
    Head,
    heads_of,
    inner_states,
    last_states,
    layers_of,
    watch,
)
from prism.inject.relation_space import (
    NEAR_DUPLICATE,
    Prototypes,
    Whitening,
    class_means,
    fit_whitening,
    score,
)

NAMED_RATE = 1e-2  # as TEXT_RATE, inside sentences about a named subject
NEIGHBOUR = 2  # layers between those that are compared
HEADS = 6  # at most
WINDOW = 256
Spans = tuple[tuple[int, int], tuple[int, int]]
WARM_UP = 8  # first positions of a window, whose states know nothing yet


@dataclass
class Calibration:
    """What was found.

    Attributes:
        layers: the n blocks whose outputs are compared.
        space: the map of their states, to n D numbers.
        competitors: ``[C, n D]`` prototypes of the probes' relations.
        text: ``[M, n D]`` mapped states of unrelated text, for thresholds.
        named: ``[K, n D]`` mapped states inside probe sentences, before they ask for anything.
        named_relation: ``[K]`` the relations of those sentences, in 0..C-1.
        floor: lowest score that may count as asking.
        spoken: the same where the words of the relation are in the sentence.
        heads: (block, head) pairs that look at the subject.
        share: least attention on a name that may count as asking about it, in units of the
            attention on the token that has most (the first one, where attention rests when it has
            nothing to look at, is left out).
    """

    layers: list[int]
    space: Whitening
    competitors: Tensor
    text: Tensor
    named: Tensor
    named_relation: Tensor
    floor: float
    spoken: float
    heads: list[Head]
    share: float

    def threshold(self, bound: Prototypes, competitors: Tensor) -> float:
        """The score above which a state asks about one of the bound relations. Sentences about
        one of these relations are left out: they do ask for it."""
        strange = (self.competitors @ bound.vectors.T).amax(dim=-1) < NEAR_DUPLICATE
        named = self.named[strange[self.named_relation]]
        levels = [self.floor]
        for states, rate in ((self.text, TEXT_RATE), (named, NAMED_RATE)):
            if len(states):
                seen = score(states.float(), bound, competitors).amax(dim=-1)
                levels.append(float(seen.quantile(1 - rate)))
        return max(levels)


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


def calibrate(
    model: nn.Module,
    tokenizer: Tokenizer,
    text: str,
    subjects: int = 3,
    progress: Callable[[str], None] | None = None,
) -> Calibration:
    """Calibrate on the probes and on ``text``, a few thousand words about anything.

    Args:
        model: the language model; only read.
        tokenizer: its tokenizer.
        text: unrelated text.
        subjects: how many subjects each probe sentence is asked about.
        progress: is given a line at every stage.

    Raises:
        ValueError: the text is too short for thresholds.
    """
    say = progress or (lambda _: None)
    layers = range(layers_of(model) // 2, layers_of(model))
    sentences = sum(len(probe.wordings()) for probe in PROBES) * subjects
    say(f"1 of 4: {sentences:,} probe sentences")
    states = read_probes(model, tokenizer, list(layers), subjects)
    say("2 of 4: unrelated text")
    running = read_text(model, tokenizer, text, list(layers))
    every = range(len(layers))
    probed = (states.hidden, states.relation, states.wording, running)
    say(f"3 of 4: {len(layers)} layers compared")
    best = max(every, key=lambda k: score_layers(*probed, [k]).recall)
    chosen = [k for k in (best - NEIGHBOUR, best, best + NEIGHBOUR) if k in every]
    chosen_score = score_layers(*probed, chosen)
    space = fit_whitening(states.hidden[:, chosen], states.relation, running[:, chosen])
    y = space(states.hidden[:, chosen])
    say("4 of 4: heads and thresholds")
    inside, owner = inner_states(model, states.rows[::subjects], [layers[k] for k in chosen])
    heads, share = choose_heads(states, heads_of(model))
    return Calibration(
        layers=[layers[k] for k in chosen],
        space=space,
        competitors=torch.nn.functional.normalize(class_means(y, states.relation), dim=-1),
        text=space(running[:, chosen]).half(),
        named=space(inside).half(),
        named_relation=states.relation[::subjects][owner],
        floor=chosen_score.floor,
        spoken=chosen_score.spoken,
        heads=heads,
        share=share,
    )


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


def choose_heads(states: ProbeStates, heads: Sequence[Head]) -> tuple[list[Head], float]:
    """The heads that look at the subject asked about most reliably, as many of them as together
    tell most sentences right, and how much they do look at it."""
    if not heads:
        return [], 0.0
    pairs = list(zip(states.attention, states.spans, strict=True))
    asked = torch.stack([w[:, slice(*s[0])].sum(dim=1) for w, s in pairs])
    other = torch.stack([w[:, slice(*s[1])].sum(dim=1) for w, s in pairs])
    margin = asked - other
    merit = margin.mean(dim=0) / margin.std(dim=0).clamp(min=1e-6)
    first = merit.topk(min(HEADS, len(heads))).indices
    right = (margin[:, first].cumsum(dim=1) > 0).float().mean(dim=0)
    best = first[: int(right.argmax()) + 1]
    mean = [w[best].mean(dim=0) for w in states.attention]
    ratio = torch.tensor(
        [
            [float(w[slice(*x)].sum() / w[1:].max()) for x in s]
            for w, (_, s) in zip(mean, pairs, strict=True)
        ]
    )
    return [heads[int(i)] for i in best], _best_cut(ratio[:, 0], ratio[:, 1])


def _best_cut(above: Tensor, below: Tensor) -> float:
    """The number that most of ``above`` reach and most of ``below`` do not."""
    cuts = torch.cat([above, below]).sort().values
    right = (above[:, None] >= cuts).float().mean(0) + (below[:, None] < cuts).float().mean(0)
    return float(cuts[right.argmax()])


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
