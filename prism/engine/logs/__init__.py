"""Records of a run: sums between log lines, where they are written, and the page drawn of them.

``metrics.jsonl`` is always written; matplotlib is imported by the page only.
"""

from prism.engine.logs.log import JsonLines, Sink, Terminal, read
from prism.engine.logs.meter import Meter

__all__ = ["JsonLines", "Meter", "Sink", "Terminal", "read"]
