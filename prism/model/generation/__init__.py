"""Generation: rows of tokens continued from the carried state, and text from tokens.

``decode.py`` takes the steps, ``rows.py`` is what they have made so far, ``sampling.py`` chooses a
token, ``text.py`` spells it. ``model.generate`` and ``model.stream`` are of ``decode.py``.
"""

from prism.model.generation.decode import advance, generate, model_step, stream
from prism.model.generation.rows import Generation
from prism.model.generation.sampling import Sampling
from prism.model.generation.text import GREEDY, stream_text

__all__ = [
    "GREEDY",
    "Generation",
    "Sampling",
    "advance",
    "generate",
    "model_step",
    "stream",
    "stream_text",
]
