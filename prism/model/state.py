"""State of a sequence reader as a value: rows that can be chosen, repeated, moved and kept on disk.

A state is a dataclass of tensors, batch first, and of states. It owns its bytes: no tensor in it is
a view of a larger one. So what :attr:`State.nbytes` says is what memory and a file hold.

A file is safetensors. The header holds the structure as JSON with the names of the classes, so a
state is built of this project's own classes or refused; nothing is ever unpickled.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from prism import whole_file

KEY, FORMAT = "prism_state", 1
HALF = (torch.bfloat16, torch.float16)
Rows = int | slice | Sequence[int] | Sequence[bool] | Tensor


@dataclass(frozen=True)
class Leaf:
    """Shape and type that a model's state must have in one place.

    Attributes:
        shape: without the batch; None = of any size.
        kind: ``"wide"``, the model's type but at least fp32; ``"narrow"``, the model's type;
            ``"index"``, integers.
        optional: may be None.
    """

    shape: tuple[int | None, ...]
    kind: str = "wide"
    optional: bool = False

    def fits(self, x: Tensor, weights: torch.dtype) -> bool:
        """True for ``x [B, ...]`` of the state of a model whose weights are ``weights``."""
        if len(x.shape) != len(self.shape) + 1:
            return False
        if any(n is not None and n != m for n, m in zip(self.shape, x.shape[1:], strict=True)):
            return False
        if self.kind == "index":
            return not x.dtype.is_floating_point and x.dtype != torch.bool
        if self.kind == "wide":
            return x.dtype == (torch.float32 if weights in HALF else weights)
        # automatic casting leaves half types in the state of an fp32 model
        return x.dtype == weights or (x.dtype in HALF and weights == torch.float32)


class State:
    """Base of every state: the methods of a value whose tensors have the batch first."""

    kinds: ClassVar[dict[str, type[State]]] = {}

    def __init_subclass__(cls) -> None:
        State.kinds[cls.__name__] = cls

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(x.numel() * x.element_size() for x in leaves(self))

    @property
    def batch(self) -> int:
        """Number of rows B."""
        return len(leaves(self)[0])

    def select(self, rows: Rows) -> Self:
        """Rows of the batch, as a state of its own.

        Args:
            rows: an index, several (also repeated, in any order), one bool per row, or a slice.

        Raises:
            ValueError: a row that is not there, or a mask of another length.
        """
        if isinstance(rows, slice):
            return map_state(self, lambda x: x[rows].clone())
        batch = self.batch
        try:
            index = torch.as_tensor(rows, device=leaves(self)[0].device)
        except (TypeError, ValueError, RuntimeError):
            index = torch.zeros(())  # of no kind that is allowed
        if not isinstance(rows, Tensor) and index.numel() == 0:
            index = index.long()  # an empty list is a list of floats to torch
        index = index[None] if index.dim() == 0 else index
        if index.dtype == torch.bool:
            fits = index.shape == (batch,)
        else:
            whole = index.dim() == 1 and not index.is_floating_point()
            fits = whole and bool(((index >= -batch) & (index < batch)).all())
        if not fits:
            raise ValueError(
                f"rows = {rows!r}: must be indices in {-batch}..{batch - 1}, {batch} bools, or a "
                "slice"
            )
        index = index if index.dtype == torch.bool else index.long()
        return map_state(self, lambda x: x[index])

    def expand(self, n: int) -> Self:
        """Every row ``n`` times in a row, for beams or samples: row i is at ``n i .. n i + n - 1``.

        Raises:
            ValueError: ``n`` is no integer, or below 1.
        """
        if isinstance(n, bool) or not isinstance(n, Integral) or n < 1:
            raise ValueError(f"n = {n!r}: must be an integer >= 1")
        return map_state(self, lambda x: x.repeat_interleave(int(n), dim=0))

    def detach(self) -> Self:
        """The same state, cut from the graph that made it."""
        return map_state(self, Tensor.detach)

    def to(
        self,
        device: str | torch.device | torch.dtype | None = None,
        dtype: torch.dtype | None = None,
    ) -> Self:
        """The state on ``device``, its floating-point tensors in ``dtype``. Either may be given
        alone, as to ``Tensor.to``."""
        if isinstance(device, torch.dtype):
            device, dtype = None, device
        return map_state(
            self, lambda x: x.to(device=device, dtype=dtype if x.is_floating_point() else None)
        )

    def save(self, path: str | Path) -> None:
        """Write the state to one safetensors file, whole or not at all."""
        tensors: dict[str, Tensor] = {}
        tree = _described(self, "", tensors)
        header = {KEY: json.dumps({"format": FORMAT, "state": tree})}
        whole_file.write(Path(path), to_bytes(tensors, metadata=header))

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> Self:
        """The state that :meth:`save` wrote.

        Raises:
            FileNotFoundError: no such file.
            ValueError: not such a file, or a state of another class.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"{path}: no such file")
        try:
            with safe_open(str(path), framework="pt", device=str(device)) as file:
                header = json.loads((file.metadata() or {}).get(KEY, "null"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, json.JSONDecodeError) as error:
            raise ValueError(f"{path}: not a saved state ({error})") from error
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise ValueError(
                f"{path}: no {KEY!r} of format {FORMAT}: must be written by State.save"
            )
        state = _built(header.get("state"), tensors, path)
        if not isinstance(state, cls):
            raise ValueError(f"{path}: holds a {type(state).__name__}: must be a {cls.__name__}")
        return state


def map_state(state: Any, fn: Callable[[Tensor], Tensor]) -> Any:
    """Apply ``fn`` to every tensor of a state (dataclasses, tuples, lists, dicts, None)."""
    if isinstance(state, Tensor):
        return fn(state)
    if dataclasses.is_dataclass(state) and not isinstance(state, type):
        fields = (
            state.__dataclass_fields__
        )  # in every step of decoding, and these are quick to read
        return type(state)(**{name: map_state(getattr(state, name), fn) for name in fields})
    if isinstance(state, list | tuple):
        return type(state)(map_state(x, fn) for x in state)
    if isinstance(state, dict):
        return {k: map_state(v, fn) for k, v in state.items()}
    return state


def detach_state(state: Any) -> Any:
    """The same state, cut from the graph that made it."""
    return map_state(state, Tensor.detach)


def leaves(state: Any) -> list[Tensor]:
    """The tensors of a state, in the order in which :func:`map_state` meets them."""
    found: list[Tensor] = []
    map_state(state, lambda x: found.append(x) or x)
    return found


def check_state(
    state: Any,
    like: Any,
    batch: int,
    weights: torch.dtype,
    device: torch.device,
    name: str = "state",
) -> None:
    """Refuse a state that is not of the model it is given to. Looks at shapes and types only.

    Args:
        state: what was given.
        like: the model's own, with a :class:`Leaf` for each tensor.
        batch: rows B of the call.
        weights: type of the model's weights.
        device: of the call's tokens.
        name: of ``state`` in the error.

    Raises:
        ValueError: names the first entry that differs, its value and what is allowed.
    """
    if isinstance(like, Leaf):
        if state is None and like.optional:
            return
        if not isinstance(state, Tensor) or not like.fits(state, weights):
            shape = ", ".join(["B", *("any" if n is None else str(n) for n in like.shape)])
            kind = {"index": "integers", "narrow": weights}.get(
                like.kind, torch.promote_types(weights, torch.float32)
            )
            raise ValueError(f"{name} = {_shown(state)}: must be {kind} [{shape}] for this model")
        if state.shape[0] != batch:
            raise ValueError(f"{name}: {state.shape[0]} rows: must be {batch}, as tokens have")
        if state.device != device:
            raise ValueError(f"{name} on {state.device}: must be on {device}, as tokens are")
    elif isinstance(like, State):
        if type(state) is not type(like):
            raise ValueError(f"{name} = {_shown(state)}: must be a {type(like).__name__}")
        for key, value in vars(like).items():
            check_state(getattr(state, key), value, batch, weights, device, f"{name}.{key}")
    elif isinstance(like, tuple):
        if not isinstance(state, tuple) or len(state) != len(like):
            found = f"{len(state)} layers" if isinstance(state, tuple) else _shown(state)
            raise ValueError(f"{name}: {found}: must be {len(like)} layers, as this model has")
        for i, value in enumerate(like):
            check_state(state[i], value, batch, weights, device, f"{name}[{i}]")
    elif isinstance(like, dict):
        if not isinstance(state, dict) or state.keys() != like.keys():
            found = sorted(state) if isinstance(state, dict) else _shown(state)
            raise ValueError(f"{name} = {found}: must be {sorted(like)}")
        for key, value in like.items():
            check_state(state[key], value, batch, weights, device, f"{name}.{key}")
    elif like is None and state is not None:
        raise ValueError(f"{name} = {_shown(state)}: must be None for this model")


def _shown(value: Any) -> str:
    """``value`` in an error: type and shape of a tensor, the class of anything else."""
    if isinstance(value, Tensor):
        return f"{value.dtype} {list(value.shape)}"
    return "None" if value is None else type(value).__name__


def owned(x: Tensor) -> Tensor:
    """``x``, copied if it is a view that keeps more bytes alive than its own."""
    if torch.compiler.is_compiling():  # storages are unknown while a graph is traced
        return x.clone()
    try:
        held = x.untyped_storage().nbytes()
    except NotImplementedError:  # the wrapped tensors of torch.func have no storage
        return x.clone()
    return x if held == x.numel() * x.element_size() else x.clone()


def _described(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """The structure of ``value`` as JSON; its tensors go to ``tensors`` by their dotted names."""
    if isinstance(value, Tensor):
        # a tensor may be in two places, a file holds each name's bytes once
        tensors[name] = value.detach().clone(memory_format=torch.contiguous_format)
        return {"tensor": name}
    join = f"{name}.{{}}".format if name else "{}".format
    if isinstance(value, State):
        names = [f.name for f in dataclasses.fields(value)]  # type: ignore[arg-type]
        fields = {n: _described(getattr(value, n), join(n), tensors) for n in names}
        return {"class": type(value).__name__, "fields": fields}
    if isinstance(value, tuple):
        return {"tuple": [_described(x, join(i), tensors) for i, x in enumerate(value)]}
    if isinstance(value, dict):
        return {"dict": {k: _described(x, join(k), tensors) for k, x in value.items()}}
    return {"value": value}


def _built(tree: Any, tensors: dict[str, Tensor], path: str | Path) -> Any:
    """The value that :func:`_described` described."""
    if not isinstance(tree, dict):
        raise ValueError(f"{path}: structure {tree!r}: must be that of a state")
    if "tensor" in tree:
        if tree["tensor"] not in tensors:
            raise ValueError(f"{path}: tensor {tree['tensor']!r} is missing")
        return tensors[tree["tensor"]]
    if "class" in tree:
        kind = State.kinds.get(tree["class"])
        known = None if kind is None else {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
        fields = tree.get("fields")
        if kind is None or not isinstance(fields, dict) or set(fields) != known:
            raise ValueError(
                f"{path}: class {tree['class']!r}: must be one of {sorted(State.kinds)}"
            )
        return kind(**{name: _built(x, tensors, path) for name, x in fields.items()})
    if "tuple" in tree:
        return tuple(_built(x, tensors, path) for x in tree["tuple"])
    if "dict" in tree:
        return {name: _built(x, tensors, path) for name, x in tree["dict"].items()}
    return tree.get("value")
