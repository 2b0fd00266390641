"""Knowledge base: facts that people, programs and files have stated, in one SQLite file.

The ledger (:mod:`prism.mind.ledger`) is the truth: every fact with its source, its times and what
replaced it. A HoloTape for each tenant is a view of the facts that hold now
(:mod:`prism.mind.view`); it follows the ledger by sequence number and can be rebuilt from it.
"""

from __future__ import annotations

from prism.mind.knowledge import Added, KnowledgeBase
from prism.mind.mind import Mind, Reply
from prism.mind.oneshot import OneShot
from prism.mind.records import Fact, Source
from prism.mind.reflect import Answer, Hop
from prism.mind.schema import Busy

__all__ = [
    "Added",
    "Answer",
    "Busy",
    "Fact",
    "Hop",
    "KnowledgeBase",
    "Mind",
    "OneShot",
    "Reply",
    "Source",
]
