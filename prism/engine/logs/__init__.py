"""Records of a run: sums between log lines, and where they are written.

``metrics.jsonl`` is always written; ``python -m prism.report`` draws its page. ``terminal`` and the
page need rich and matplotlib.
"""

from prism.engine.logs.log import JsonLines, Sink, read
from prism.engine.logs.meter import Meter

__all__ = ["JsonLines", "Meter", "Sink", "read"]
