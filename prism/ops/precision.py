"""Keeping an operation's own precision where automatic casting to half precision is on."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def no_autocast(x: Tensor) -> AbstractContextManager[None]:
    """Inside, operations on the device of ``x`` run in the dtypes of their inputs.

    The meta device has no automatic casting, and asking to switch it off there is an error.
    """
    device = x.device.type
    if not torch.amp.is_autocast_available(device):
        return nullcontext()
    return torch.autocast(device, enabled=False)
