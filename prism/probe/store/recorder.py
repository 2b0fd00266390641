"""Observer that records every step of a matrix, exactly, while a run trains.

After each step the bits of the weights are compared with those before; what moved, and by how many
lattice steps, goes to the log (:mod:`prism.probe.store.log`) in blocks of at most 50 steps. Beside
it the recorder notes of each step the loss, the rate, the gradient norm, the mean hidden state
before the head and its variance, and how often each id was read and was to be predicted in the
batch that was really read. It changes nothing: a run with it is the run without it, to the bit.

A checkpoint ends a block, and a resume cuts the log back to what the checkpoint knows.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from prism.data import IGNORE, RowBatch
from prism.engine.loop.observer import Observer
from prism.engine.loop.optimizer import learning_rate
from prism.engine.loop.step import Gradients
from prism.probe.store.events import Movements, Streams, deflated
from prism.probe.store.log import Writer
from prism.probe.store.ordinal import Bits, bits_of, format_of

if TYPE_CHECKING:
    from prism.engine.loop.trainer import Trainer

BLOCK_STEPS, BLOCK_BYTES = 50, 32 << 20
RECORDS = ("loss", "rate", "norm", "skipped", "variance")


class HiddenMean:
    """Mean and variance of the hidden states before the head, over the forward passes of a step.

    Passes without gradient (validation, a look ahead) are left out.
    """

    def __init__(self, width: int) -> None:
        self.width, self.watched = width, False
        self._clear()

    def _clear(self) -> None:
        self.count, self.total, self.square = 0, torch.zeros(self.width), 0.0

    def watch(self, model: nn.Module) -> None:
        """Look at every forward pass of ``model`` from now on."""
        if not self.watched:
            model.register_forward_hook(self._see)
            self.watched = True

    def _see(self, model: nn.Module, args: Any, output: Any) -> None:
        if torch.is_grad_enabled() and getattr(output, "hidden", None) is not None:
            hidden = output.hidden.detach().float().flatten(0, -2)
            self.count += len(hidden)
            self.total += hidden.sum(dim=0).cpu()
            self.square += hidden.square().sum().item()

    def taken(self, run: Trainer) -> tuple[NDArray[np.float32], float]:
        """Mean ``[D]`` and the variance about it, summed over D, of all ranks; then starts anew."""
        sums = torch.cat([torch.tensor([self.count, self.square]), self.total]).double()
        count, square, *total = run.w.sum(sums.to(run.w.device)).tolist()
        self._clear()
        mean = np.array(total) / max(count, 1.0)
        return mean.astype(np.float32), float(square / max(count, 1.0) - mean @ mean)


class Recorder(Observer):
    """Recorder of one matrix.

    Args:
        path: of the log.
        matrix: name of the parameter, ``[V, D]``.
        header: what else the log is to say; the same for equal runs.
        rows: numbers of the rows to record, increasing; None = all.
    """

    def __init__(
        self,
        path: Path,
        matrix: str,
        header: dict[str, Any],
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        self.name = f"probe.{matrix}"
        self.matrix, self.header, self.rows = matrix, header, rows
        self.writer = Writer(path)
        self.before: Bits | None = None
        self.saved: dict[str, Any] | None = None

    def before_step(self, run: Trainer, batch: RowBatch) -> None:
        if self.before is None:
            self._begin(run)
        self.hidden.watch(run.model)
        self._counts = self._count(run, batch)

    def after_backward(self, run: Trainer, gradients: Gradients, norm: float) -> None:
        self._norm = norm

    def after_step(self, run: Trainer, gradients: Gradients, skipped: bool) -> None:
        after = self._bits(run)
        mean, variance = self.hidden.taken(run)
        if not run.w.first:
            return
        assert self.before is not None
        self.movements.add(self.before, after)
        np.copyto(self.before, after)
        rate = learning_rate(run.step - 1, run.spec.s)
        self._records.append([gradients.loss, rate, self._norm, float(skipped), variance])
        self._means.append(mean)
        self._tables.append(self._counts)
        if len(self.movements) >= BLOCK_STEPS or self.movements.held >= BLOCK_BYTES:
            self._flush(run.step)

    def on_resume(self, run: Trainer) -> None:
        if self.saved is None:
            return  # the run was saved without a log: it begins here
        saved, self.saved = self.saved, None
        self._prepare(run)
        if zlib.crc32(self.before.tobytes()) != saved["crc"]:
            raise ValueError(f"{self.matrix} differs from the one recorded at step {run.step}")
        run.w.on_first(lambda: self.writer.cut(saved["length"]))

    def state_dict(self) -> dict[str, Any]:
        if self.before is None:
            return {}
        length = self._run.w.on_first(self._settled)
        return {"length": length, "crc": zlib.crc32(self.before.tobytes())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.saved = state or None

    def _settled(self) -> int:
        self._flush(self._run.step)
        return self.writer.length()

    def _begin(self, run: Trainer) -> None:
        self._prepare(run)
        shape = list(run.model.get_parameter(self.matrix).shape)
        header = {**self.header, "matrix": self.matrix, "shape": shape, "format": self.form.name}
        header["records"] = list(RECORDS)
        bits = self.before.reshape(-1, shape[1])
        run.w.on_first(lambda: self.writer.begin(header, run.step, bits, self.rows))

    def _prepare(self, run: Trainer) -> None:
        """Note the weights as they are now."""
        self._run = run
        p = run.model.get_parameter(self.matrix)
        self.form = format_of(p.dtype)
        self.before = self._bits(run).copy()
        self.movements = Movements(self.form.steps)
        self.hidden = HiddenMean(p.shape[1])
        self._records: list[list[float]] = []
        self._means: list[NDArray[np.float32]] = []
        self._tables: list[list[NDArray[np.uint32]]] = []

    def _bits(self, run: Trainer) -> Bits:
        """Bits of the recorded rows, flat; every rank must call this."""
        p: Any = run.model.get_parameter(self.matrix)
        whole: Tensor = p.full_tensor() if hasattr(p, "full_tensor") else p
        bits = bits_of(whole.detach().cpu())
        return (bits if self.rows is None else bits[self.rows]).reshape(-1)

    def _count(self, run: Trainer, batch: RowBatch) -> list[NDArray[np.uint32]]:
        """Ids with their counts, of inputs and of targets, over all ranks."""
        vocabulary, counts = run.spec.config.vocab_size, []
        for ids, real in (
            (batch.tokens, batch.segment_ids >= 0),
            (batch.targets, batch.targets != IGNORE),
        ):
            table = torch.bincount(ids[real].cpu(), minlength=vocabulary)
            if run.w.size > 1:
                table = run.w.sum(table.to(run.w.device)).cpu()
            read = table.nonzero().flatten()
            counts.append(torch.stack([read, table[read]]).numpy().astype("<u4"))
        return counts

    def _flush(self, step: int) -> None:
        count = len(self.movements)
        if count == 0:
            return
        streams: Streams = self.movements.encoded()
        streams["records"] = deflated(np.array(self._records, "<f8").tobytes())
        streams["mean"] = deflated(np.array(self._means, "<f4").tobytes())
        sizes = [[table.shape[1] for table in pair] for pair in self._tables]
        streams["count_sizes"] = np.array(sizes, "<u4").tobytes()
        flat = [table.reshape(-1) for pair in self._tables for table in pair]
        streams["counts"] = deflated(np.concatenate(flat).tobytes())
        self.writer.steps(step - count, count, streams)
        self._records, self._means, self._tables = [], [], []
