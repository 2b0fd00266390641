"""An encoder for tests: the vector of a word counts its letters; a text's is the mean of those of
its content words."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch.nn import functional as F

from prism.inject.second_opinion import InContext

PLAIN = frozenset({"the", "of", "x", "is"})
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Letters:
    """Texts to unit vectors of letter counts."""

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        return torch.stack([one.whole for one in self.read(texts)])

    def read(self, texts: Sequence[str]) -> list[InContext]:
        found = []
        for text in texts:
            words = list(re.finditer(r"\w+", text))
            counts = [[float(m.group().lower().count(c)) for c in LETTERS] for m in words]
            pieces = F.normalize(torch.tensor(counts) + 1e-4, dim=1)
            telling = [i for i, m in enumerate(words) if m.group().lower() not in PLAIN]
            whole = F.normalize(pieces[telling or slice(None)].mean(dim=0), dim=0)
            found.append(InContext([m.span() for m in words], pieces, whole))
        return found
