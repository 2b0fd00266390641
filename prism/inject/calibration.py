"""Calibration of a model for injection: layers, heads and thresholds, once and without a gradient.

The model reads the probe sentences and some unrelated text. From these come the layer whose states
tell relations apart best (its neighbours are compared with it), the space to compare them in, the
heads that look at the subject asked about rather than at another one, and the thresholds. The
choices are made on the probes' relations alone.

A calibration is kept on disk as one safetensors file, whose name is the hash of model, text and
probes, so that another model, text or version never finds it. Nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from prism import whole_file
from prism.data.tokens import Tokenizer
from prism.inject.probes import PROBES, SUBJECTS, ProbeStates, read_probes, read_text
from prism.inject.reading import Head, heads_of, inner_states, layers_of
from prism.inject.relation_space import (
    COMPETITION,
    KEPT,
    KEPT_FLOOR,
    KEPT_NOUNS,
    NEAR_DUPLICATE,
    RIDGE,
    TEXT_RATE,
    WITHIN,
    Prototypes,
    Whitening,
    class_means,
    fit_whitening,
    score,
    score_layers,
)
from prism.record import weights_hash

NAMED_RATE = 1e-2  # as TEXT_RATE, inside sentences about a named subject
NEIGHBOUR = 2  # layers between those that are compared
HEADS = 6  # at most
FORMAT = 2
TENSORS = ("mean", "whiten", "competitors", "text", "named", "named_relation")
NUMBERS = ("layers", "floor", "spoken", "share")
Progress = Callable[[str], None]


@dataclass
class Calibration:
    """Layers, whitening, competitors, heads and thresholds of one model.

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
        unbound = (self.competitors @ bound.vectors.T).amax(dim=-1) < NEAR_DUPLICATE
        named = self.named[unbound[self.named_relation]]
        levels = [self.floor]
        for states, rate in ((self.text, TEXT_RATE), (named, NAMED_RATE)):
            if len(states):
                seen = score(states.float(), bound, competitors).amax(dim=-1)
                levels.append(float(seen.quantile(1 - rate)))
        return max(levels)


def calibrate(
    model: nn.Module,
    tokenizer: Tokenizer,
    text: str,
    subjects: int = 3,
    progress: Progress | None = None,
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
    above, below = ratio.T
    cuts = ratio.flatten().sort().values  # the share that most of above reach, most of below do not
    kept = (above[:, None] >= cuts).float().mean(0) + (below[:, None] < cuts).float().mean(0)
    return [heads[int(i)] for i in best], float(cuts[kept.argmax()])


def calibration_folder() -> Path:
    """Folder of calibrations unless one is named: ``$XDG_CACHE_HOME/prism/calibration``, by default
    in ``~/.cache``."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "prism" / "calibration"


def calibrated(
    model: nn.Module,
    tokenizer: Tokenizer,
    text: str,
    folder: str | Path | None,
    progress: Progress | None = None,
) -> Calibration:
    """The calibration kept in ``folder``, made and kept if it is not there; None = not kept.

    Raises:
        ValueError: the file is there and is none of ours.
    """
    if folder is None:
        return calibrate(model, tokenizer, text, progress=progress)
    path = Path(folder) / f"calibration-{fingerprint(model, text)}.safetensors"
    if path.is_file():
        return load(path)
    if progress is not None:
        progress(f"of this model, once; a minute or two; kept as {path}")
    made = calibrate(model, tokenizer, text, progress=progress)
    save(made, path)
    return made


def fingerprint(model: nn.Module, text: str) -> str:
    """Hex digits that change with the weights, the text, the probes and the constants."""
    digest = hashlib.blake2b(digest_size=8)
    weights_hash(model.state_dict(), digest)
    chosen = (WITHIN, RIDGE, COMPETITION, KEPT, KEPT_FLOOR, KEPT_NOUNS, NEIGHBOUR, HEADS)
    digest.update(repr((FORMAT, PROBES, SUBJECTS, chosen)).encode())
    digest.update(text.encode())
    return digest.hexdigest()


def save(calibration: Calibration, path: Path) -> None:
    """Write ``calibration``; the file appears whole or not at all."""
    tensors = {
        "mean": calibration.space.mean,
        "whiten": calibration.space.whiten,
        "competitors": calibration.competitors,
        "text": calibration.text,
        "named": calibration.named,
        "named_relation": calibration.named_relation,
    }
    numbers = {name: getattr(calibration, name) for name in NUMBERS}
    header = {"format": str(FORMAT), "numbers": json.dumps(numbers | {"heads": calibration.heads})}
    whole_file.write(path, to_bytes({k: v.contiguous() for k, v in tensors.items()}, header))


def load(path: Path) -> Calibration:
    """Read the calibration that :func:`save` wrote.

    Raises:
        ValueError: not such a file.
    """
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path}: not a safetensors file; delete it to calibrate again") from error
    if header.get("format") != str(FORMAT) or set(tensors) != set(TENSORS):
        raise ValueError(f"{path}: not a calibration of format {FORMAT}; delete it")
    numbers = json.loads(header["numbers"])
    heads = [(block, head) for block, head in numbers.pop("heads")]
    space = Whitening(tensors.pop("mean"), tensors.pop("whiten"))
    return Calibration(space=space, heads=heads, **tensors, **numbers)
