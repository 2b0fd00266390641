"""Costs of a run before it starts: FLOPs, memory, and the tables of ``--dry-run``.

All from the shapes alone, with parameters on the meta device. ``tables`` needs rich.
"""

from prism.engine.cost.cards import device_peak
from prism.engine.cost.flops import Flops, count
from prism.engine.cost.memory import per_rank

__all__ = ["Flops", "count", "device_peak", "per_rank"]
