"""Facts outside the weights: bind, recall with calibrated confidence, forget, merge. No training.

from prism.holo import HoloTape
tape = HoloTape.plan(facts=10_000, candidates=50_000)
tape.bind("capital of Freedonia", "Fredville", source="atlas")
tape.recall("capital of Freedonia").value
"""

from prism.holo.algebra.accumulator import Accumulator
from prism.holo.algebra.codes import bank_of, hash_keys, sign_codes
from prism.holo.algebra.vectors import sign_ste
from prism.holo.audit import Audit, Capacity
from prism.holo.capacity.planning import TapePlan
from prism.holo.merge import Conflict, MergeReport
from prism.holo.recall import Recall
from prism.holo.store import Fact, FactStore
from prism.holo.tape import HoloTape

__all__ = [
    "Accumulator",
    "Audit",
    "Capacity",
    "Conflict",
    "Fact",
    "FactStore",
    "HoloTape",
    "MergeReport",
    "Recall",
    "TapePlan",
    "bank_of",
    "hash_keys",
    "sign_codes",
    "sign_ste",
]
