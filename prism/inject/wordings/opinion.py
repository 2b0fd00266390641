"""Second opinion on what a clause asks, where its words leave it open.

    log-odds = w . (state of the model, place in the text, evidence of the bank's wordings) + w_0

A logistic regression of twelve features, fitted by ``python -m prism.studies.facts.judging`` on the
frozen sets of texts; ``weights.json`` holds the weights, and what each set says when the other sets
alone were fitted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from prism.inject.second_opinion import SentenceEncoder
from prism.inject.wordings.bank import relations
from prism.inject.wordings.match import Encoder, Evidence, WordingBank

if TYPE_CHECKING:
    from prism.inject.trigger import Candidate

FILE = Path(__file__).with_name("weights.json")
FEATURES = (
    "state", "state, cut", "value due", "shared word", "further", "pronoun", "refused",
    "covered", "match", "sentence", "name", "rivals",
)  # fmt: skip
CUT = (-1.0, 0.5)  # of the state's clearness: beyond it, more says little more
SPOKEN = 0.3  # share of a relation's content words from which it counts as spoken of


@dataclass(frozen=True)
class Weights:
    """Logistic regression on standardised features: ``mean``, ``scale``, ``weights`` with the
    constant last; a feature that is not known is taken at its mean."""

    mean: Sequence[float]
    scale: Sequence[float]
    weights: Sequence[float]

    @classmethod
    def read(cls, path: Path = FILE) -> Weights:
        """The weights of a file."""
        data = json.loads(path.read_text("utf-8"))
        if data["features"] != list(FEATURES):
            raise ValueError(f"{path}: features {data['features']}: must be {list(FEATURES)}")
        return cls(data["mean"], data["scale"], data["weights"])

    def odds(self, features: np.ndarray) -> np.ndarray:
        """Log-odds ``[N]`` of features ``[N, F]``."""
        z = np.nan_to_num((features - np.array(self.mean)) / np.array(self.scale))
        return z @ np.array(self.weights[:-1]) + self.weights[-1]


class SecondOpinion:
    """See the module.

    Args:
        encoder: None = all-MiniLM-L6-v2 of the optional package.
        folder: where the bank's vectors are kept; None = they are made anew, in ten seconds.

    Raises:
        ImportError: the package with the encoder's weights is missing.
    """

    def __init__(self, encoder: Encoder | None = None, folder: Path | None = None) -> None:
        self._encoder = SentenceEncoder() if encoder is None else encoder
        self._folder = folder

    @cached_property
    def bank(self) -> WordingBank:
        """The wordings, made at the first question."""
        return WordingBank(relations(), self._encoder, self._folder)

    @cached_property
    def weights(self) -> Weights:
        """The fitted weights."""
        return Weights.read()

    def worded(self, relation: str) -> tuple[frozenset[str], ...]:
        """The stems of each of the bank's wordings of a relation, and of its other names."""
        return self.bank.stems(relation)

    def odds(self, one: Candidate, relation: Sequence[str]) -> float:
        """Log-odds that a candidate's clause asks for its relation.

        Args:
            one: the candidate.
            relation: the words of its relation.
        """
        return float(self.weights.odds(self.features(one, relation)[None])[0])

    def features(self, one: Candidate, relation: Sequence[str]) -> np.ndarray:
        """:data:`FEATURES` of a candidate; NaN where the bank does not have the relation."""
        evidence = self.bank.evidence(one.clause.text(), " ".join(relation))
        own = [
            one.clearness,
            min(max(one.clearness, CUT[0]), CUT[1]),
            one.place == "slot",
            one.said.overlap >= SPOKEN,
            one.said.kind == "further",
            one.clause.distance == 1,
            one.refused,
        ]
        told = astuple(evidence or Evidence(*[np.nan] * 5))
        return np.array([*own, *told], dtype=float)
