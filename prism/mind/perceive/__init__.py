"""Perception: what a user's turn asserts, asks or neither.

:func:`perceive` reads a turn with spaCy's dependencies; without spaCy, in a reduced mode.
"""

from __future__ import annotations

from prism.mind.perceive.phrases import Triple
from prism.mind.perceive.sentences import Sentence, perceive

__all__ = ["Sentence", "Triple", "perceive"]
