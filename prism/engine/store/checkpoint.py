"""Checkpoints: torch.distributed.checkpoint for tensors, JSON for everything else.

    step-00000020/
      shard-*.safetensors    parameters, optimizer moments, buffers, states of the row streams
      run.json               settings, model config, tokenizer and data fingerprints, counters
      rank0000.json          data cursors of the rank's streams, its random generators

Tensors are written in the safetensors format of torch.distributed.checkpoint, whose own format has
a pickle; here nothing is ever unpickled. A plain tensor is stored once however many ranks hold it,
so whatever differs between ranks (states, cursors, generators) is keyed by stream or by rank.
"""

from __future__ import annotations

import base64
import random
import re
import shutil
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import Tensor
from torch.distributed.checkpoint import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.api import CheckpointException

from prism.config import PrismConfig
from prism.engine.parallel.world import ElsewhereError, World
from prism.engine.store import folder, room
from prism.former_names import check_architecture
from prism.record import write_json

FORMAT = 1
RUN = "run.json"


class Saver:
    """Writes checkpoints of a run, one at a time; see :mod:`prism.engine.store.room` for the disk.

    Args:
        run: folder of the run.
        keep: number of whole checkpoints to keep.
        background: write while training goes on; the tensors are copied first.
    """

    def __init__(self, run: Path, w: World, keep: int, background: bool) -> None:
        self.run, self.w, self.keep = run, w, keep
        self.group = dist.new_group(backend="gloo") if background else None
        self._worker = ThreadPoolExecutor(1, "checkpoint")
        self._job: Future[None] | None = None
        self.last = 0  # step of the last one, or that the run has begun at

    def save(
        self, step: int, tensors: Mapping[str, Tensor], common: dict[str, Any], mine: dict[str, Any]
    ) -> None:
        """Begin (and without ``background`` finish) the checkpoint after ``step`` steps, if it is
        not the last one that was written. Every rank must call this.

        Args:
            tensors: by name; what is not a DTensor is the same on all ranks or named by stream.
            common: the same on all ranks, JSON.
            mine: of this rank, JSON.

        Raises:
            ValueError: it cannot be written, or the one before could not; names needed and free
                bytes where the disk is full.
        """
        self.settle()
        if step == self.last:
            return
        need = room.size_of(tensors)
        temporary = self.w.on_first(lambda: self._begin(step, need, common))
        failed: Exception | None = None
        try:
            write_json(temporary / f"rank{self.w.rank:04d}.json", mine)
        except OSError as error:
            failed = room.failed(self.run, need, error)
        self.w.agree(failed)
        writer = HuggingFaceStorageWriter(str(temporary), save_distributed=True)
        state = {key: _at_least_1d(value) for key, value in tensors.items()}
        self.last = step
        if self.group is None:
            self._finish(lambda: dcp.save(state, storage_writer=writer), temporary, need)
        else:
            future = dcp.async_save(state, storage_writer=writer, process_group=self.group)
            self._job = self._worker.submit(self._finish, future.result, temporary, need)

    @property
    def failed(self) -> bool:
        """True once the checkpoint that is being written has failed on this rank."""
        job = self._job
        return job is not None and job.done() and job.exception() is not None

    def wait(self) -> None:
        """Finish the checkpoint that is being written, if any, without a word to other ranks.

        Raises:
            ValueError: it could not be written.
        """
        job, self._job = self._job, None
        if job is not None:
            job.result()

    def settle(self) -> None:
        """:meth:`wait`, on every rank, with an error of one raised on all."""
        failed: Exception | None = None
        try:
            self.wait()
        except ElsewhereError:
            pass  # the first rank has its own
        except ValueError as error:
            failed = error
        self.w.agree(failed)

    def _begin(self, step: int, need: int, common: dict[str, Any]) -> Path:
        try:
            room.make(self.run, self.keep, need)
            temporary = folder.begin(self.run, step)
            write_json(temporary / RUN, {"format": FORMAT, "step": step, **common})
        except OSError as error:
            raise room.failed(self.run, need, error) from error
        return temporary

    def _finish(self, write: Callable[[], object], temporary: Path, need: int) -> None:
        """Write, mark and name the checkpoint; the first rank's ``write`` returns only when every
        rank has written. What fails leaves nothing behind."""
        try:
            write()
            if self.w.first:
                folder.commit(temporary)
                folder.prune(self.run, self.keep)
        except (OSError, CheckpointException) as error:
            if not self.w.first:
                raise ElsewhereError("see the first rank") from error
            shutil.rmtree(temporary, ignore_errors=True)
            raise room.failed(self.run, need, error) from error


