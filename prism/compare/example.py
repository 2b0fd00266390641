"""What a trained PRISM does inside, on test sequences, as plain numbers for the figures.

The router's probabilities and the tokens are those of one sequence; the gates of the bus and the
load of the tape are means over several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from prism.compare.evaluation import EVALUATION_SEED

if TYPE_CHECKING:
    from prism.model import Prism
    from prism.model.protocol import LayerRouting
    from tasks import Task

SEQUENCES = 16


@torch.no_grad()
def record_example(model: Prism, task: Task) -> dict[str, Any]:
    """Run ``model`` on ``SEQUENCES`` test sequences with its routing on record.

    Returns:
        JSON values: ``tokens``, ``targets``, ``predictions`` (``[T]``, of the first sequence),
        ``half_lives`` (``[K]``) and per layer ``kinds``, ``probability`` (``[T][E]``, of the
        first sequence), ``bus_gates`` (``[K]``, mean over sequences and tokens) and
        ``tape_load`` (``[T]``, mean over sequences; None where the layer has no content tape).
    """
    batch = task.batch("test", EVALUATION_SEED, 0, SEQUENCES)
    device = next(model.parameters()).device
    model.eval()
    output = model(batch.tokens.to(device), routing=True)
    return {
        "metric": task.metric,
        "tokens": batch.tokens[0].tolist(),
        "targets": batch.targets[0].tolist(),
        "predictions": output.logits[0].argmax(dim=-1).tolist(),
        "half_lives": list(model.config.bus_half_lives),
        "layers": [_layer(routing) for routing in output.routing],
    }


def _layer(routing: LayerRouting) -> dict[str, Any]:
    load = routing.tape_load
    return {
        "kinds": list(routing.kinds),
        "probability": _numbers(routing.probability[0]),
        "bus_gates": _numbers(routing.bus_gates.mean(dim=(0, 1))),
        "tape_load": None if load is None else _numbers(load.mean(dim=0)),
    }


def _numbers(x: Tensor) -> list[Any]:
    """Nested lists, to four decimals: enough for a figure, and the file stays small."""
    return (x.double() * 1e4).round().div(1e4).tolist()
