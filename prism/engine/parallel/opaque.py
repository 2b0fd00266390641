"""What ``fully_shard`` may see of a module: one tensor in, one tensor out.

It hooks every tensor that needs a gradient and that it can find in a call, and to do so it *copies*
the dataclasses that hold them (since torch 2.13; before, it did not look inside). A block's other
arguments are the object that the blocks of a call share and write to, so a copy would silently cut
the tape between the layers. They pass through the hooks inside a wrapper instead. Nothing is lost:
autograd runs the nodes of a block, latest first, between the arrival of the gradient of its output
stream and the departure of that of its input stream, whichever way the gradients came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


class Hidden:
    """A value that the hooks in between do not look into."""

    def __init__(self, value: Any) -> None:
        self.value = value


def hide(module: nn.Module, stream: Callable[[Any], Tensor]) -> None:
    """Let hooks that are on ``module`` already see the first argument and ``stream(output)`` only.

    Args:
        module: after ``fully_shard``, whose hooks must be the inner ones.
        stream: the tensor of an output that the gradient comes through.
    """
    inner = module.forward

    def forward(*args: Any, rest: Hidden) -> tuple[Tensor, Hidden]:
        more, named = rest.value
        output = inner(*args, *more, **named)
        return stream(output), Hidden(output)

    def wrap(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return args[:1], {"rest": Hidden((args[1:], kwargs))}

    def unwrap(_: nn.Module, args: tuple[Any, ...], output: tuple[Tensor, Hidden]) -> Any:
        return output[1].value

    module.forward = forward  # type: ignore[method-assign]
    module.register_forward_pre_hook(wrap, prepend=True, with_kwargs=True)
    module.register_forward_hook(unwrap)
