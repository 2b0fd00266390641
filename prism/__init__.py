"""PRISM: a recurrent language model with a multi-rate bus, a polymorphic router and one shared
memory tape; and HoloTape, facts outside the weights of any language model.

    model = prism.Prism(prism.presets.tiny(vocab_size=257))
    tape = prism.HoloTape.plan(facts=1_000)
    lm = prism.attach(model, tokenizer, tape)
"""

from prism import presets
from prism.config import PrismConfig, SymbolicConfig, TapeConfig
from prism.growth import grow
from prism.holo import HoloTape
from prism.inject import attach, facts_for
from prism.loading import load
from prism.model.prism import Prism, PrismState
from prism.model.protocol import LanguageModel, PrismOutput
from prism.model.state import State, detach_state, map_state
from prism.record import VERSION as __version__

__all__ = [
    "HoloTape",
    "LanguageModel",
    "Prism",
    "PrismConfig",
    "PrismOutput",
    "PrismState",
    "State",
    "SymbolicConfig",
    "TapeConfig",
    "__version__",
    "attach",
    "detach_state",
    "facts_for",
    "grow",
    "load",
    "map_state",
    "presets",
]
