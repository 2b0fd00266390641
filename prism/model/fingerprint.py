"""One number for all weights: SHA-256 over names and bytes, to prove that nothing was changed."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


def parameter_hash(model: nn.Module) -> str:
    """SHA-256 of every parameter and buffer of ``model``, in name order, as hexadecimal digits."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        flat = value.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
