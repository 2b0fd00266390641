"""Fixed codes of tokens: what the symbolic machines read and answer in where they answer by
themselves.

Token v has a row of signs: a row of Walsh and Hadamard's matrix ``H`` for the low bits of v, times
a row of random signs ``g`` for the bits above, which is all ones for the first tokens:

    code_i(v) = H[v mod P, i] g_i(v // P)          P the power of two at or above the width

With a power of two as width the first P tokens are orthogonal, so that a linear map of codes is a
table with an entry for each of them. Nothing is learned here. Machines that share a learned
embedding pull it in several directions, and one of their own for each costs a vocabulary of
numbers; codes cost none, and cannot be pulled.

What a machine makes of a code alone is the same at every token of an id. A call that has more
tokens than there are ids makes it once for each id and spreads it over the tokens
(:class:`Spread`): the same numbers for less work, however the call is cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

SEED = 0


def token_codes(vocab_size: int, width: int) -> Tensor:
    """Codes ``[vocab_size, width]`` of signs, the same in every process."""
    period = 1 << (width - 1).bit_length()
    walsh = torch.ones(1, 1)
    while len(walsh) < period:
        walsh = torch.cat([torch.cat([walsh, walsh], 1), torch.cat([walsh, -walsh], 1)])
    ids = torch.arange(vocab_size)
    generator = torch.Generator().manual_seed(SEED)
    rows = -(-vocab_size // period)
    drawn = torch.randint(2, (rows, width), generator=generator, device="cpu").mul(2).sub(1)
    signs = drawn.to(walsh)
    signs[0] = 1.0
    return walsh[ids % period, :width] * signs[ids // period]


@dataclass(frozen=True)
class Spread:
    """Layout over the tokens of what was made of their codes.

    Attributes:
        ids: ``[B, T]`` id of each token, where it was made once for each of V ids; None = once
            for each token.
    """

    ids: Tensor | None = None

    def __call__(self, *made: Tensor) -> tuple[Tensor, ...]:
        """``[B, T, ..]`` of each of ``made``, ``[V, ..]`` or ``[B, T, ..]``."""
        if self.ids is None:
            return made
        flat = [x.flatten(1) for x in made]
        found = functional.embedding(self.ids, torch.cat(flat, dim=-1))
        parts = found.split([x.shape[1] for x in flat], dim=-1)
        return tuple(
            p.unflatten(-1, x.shape[1:]) if x.dim() > 2 else p
            for p, x in zip(parts, made, strict=True)
        )


EACH_TOKEN = Spread()
