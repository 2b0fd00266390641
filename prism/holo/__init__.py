"""Facts outside the weights: bind, recall with calibrated confidence, forget, merge. No training.

from prism.holo import HoloTape
tape = HoloTape.plan(facts=10_000, candidates=50_000)
tape.bind("capital of Freedonia", "Fredville", source="atlas")
tape.recall("capital of Freedonia").value
"""

from prism.holo.addresses import AddressRegister
from prism.holo.codes import bank_of, hash_keys, sign_codes
from prism.holo.lm import attach
from prism.holo.merge import Conflict, MergeReport
from prism.holo.planning import Plan
from prism.holo.recall import Recall
from prism.holo.register import Register, sign_ste
from prism.holo.tape import HoloTape
from prism.holo.upkeep import Audit, Capacity

__all__ = [
    "AddressRegister",
    "Audit",
    "Capacity",
    "Conflict",
    "HoloTape",
    "MergeReport",
    "Plan",
    "Recall",
    "Register",
    "attach",
    "bank_of",
    "hash_keys",
    "sign_codes",
    "sign_ste",
]
