"""The recurrent state of every lane, carried from step to step and saved by lane.

A lane is one row of the global batch that reads on where it stopped. Its state is a row of the
state that the model returns; micro-batches hold several lanes. Saved under the lane's own name
(``lane0007.12``: the 12th tensor of lane 7), it can be read back by another number of ranks or
another micro-batch size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from prism.engine.parallel.world import reading
from prism.model.protocol import LanguageModel, detach_state, map_state


class LaneStates:
    """States of the lanes of one rank.

    Args:
        lanes: numbers of the lanes, in the order of the rows.
        micro: rows per forward; divides their number.
        carry: False forgets every state at once.

    Raises:
        ValueError: a micro-batch that does not divide the lanes.
    """

    def __init__(self, lanes: Sequence[int], micro: int, carry: bool) -> None:
        if len(lanes) % micro:
            raise ValueError(
                f"--micro-batch-size {micro}: must divide the {len(lanes)} rows of a rank"
            )
        self.lanes, self.micro, self.carry = tuple(lanes), micro, carry
        self.states: list[Any] = [None] * (len(self.lanes) // micro)

    def keep(self, index: int, state: Any) -> None:
        """The state after micro-batch ``index``, cut from its graph."""
        if self.carry:
            self.states[index] = detach_state(state)

    @property
    def started(self) -> bool:
        """Whether there are states to save."""
        return self.states[0] is not None

    def tensors(self) -> dict[str, Tensor]:
        """Every lane's state by name; rows are copies. Empty before the first step."""
        found: dict[str, Tensor] = {}
        for row, lane in enumerate(self.lanes):
            state = self.states[row // self.micro]
            for i, value in enumerate(_leaves(state)):
                found[name(lane, i)] = value[row % self.micro].clone()
        return found

    def load(self, saved: Mapping[str, Tensor], template: Any) -> None:
        """Put saved rows together again; ``template`` is a state of the same model."""
        for index in range(len(self.states)):
            rows = self.lanes[index * self.micro : (index + 1) * self.micro]
            count = len(_leaves(template))
            columns = iter([torch.stack([saved[name(r, i)] for r in rows]) for i in range(count)])
            self.states[index] = map_state(template, lambda _, it=columns: next(it))


def name(lane: int, index: int) -> str:
    """Key of the ``index``-th tensor of a lane's state."""
    return f"lane{lane:04d}.{index}"


def empty_rows(lanes: Sequence[int], template: Any) -> dict[str, Tensor]:
    """Tensors like those of :meth:`LaneStates.tensors`, to load into."""
    leaves = _leaves(template)
    return {name(lane, i): torch.zeros_like(x[0]) for lane in lanes for i, x in enumerate(leaves)}


def template(model: LanguageModel, device: torch.device) -> Any:
    """The state after one token: its structure, shapes and types. Every rank must call this."""
    token = torch.zeros(1, 1, dtype=torch.long, device=device)
    with reading(model):
        return model(token, segment_ids=token).state


def _leaves(state: Any) -> list[Tensor]:
    """The tensors of a state, in the order in which :func:`map_state` meets them."""
    found: list[Tensor] = []
    map_state(state, lambda x: found.append(x) or x)
    return found
