"""Growth: a larger model that computes what the smaller one did, and trains on from there.

    grown = grow(model, larger_config, optimizer)
    print(grown.report)

:func:`layer_mapping` says before there is any model whether and where blocks would go;
:func:`related` makes a small config of the family of a large one.
"""

from prism.growth.grow import GrowResult, grow
from prism.growth.layer_mapping import METHODS, layer_mapping, related
from prism.growth.report import GrowthReport, TensorReport
from prism.growth.rules import TensorGrowth

__all__ = [
    "METHODS",
    "GrowResult",
    "GrowthReport",
    "TensorGrowth",
    "TensorReport",
    "grow",
    "layer_mapping",
    "related",
]
