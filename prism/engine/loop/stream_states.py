"""Recurrent state of every row stream, carried from step to step and saved by stream.

A row stream is one row of the global batch that reads on where it stopped. Its state is a row of
the state that the model returns; micro-batches hold several streams. Saved under the stream's own
name (``lane0007.12``: the 12th tensor of stream 7), it can be read back by another number of ranks
or another micro-batch size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from prism.engine.parallel.fsdp import reading
from prism.engine.parallel.world import World
from prism.engine.settings import Settings
from prism.engine.store import checkpoint
from prism.model.protocol import LanguageModel
from prism.model.state import detach_state, leaves, map_state


class StreamStates:
    """States of the row streams of one rank.

    Args:
        streams: their numbers, in the order of the rows.
        micro: rows per forward; divides the number of streams.
        carry: False forgets every state at once.

    Raises:
        ValueError: a micro-batch that does not divide the streams.
    """

    def __init__(self, streams: Sequence[int], micro: int, carry: bool) -> None:
        if len(streams) % micro:
            raise ValueError(
                f"--micro-batch-size {micro}: must divide the {len(streams)} rows of a rank"
            )
        self.streams, self.micro, self.carry = tuple(streams), micro, carry
        self.states: list[Any] = [None] * (len(self.streams) // micro)

    @classmethod
    def of(cls, s: Settings, w: World, carry: bool) -> StreamStates:
        """Those of this rank's rows of the global batch, empty."""
        mine = w.rows(s.global_batch_size)
        return cls(mine, s.micro_batch_size or len(mine), carry)

    def keep(self, index: int, state: Any) -> None:
        """The state after micro-batch ``index``, cut from its graph."""
        if self.carry:
            self.states[index] = detach_state(state)

    @property
    def started(self) -> bool:
        """True once there are states to save."""
        return self.states[0] is not None

    def tensors(self) -> dict[str, Tensor]:
        """Every stream's state by name; rows are copies. Empty before the first step."""
        return {
            _name(stream, i): value[row % self.micro].clone()
            for row, stream in enumerate(self.streams)
            for i, value in enumerate(leaves(self.states[row // self.micro]))
        }

    def load(self, saved: Mapping[str, Tensor], template: Any) -> None:
        """Put saved rows together again; ``template`` is a state of the same model."""
        for index in range(len(self.states)):
            rows = self.streams[index * self.micro : (index + 1) * self.micro]
            count = len(leaves(template))
            columns = iter([torch.stack([saved[_name(r, i)] for r in rows]) for i in range(count)])
            self.states[index] = map_state(template, lambda _, it=columns: next(it))


def _name(stream: int, index: int) -> str:
    """Key of the ``index``-th tensor of a stream's state."""
    return f"lane{stream:04d}.{index}"


def restore(
    states: StreamStates, model: LanguageModel, device: torch.device, start: Path, prefix: str = ""
) -> None:
    """Read ``states`` of ``model`` back from a checkpoint. Every rank must call this.

    Args:
        prefix: before their names there.
    """
    like = template(model, device)
    numbered = list(enumerate(leaves(like)))
    rows = {_name(s, i): torch.zeros_like(x[0]) for s in states.streams for i, x in numbered}
    checkpoint.load_tensors(start, {prefix + name: x for name, x in rows.items()})
    states.load(rows, like)


def template(model: LanguageModel, device: torch.device) -> Any:
    """The state after one token: its structure, shapes and types. Every rank must call this."""
    token = torch.zeros(1, 1, dtype=torch.long, device=device)
    with reading(model):
        return model(token, segment_ids=token).state
