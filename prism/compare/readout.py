"""Readout at the last position, for tasks that ask what one token's features hold.

    logits(p) = W2 gelu(W1 (hidden(T - 1) + c_p)),    c_p a learned code of position p

The decoder of an auto-encoder (compression of MAD, arXiv 2403.17844): an MLP that gets the model's
features at the last position and the number of the position that is asked, and nothing else. It is
trained with the model, and is the same for every model.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from prism.model.protocol import LanguageModel, PrismOutput


class EndReadout(LanguageModel):
    """A language model whose logits at every position are read from the last one's features.

    Args:
        model: the model that reads the tokens; its own head is not used.
        length: the longest row.
        seed: of the readout's weights.
    """

    def __init__(self, model: LanguageModel, length: int, seed: int) -> None:
        super().__init__()
        self.model, self.config = model, model.config
        dim, vocab = model.config.d_model, model.config.vocab_size
        generator = torch.Generator().manual_seed(seed)
        self.position = nn.Parameter(torch.randn(length, dim, generator=generator))
        self.inside = nn.Linear(dim, 2 * dim, bias=False)
        self.outside = nn.Linear(2 * dim, vocab, bias=False)
        for layer in (self.inside, self.outside):
            std = layer.in_features**-0.5
            nn.init.normal_(layer.weight, std=std, generator=generator)

    @property
    def embedding(self) -> nn.Embedding:  # type: ignore[override]
        """That of the model."""
        return self.model.embedding

    @property
    def head(self) -> nn.Linear:  # type: ignore[override]
        """That of the model, which is not used."""
        return self.model.head

    def forward(
        self, tokens: Tensor, state: Any = None, segment_ids: Tensor | None = None
    ) -> PrismOutput:
        """Read ``tokens [B, T]``; the logits ``[B, T, V]`` at position p ask for token p."""
        output = self.model(tokens, state, segment_ids)
        features = nn.functional.layer_norm(output.hidden[:, -1:], output.hidden.shape[-1:])
        asked = features + self.position[: tokens.shape[1]]
        return replace(output, logits=self.outside(nn.functional.gelu(self.inside(asked))))

    def set_exploration(self, epsilon: float) -> None:
        self.model.set_exploration(epsilon)

    def after_step(self, loads: Tensor | None) -> None:
        self.model.after_step(loads)
