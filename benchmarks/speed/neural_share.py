"""Cost of the neural kind's routed part, its output projection, on a share of the tokens only.

    cost = t(dispatch on the share s) / (s t(all tokens))

1 would be a dispatch for nothing; bar: <= 1.2. Both times are forward and backward of the same
part on the same filtered units, in turns, at a width where matrix products dominate. The share is
what the router of a sparse PRISM chose. Beside the time, two exact counts: the rows that reached
the expert inside that model per row that chose it, and the FLOPs against ``s`` times those of all
tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.page.timing import in_turns
from benchmarks.speed.timing import random_tokens
from prism.config import PrismConfig
from prism.model.prism import Prism
from prism.ops.dispatch import dispatch

KIND = "neural"


def neural_share(
    topks: Sequence[int], widths: Sequence[int], rows: int, rounds: int
) -> list[dict[str, Any]]:
    """One row per width and ``router_topk``.

    Args:
        widths: ``d_model`` to measure at.
        rows: tokens that pass the router.
        rounds: how often each of the two is timed.

    Returns:
        Rows with ``d_model, topk, tokens, share, dense_seconds, sparse_seconds, cost`` (of time),
        ``flops_cost`` and ``rows_per_choice``.
    """
    return [_measure(width, topk, rows, rounds) for width in widths for topk in topks]


def _measure(width: int, topk: int, rows: int, rounds: int) -> dict[str, Any]:
    config = PrismConfig(vocab_size=256, d_model=width, num_layers=1, router_topk=topk)
    model = Prism(config)
    chosen, units, reached = _look_inside(model, rows)
    expert = model.blocks[0].neural
    weight = torch.ones(rows)

    def dense() -> None:
        (expert.emit(units) * weight[:, None]).sum().backward()

    def sparse() -> None:
        dispatch(expert.emit, units, chosen, weight).sum().backward()

    share = chosen.float().mean().item()
    seconds = in_turns({"dense": dense, "sparse": sparse}, rounds)
    medians = {name: median(times) for name, times in seconds.items()}
    return {
        "d_model": width,
        "topk": topk,
        "tokens": rows,
        "share": share,
        "dense_seconds": medians["dense"],
        "sparse_seconds": medians["sparse"],
        "cost": medians["sparse"] / (share * medians["dense"]),
        "flops_cost": _flops(sparse) / (share * _flops(dense)),
        "rows_per_choice": reached / int(chosen.sum()),
    }


@torch.no_grad()
def _look_inside(model: Prism, rows: int) -> tuple[Tensor, Tensor, int]:
    """Run ``model`` on ``rows`` tokens: which of them chose the neural kind (``[rows]`` bool), the
    filtered units ``[rows, 2 H]`` of its expert, and how many rows its output projection was
    given."""
    expert = model.blocks[0].neural
    units: list[Tensor] = []
    counts: list[int] = []
    hooks = [
        expert.register_forward_hook(lambda *call: units.append(call[-1][0].flatten(0, 1))),
        expert.write.register_forward_pre_hook(lambda _, args: counts.append(len(args[0]))),
    ]
    tokens = random_tokens(model.config.vocab_size, 1, rows)
    routing = model(tokens, routing=True).routing[0]
    for hook in hooks:
        hook.remove()
    chosen = routing.chosen[0, :, routing.kinds.index(KIND)]
    return chosen, units[0].detach().requires_grad_(), max(counts)


def _flops(function: Callable[[], None]) -> int:
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()
