"""Random numbers from a seed alone: inside, whatever torch draws comes from a generator of ours.

``nn.Linear`` and ``torch.nn.init`` draw from the global generator. Seeding that one would change
what the caller draws next, and what other threads draw at the same time. Here each draw is handed
a generator of the block instead, by a mode that holds for the present thread only, so the numbers
are those of ``torch.manual_seed(seed)`` and nobody else's change.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

# by name, as transformers puts functions of its own in the place of those of torch.nn.init
IN_PLACE = {"normal_", "uniform_", "kaiming_uniform_", "trunc_normal_"}
NEW = {torch.rand, torch.randn}
UNTYPED = {torch.empty, torch.zeros, torch.ones, *NEW}  # of the default type
TYPED_BY_VALUE = {torch.full, torch.tensor}  # of the default type where the values are floats


class seeded(TorchFunctionMode):
    """Draw from ``seed``, and make what has no type fp32, whatever the process's default type is.

    The numbers do not depend on what was drawn before, on other threads, or on the default type.
    On the meta device nothing is drawn. Each device has a generator of its own.

    Args:
        seed: 0 .. 2^64 - 1.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed, self.generators = seed, dict[torch.device, torch.Generator]()

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        named = dict(kwargs or {})
        if getattr(func, "__name__", None) in IN_PLACE:
            drawn_on = (args[0] if args else named["tensor"]).device
            named["generator"] = self._generator(drawn_on)
        elif func in NEW:
            named["generator"] = self._generator(torch.empty(0, device=named.get("device")).device)
        untyped = named.get("dtype") is None
        if untyped and func in TYPED_BY_VALUE:
            untyped = func(*args, **named).is_floating_point()
        elif untyped:
            untyped = func in UNTYPED
        if untyped:
            named["dtype"] = torch.float32
        return func(*args, **named)

    def _generator(self, device: torch.device) -> torch.Generator | None:
        if device.type == "meta":
            return None
        if device not in self.generators:
            self.generators[device] = torch.Generator(device).manual_seed(self.seed)
        return self.generators[device]
