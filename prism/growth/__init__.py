"""Growth: a larger model that goes on where the smaller one stood.

from prism import grow
grown = grow(model, larger_config, optimizer)
print(grown.report)
"""

from prism.growth.grow import GrowResult, grow
from prism.growth.report import GrowthReport, TensorGrowth

__all__ = ["GrowResult", "GrowthReport", "TensorGrowth", "grow"]
