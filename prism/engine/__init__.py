"""Training at scale: one loop for one process and for many, exact over any split and any resume.

``run(flags)`` goes from flags to a finished run. A package that builds on the engine gives a
:class:`Loss`, an :class:`Observer` or data in an :class:`Extension`; see README.md here.
"""

from prism.engine.extension import Extension, Parts
from prism.engine.flags import flag
from prism.engine.loop import Loss, Observer, Rows
from prism.engine.settings import Settings

__all__ = ["Extension", "Loss", "Observer", "Parts", "Rows", "Settings", "flag"]
