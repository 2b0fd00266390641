"""Sparse dispatch: run an expert on the tokens that chose it, and on no others.

Gather the rows, run the function once, scatter the weighted results back. A kind that no token
chose still runs on an empty slice, so its parameters stay in the graph (with zero gradients) and
every rank of a sharded run takes part in the same collectives.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def dispatch(fn: Callable[[Tensor], Tensor], x: Tensor, chosen: Tensor, weight: Tensor) -> Tensor:
    """``weight * fn(x)`` where ``chosen``, 0 elsewhere.

    Args:
        fn: acts on each row alone: ``[n, F] -> [n, D]``.
        x: ``[N, F]``.
        chosen: ``[N]`` bool.
        weight: ``[N]`` gate value per row.

    Returns:
        ``[N, D]``.
    """
    if chosen.is_meta:  # no values to choose by: every row runs
        return dispatch_loop(fn, x, chosen, weight)
    rows = chosen.nonzero().squeeze(-1)
    y = fn(x.index_select(0, rows)) * weight.index_select(0, rows)[:, None]
    return y.new_zeros(chosen.shape[0], y.shape[-1]).index_add(0, rows, y)


def dispatch_loop(
    fn: Callable[[Tensor], Tensor], x: Tensor, chosen: Tensor, weight: Tensor
) -> Tensor:
    """The plain reference of :func:`dispatch`: every row, then a mask."""
    return fn(x) * (weight * chosen)[:, None]
