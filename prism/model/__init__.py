"""The PRISM model: a residual stack of blocks, each a multi-rate bus and a router over experts.

``Prism(config)(tokens, state=None)`` gives a :class:`PrismOutput`; state is an explicit value that
continues a sequence exactly. README.md has the equations of a block and the file of each.
"""

from prism.model.generation.rows import Generation
from prism.model.prism import Prism, PrismState
from prism.model.protocol import LanguageModel, LayerRouting, PrismOutput
from prism.model.state import State, detach_state, map_state

__all__ = [
    "Generation",
    "LanguageModel",
    "LayerRouting",
    "Prism",
    "PrismOutput",
    "PrismState",
    "State",
    "detach_state",
    "map_state",
]
