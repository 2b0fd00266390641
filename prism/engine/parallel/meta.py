"""Models without memory: parameters on the meta device, buffers real.

A large model is built this way first, spread over the ranks, and only then given memory. Buffers
are constants that the constructor works out, and would be lost on the meta device.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def parameters_on_meta() -> Iterator[None]:
    """Modules built inside have parameters without memory; buffers are real."""
    register = nn.Module.register_parameter

    def on_meta(module: nn.Module, name: str, p: nn.Parameter | None) -> None:
        if p is not None and not p.is_meta:
            p = nn.Parameter(p.detach().to("meta"), p.requires_grad)
        register(module, name, p)

    nn.Module.register_parameter = on_meta  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module.register_parameter = register  # type: ignore[method-assign]
