"""Tensor operations of the models: a fast form of each beside its plain loop.

Pure functions of tensors, parallel over time, chunked where they are recurrent. Every fast form
equals a reference token by token, in values and gradients; README.md has the equations.
"""

from prism.ops.choice import hard_choice
from prism.ops.counters import hold, running_sum, saturating_sum, straight_through
from prism.ops.delta import chunk_frame, delta_rule
from prism.ops.dispatch import dispatch
from prism.ops.documents import document_index, shift_right
from prism.ops.gated_delta import gated_delta
from prism.ops.ring import ring_read
from prism.ops.rolling import fact_key, fact_keys
from prism.ops.scan import decay_scan
from prism.ops.ssd import ssd

__all__ = [
    "chunk_frame",
    "decay_scan",
    "delta_rule",
    "dispatch",
    "document_index",
    "fact_key",
    "fact_keys",
    "gated_delta",
    "hard_choice",
    "hold",
    "ring_read",
    "running_sum",
    "saturating_sum",
    "shift_right",
    "ssd",
    "straight_through",
]
