"""PRISM: a recurrent language model with a multi-rate bus, a polymorphic router and one shared
memory tape.

    from prism import Prism, PrismConfig, presets
    model = Prism(PrismConfig(vocab_size=64))
"""

from prism import presets
from prism.config import PrismConfig, SymbolicConfig, TapeConfig
from prism.growth import grow
from prism.holo import HoloTape
from prism.loading import load
from prism.model.prism import Prism
from prism.model.protocol import LanguageModel, PrismOutput
from prism.model.state import PrismState
from prism.record import VERSION as __version__

__all__ = [
    "HoloTape",
    "LanguageModel",
    "Prism",
    "PrismConfig",
    "PrismOutput",
    "PrismState",
    "SymbolicConfig",
    "TapeConfig",
    "__version__",
    "grow",
    "load",
    "presets",
]