def load_tensors(checkpoint: Path, tensors: Mapping[str, Tensor], alone: bool = False) -> None:
    """Fill ``tensors`` in place from a checkpoint saved by any number of ranks.

    Args:
        tensors: names and memory of what is wanted, DTensors or plain.
        alone: this process reads for itself, without a process group.

    Raises:
        ValueError: a tensor is missing or has another shape.
    """
    state = {key: _at_least_1d(value) for key, value in tensors.items()}
    reader = HuggingFaceStorageReader(str(checkpoint))
    stored = reader.read_metadata().state_dict_metadata
    for key, value in state.items():
        if key not in stored:
            raise ValueError(f"{checkpoint}: tensor {key!r} is missing")
        if stored[key].size != value.shape:
            raise ValueError(
                f"{checkpoint}: shape of {key!r} is {tuple(stored[key].size)}: "
                f"must be {tuple(value.shape)}"
            )
    with _alone():
        dcp.load(state, storage_reader=reader, no_dist=alone)


def names(checkpoint: Path) -> list[str]:
    """Names of all tensors of a checkpoint."""
    return list(HuggingFaceStorageReader(str(checkpoint)).read_metadata().state_dict_metadata)


def read_tensors(checkpoint: Path, only: Collection[str] | None = None) -> dict[str, Tensor]:
    """The tensors of a checkpoint, all or ``only`` some, whole, on the CPU; for this process
    alone."""
    stored = HuggingFaceStorageReader(str(checkpoint)).read_metadata().state_dict_metadata
    wanted = stored.keys() if only is None else only
    tensors = {k: torch.empty(stored[k].size, dtype=stored[k].properties.dtype) for k in wanted}
    load_tensors(checkpoint, tensors, alone=True)
    return tensors


def write_tensors(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors that this process holds whole, to be read with :func:`load_tensors`."""
    state = {key: _at_least_1d(value) for key, value in tensors.items()}
    writer = HuggingFaceStorageWriter(str(folder), save_distributed=True)
    with _alone():
        dcp.save(state, storage_writer=writer, no_dist=True)


@contextmanager
def _alone() -> Iterator[None]:
    """Without a group torch warns that one process works alone, which is what is meant."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield


def read_run(checkpoint: Path) -> dict[str, Any]:
    """``run.json`` of a checkpoint.

    Raises:
        ValueError: not there, not JSON, of another format, or of an earlier architecture.
    """
    values = folder.read_json(checkpoint / RUN)
    if values.get("format") != FORMAT:
        raise ValueError(f"{checkpoint / RUN}: format = {values.get('format')!r}: must be {FORMAT}")
    check_architecture(values["config"], checkpoint / RUN, values["settings"]["model"])
    return values


def check_steps(checkpoint: Path, steps: int) -> None:
    """Refuse to go on from a checkpoint to an end that it is already past.

    Raises:
        ValueError: it has done more than ``steps``.
    """
    reached = read_run(checkpoint)["step"]
    if steps < reached:
        raise ValueError(f"--steps {steps}: {checkpoint} has done {reached}; must be >= {reached}")


def config(checkpoint: Path) -> PrismConfig:
    """The config of the model in a checkpoint."""
    return PrismConfig.from_dict(read_run(checkpoint)["config"])


def read_ranks(checkpoint: Path) -> list[dict[str, Any]]:
    """The values that every rank saved for itself, in the order of ranks."""
    files = [p for p in checkpoint.iterdir() if re.fullmatch(r"rank\d{4}\.json", p.name)]
    return [folder.read_json(p) for p in sorted(files)]


def _at_least_1d(value: Tensor) -> Tensor:
    """The same memory; a scalar as one element, which is what safetensors can slice."""
    return value.detach().view(1) if value.dim() == 0 else value.detach()


def persistent(model: torch.nn.Module) -> dict[str, Tensor]:
    """Parameters (tied ones once) and persistent buffers of ``model``, by name."""
    once = {name for name, _ in (*model.named_parameters(), *model.named_buffers())}
    return {f"model.{k}": v for k, v in model.state_dict().items() if k in once}


def seed_all(seed: int, rank: int) -> None:
    """Start every generator of this process; ranks differ."""
    mixed = np.random.SeedSequence([seed, rank]).generate_state(3)
    torch.manual_seed(int(mixed[0]))
    np.random.seed(int(mixed[1]))  # noqa: NPY002 - the global generator is what is being seeded
    random.seed(int(mixed[2]))


def rng_state() -> dict[str, Any]:
    """The random generators of this process (torch on the CPU and the current GPU, numpy, Python),
    as JSON."""

    def text(state: Tensor) -> str:
        return base64.b64encode(state.numpy().tobytes()).decode("ascii")

    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    version, internal, gauss = random.getstate()
    state = {
        "torch": text(torch.get_rng_state()),
        "numpy": [name, keys.tolist(), *rest],
        "python": [version, list(internal), gauss],
    }
    if torch.cuda.is_available():
        state["cuda"] = text(torch.cuda.get_rng_state())
    return state


def restore_rng(state: dict[str, Any]) -> None:
    """Set all generators to what :func:`rng_state` saw."""

    def raw(text: str) -> Tensor:
        return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)

    torch.set_rng_state(raw(state["torch"]))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.asarray(keys, dtype=np.uint32), *rest))  # noqa: NPY002
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(raw(state["cuda"]))
