"""Growth: a larger model that goes on where the smaller one stood.

from prism import grow
grown = grow(model, larger_config, optimizer)
print(grown.report)
"""

from prism.growth.family import related
from prism.growth.grow import GrowResult, block_sources, grow
from prism.growth.placement import METHODS
from prism.growth.report import GrowthReport, TensorGrowth

__all__ = [
    "METHODS",
    "GrowResult",
    "GrowthReport",
    "TensorGrowth",
    "block_sources",
    "grow",
    "related",
]
