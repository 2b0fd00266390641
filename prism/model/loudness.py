"""Loudness: what the kinds of a block add, beside the stream that they add it to.

    loudness = mean_t |sum_k w_k E_k(t)|^2 / |x(t)|^2

The price of speaking where gates are independent. A price on the gate alone can be dodged: the gate
closes and the writer behind it grows as much. This one is on what arrives in the stream, so a part
that has little to say about a token leaves the stream as it is, and other parts find it there as
they were trained on it (prism/modular). While exploring nobody pays: it counts times
``1 - epsilon``, so that a kind that is still useless is not silenced for good.
"""

from __future__ import annotations

from torch import Tensor

SILENCE = 1e-12  # mean square below which a stream counts as this loud


def loudness(added: Tensor, x: Tensor, valid: Tensor | None) -> Tensor:
    """Scalar, of ``added [B, T, D]`` to the stream ``x [B, T, D]``; padding (``valid [B, T]``
    False) is not counted. No gradient reaches ``x``: growing the stream is no way to be quiet."""
    stream = x.detach().square().mean(dim=-1).clamp(min=SILENCE)
    each = added.to(stream.dtype).square().mean(dim=-1) / stream
    if valid is None:
        return each.mean()
    real = valid.to(each.dtype)
    return (each * real).sum() / real.sum().clamp(min=1)
