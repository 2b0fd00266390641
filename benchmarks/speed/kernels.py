"""``python -m benchmarks.speed.kernels``: the operations that a training step launches.

On a GPU every operation that computes or copies is a kernel, and a launch has a price of its own.
Counted is what a forward and a backward pass (eager, no optimiser) dispatch below autograd and that
is no view, on the meta device: shapes without values, so that any size is counted in seconds.
An operation belongs to the innermost module whose forward made it, or made what it is the gradient
of. Beside it stand the floating-point operations of the matrix products, and the peak of what the
tensors made by the step hold at a time (weights and their gradients are not in it).
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import weakref
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.page.command import parse, parser, provenance, write_json
from benchmarks.speed.timing import training_step
from prism import presets
from prism.baselines import MODELS, build
from prism.baselines.factory import PRISMS
from prism.model.protocol import LanguageModel
from prism.ops.decay import GPU_CHUNK

PROGRAM = "benchmarks.speed.kernels"
COMPARED = ("prism", "prism-top2", "transformer", "ssm", "gdn")

FREE = {"_unsafe_view"}  # a view in all but name


@dataclass
class Step:
    """Cost of one training step.

    Attributes:
        operations: by name of the operation, its launches.
        modules: by class of the innermost module, its launches.
        flops: of all matrix products.
        peak_bytes: most that the step's own tensors hold at a time.
    """

    operations: Counter[str] = field(default_factory=Counter)
    modules: Counter[str] = field(default_factory=Counter)
    flops: int = 0
    peak_bytes: int = 0

    @property
    def kernels(self) -> int:
        """All launches."""
        return sum(self.operations.values())


def count(model: LanguageModel, length: int, batch: int = 1) -> Step:
    """Cost of a training step of ``model``, which is on the meta device, on ``[batch, length]``."""
    tokens = torch.zeros(batch, length, dtype=torch.long, device="meta")
    counter = _Counter(model.train())
    with FlopCounterMode(display=False) as products, counter:
        training_step(model, tokens)
    counter.close()
    counter.step.flops = products.get_total_flops()
    return counter.step


class _Counter(TorchDispatchMode):
    """Adds up what is dispatched while it is active."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.step = Step()
        self._path = ["loss"]
        self._owner: list[tuple[int, str]] = []  # first sequence number, module, ascending
        self._held: dict[int, int] = {}
        self._bytes = 0
        self._hooks = []
        for module in model.modules():
            self._hooks.append(module.register_forward_pre_hook(self._enter))
            self._hooks.append(module.register_forward_hook(self._leave))
        self._mark()

    def close(self) -> None:
        """Take the hooks off the model again."""
        for hook in self._hooks:
            hook.remove()

    def _mark(self) -> None:
        self._owner.append((torch._C._autograd._get_sequence_nr(), self._path[-1]))

    def _enter(self, module: nn.Module, args: Any) -> None:
        self._path.append(type(module).__name__)
        self._mark()

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        self._path.pop()
        self._mark()

    def _module(self) -> str:
        node = torch._C._current_autograd_node()
        if node is None:
            return self._path[-1]
        number = node._sequence_nr()
        owners = [name for first, name in self._owner if first <= number]
        return owners[-1] if owners else "loss"

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if not func.is_view and func._schema.name.partition("::")[2] not in FREE:
            self.step.operations[func._schema.name.partition("::")[2]] += 1
            self.step.modules[self._module()] += 1
        for tensor in tree_iter(out):
            if isinstance(tensor, Tensor):
                self._hold(tensor)
        return out

    def _hold(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._held:
            return
        self._held[key] = storage.nbytes()
        self._bytes += storage.nbytes()
        self.step.peak_bytes = max(self.step.peak_bytes, self._bytes)
        weakref.finalize(storage, self._release, key)

    def _release(self, key: int) -> None:
        self._bytes -= self._held.pop(key, 0)


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """Rows of :func:`measure`, drawn."""
    drawn = Table("model", "tokens", "kernels", "TFLOP", "peak GB", "most in")
    for row in rows:
        most = sorted(row["modules"].items(), key=lambda item: -item[1])[:4]
        drawn.add_row(
            row["model"],
            f"{row['length']:,}",
            f"{row['kernels']:,}",
            f"{row['flops'] / 1e12:.2f}",
            f"{row['peak_bytes'] / 1e9:.2f}",
            ", ".join(f"{name} {n:,}" for name, n in most),
        )
    return drawn


def measure(preset: str, names: Sequence[str], length: int, **overrides: Any) -> list[dict]:
    """One row per model of the size of ``preset``, PRISM with the chunks that a GPU gets."""
    rows = []
    for name in names:
        config = presets.get(preset, **overrides)
        if name in PRISMS:
            config = dataclasses.replace(config, chunk_size=max(config.chunk_size, GPU_CHUNK))
        with torch.device("meta"):
            model = build(name, config)
        step = count(model, length)
        rows.append(
            {"model": name, "preset": preset, "length": length, "kernels": step.kernels}
            | {"flops": step.flops, "peak_bytes": step.peak_bytes}
            | {"operations": dict(step.operations.most_common())}
            | {"modules": dict(step.modules.most_common())}
        )
    return rows


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser(PROGRAM, __doc__)
    p.add_argument("--preset", default="350m", help=f"one of {', '.join(presets.BY_NAME)}")
    p.add_argument("--models", nargs="+", choices=MODELS, default=COMPARED)
    p.add_argument("--length", type=int, default=2048, help="tokens of the one row")
    args, given = parse(p, argv, counts=("length",), check=_check)
    content = {"meta": provenance(PROGRAM, given, args.quick)}
    size = ("tiny", 64) if args.quick else (args.preset, args.length)
    content["rows"] = measure(size[0], args.models, size[1])
    write_json(args.out, content)
    Console(highlight=False).print(table(content["rows"]))
    print(args.out)
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.preset not in presets.BY_NAME:
        raise ValueError(f"--preset {args.preset}: must be one of {', '.join(presets.BY_NAME)}")


if __name__ == "__main__":
    sys.exit(main())
