"""Loudness: what the kinds of a block add, beside the stream that they add it to.

    loudness(t) = |sum_k w_k E_k(t)|^2 / |x(t)|^2

The price of speaking where gates are independent. A price on the gate alone can be dodged: the gate
closes and the writer behind it grows as much. This one is on what arrives in the stream, so a part
that has little to say about a token leaves the stream as it is, and other parts find it there as
they were trained on it (prism/modular). While exploring nobody pays: it counts times
``1 - epsilon``, so that a kind that is still useless is not silenced for good.

A part is at home on its own data, and a guest in the rest of what it reads, where other parts are
at home. From that text it learns as from any other, but there a token pays ``GUEST_COST`` times as
much: what a part half knows beside another that knows it whole is harm where the two are added. At
home it has to be heard, as a guest it has to be worth its price.
"""

from __future__ import annotations

from torch import Tensor

SILENCE = 1e-12  # mean square below which a stream counts as this loud
GUEST_COST = 30.0  # times the price at home


def loudness(added: Tensor, x: Tensor) -> Tensor:
    """Of every token, ``[B, T]``, of ``added [B, T, D]`` to the stream ``x [B, T, D]``. No gradient
    reaches ``x``: growing the stream is no way to be quiet."""
    stream = x.detach().square().mean(dim=-1).clamp(min=SILENCE)
    return added.to(stream.dtype).square().mean(dim=-1) / stream


def price_of_guests(price: Tensor, guests: Tensor) -> Tensor:
    """What guests pay on top, ``[B, T]``, 0 at home.

    Args:
        price: ``[B, T]``, ``PrismOutput.price``: what is paid everywhere.
        guests: ``[B, T]`` bool, or a shape that broadcasts to it.
    """
    return (GUEST_COST - 1) * price * guests.to(price.dtype)
