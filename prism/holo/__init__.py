"""Facts in superposition, outside the weights: bound, recalled with calibrated confidence,
forgotten exactly and merged, without training. A fact is the product of two bipolar codes, a tape
the integer sum of its facts; ``README.md`` in this folder has the mathematics.

from prism.holo import HoloTape
tape = HoloTape.plan(facts=10_000, candidates=50_000)
tape.bind("capital of Freedonia", "Fredville", source="atlas")
tape.recall("capital of Freedonia").value
"""

from prism.holo.algebra import Accumulator, HadamardCodebook, bank_of, hash_keys, sign_codes
from prism.holo.algebra.accumulator import sign_ste
from prism.holo.audit import Audit, Capacity
from prism.holo.capacity import TapePlan
from prism.holo.keys.normal import KeyHash, normal_key
from prism.holo.ledger import Ledger
from prism.holo.merge import Conflict, MergeReport
from prism.holo.parts import Growth, HoloConfig
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
    "Growth",
    "HadamardCodebook",
    "HoloConfig",
    "HoloTape",
    "KeyHash",
    "Ledger",
    "MergeReport",
    "Recall",
    "TapePlan",
    "bank_of",
    "hash_keys",
    "normal_key",
    "sign_codes",
    "sign_ste",
]
