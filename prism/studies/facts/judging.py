"""``python -m prism.studies.facts.judging``: fit the second opinion's weights on sets of texts.

Every place of every prompt where the words leave it open whether a fact is asked for is a row; it
is right where the prompt ends, if the value of that very fact must follow. What a set says when it
is left out of the fit is in the file too, as the sets were looked at while the rules were made.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prism import whole_file
from prism.command import Parser, output
from prism.inject import AttachedLM, attach
from prism.inject.addresses import AnswerAccumulator
from prism.inject.names import Mention
from prism.inject.probes import calibration_text
from prism.inject.sync import parts
from prism.inject.trigger import Candidate, FactTrigger
from prism.inject.wordings import SecondOpinion
from prism.inject.wordings.opinion import FEATURES, FILE, Weights
from prism.pretrained.smollm2 import load_smollm2
from prism.studies.facts.replay import ActivationCache, Activations
from prism.studies.facts.unseen_set import UNRELATED, UnseenCase, UnseenSet, load_set, told

SETS = "one,two,three"
PENALTY, ROUNDS = 3.0, 30  # of the squared weights; steps of Newton's method
LEVELS = (-1.5, -1.0, -0.75, -0.5, -0.25, 0.0, 0.5)  # of the curve


@dataclass(frozen=True)
class Row:
    """A place of a prompt that leaves it open: ``end``, the last one; ``right``, the fact must
    be told there."""

    case: UnseenCase
    features: np.ndarray
    end: bool
    right: bool


class Recorder(FactTrigger):
    """A trigger that keeps the candidates of every place and tells nothing."""

    def __init__(self, knowledge: Any) -> None:
        super().__init__(knowledge)
        self.seen: list[tuple[int, str, Candidate]] = []

    def _asked(
        self, mention: Mention, clear: Tensor, sure: bool, place: str
    ) -> list[tuple[str, float]]:
        at = len(self._transcript)
        some = self._possible(mention, clear, sure, place)
        self.seen += [(at, mention.subject, one) for one in some]
        return []


def rows_of(
    lm: AttachedLM, texts: Sequence[Activations], chosen: UnseenSet, opinion: SecondOpinion
) -> tuple[list[Row], int]:
    """The rows of a set, and how many wordings ask in so many words.

    Args:
        lm: holds the set's facts.
        texts: the activations of each case's prompt.
        chosen: the set.
        opinion: gives the features.
    """
    rows, plain, knowledge = [], 0, lm.knowledge
    knowledge.opinion = opinion  # for the bank's wordings: the weights are not asked
    keys = [parts(address) for address, _ in chosen.facts]
    facts = [(knowledge.names.same(subject), relation) for subject, relation in keys]
    for case, text in zip(chosen.cases, texts, strict=True):
        trigger = Recorder(knowledge)
        trigger.step(text.tokens, text.hidden, text.attention)
        for at, subject, one in trigger.seen:
            end = at == len(text.tokens)
            right = case.expect == "value" and end and facts[case.fact] == (subject, one.relation)
            if one.said.kind == "asked":
                plain += right and not one.refused and case.kind.startswith("wording")
            elif knowledge.levels.hears(one):
                said = knowledge.said_as(one.relation)[0]
                rows.append(Row(case, opinion.features(one, said), end, right))
    return rows, plain


def fitted(rows: Sequence[Row]) -> Weights:
    """Logistic regression in which right and wrong rows weigh alike as a whole."""
    x, y = np.stack([r.features for r in rows]), np.array([r.right for r in rows])
    known = np.maximum((~np.isnan(x)).sum(axis=0), 1)
    mean = np.nansum(x, axis=0) / known
    scale = np.sqrt(np.nansum((x - mean) ** 2, axis=0) / known) + 1e-6
    z = np.c_[np.nan_to_num((x - mean) / scale), np.ones(len(x))]
    weight = np.where(y, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    penalty = np.r_[np.full(z.shape[1] - 1, PENALTY), 1e-3]
    w = np.zeros(z.shape[1])
    for _ in range(ROUNDS):
        p = 1 / (1 + np.exp(-z @ w))
        slope = z.T @ (weight * (p - y)) + penalty * w
        w -= np.linalg.solve((z * (weight * p * (1 - p))[:, None]).T @ z + np.diag(penalty), slope)
    return Weights(mean.tolist(), scale.tolist(), w.tolist())


def curve(weights: Weights, rows: Sequence[Row], plain: int, chosen: UnseenSet) -> list[dict]:
    """Shares by level, of prompts: wordings told, near misses left alone; and the number of places
    of unrelated text that would be touched."""
    odds = weights.odds(np.stack([r.features for r in rows]))
    counts = {kind: sum(c.kind == kind for c in chosen.cases) for kind in _kinds(chosen)}
    points = []
    for level in LEVELS:
        told_ = [r for r, o in zip(rows, odds, strict=True) if o > level]
        right = {kind: len({r.case.prompt for r in told_ if r.right and r.case.kind == kind})
                 for kind in counts}  # fmt: skip
        wrong = {r.case.prompt for r in told_ if r.end and r.case.kind == "near miss"}
        words = [k for k in counts if k.startswith("wording")]
        unshared = "wording, no shared word"
        points.append(
            {
                "level": level,
                "wording": (plain + sum(right[k] for k in words)) / sum(counts[k] for k in words),
                unshared: right[unshared] / counts[unshared],
                "near miss": 1 - len(wrong) / counts["near miss"],
                "unrelated places": sum(r.case.kind == UNRELATED for r in told_),
            }
        )
    return points


def _kinds(chosen: UnseenSet) -> list[str]:
    return list(dict.fromkeys(c.kind for c in chosen.cases))


def judged(sets: dict[str, tuple[list[Row], int, UnseenSet]]) -> dict[str, Any]:
    """The weights of all sets, and the curve of each by the weights of the others."""
    left_out = {}
    for name, (rows, plain, chosen) in sets.items():
        others = [r for other, (some, *_) in sets.items() if other != name for r in some]
        left_out[name] = curve(fitted(others), rows, plain, chosen)
    all_rows = [r for some, *_ in sets.values() for r in some]
    weights = fitted(all_rows)
    return {
        "command": f"python -m prism.studies.facts.judging --sets {','.join(sets)}",
        "features": list(FEATURES),
        "rows": len(all_rows),
        "right": sum(r.right for r in all_rows),
        "mean": weights.mean,
        "scale": weights.scale,
        "weights": weights.weights,
        "left out": left_out,
    }


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = Parser(prog="python -m prism.studies.facts.judging", description=__doc__)
    p.add_argument("--sets", default=SETS, metavar="SET,SET", help=f"default {SETS}")
    p.add_argument("--out", type=Path, default=Path("runs/facts"), metavar="DIR",
                   help="where the calibration is kept")  # fmt: skip
    p.add_argument("--file", type=Path, default=FILE, metavar="FILE", help="for the weights")
    args = p.parse_args(argv)
    console = output()
    try:
        chosen = [load_set(where) for where in args.sets.split(",")]
        if len(chosen) < 2:
            p.error(f"--sets {args.sets}: must be two at least, as each is left out in turn")
        sets = _read(args, chosen)
    except (ValueError, ImportError, OSError) as error:
        p.error(str(error))
    data = judged(sets)
    whole_file.write(args.file, json.dumps(data, indent=1) + "\n")
    for name, points in data["left out"].items():
        for point in points:
            text = ", ".join(f"{k} {v:.3g}" for k, v in point.items())
            console.print(f"{name} left out: {text}", markup=False)
    console.print(f"weights: {args.file}")
    return 0


def _read(args: argparse.Namespace, chosen: Sequence[UnseenSet]) -> dict[str, Any]:
    """Rows of every set, by the model."""
    torch.set_grad_enabled(False)
    model, tokenizer = load_smollm2()
    bare = attach(model, tokenizer, AnswerAccumulator(vocab_size=model.config.vocab_size))
    bare.calibrate(calibration_text(), cache=args.out)
    readings, opinion = ActivationCache(bare), SecondOpinion(folder=args.out)
    sets = {}
    for one in chosen:
        lm = told(bare, one.facts)
        texts = readings.of([c.prompt for c in one.cases])
        sets[one.name] = (*rows_of(lm, texts, one, opinion), one)
    return sets


if __name__ == "__main__":
    raise SystemExit(main())
