"""The tape in a language model: facts that a frozen model says because they were bound.

A register holds answers under exact hashed addresses (subject, relation, place in the answer). The
model only resolves which subject, which relation, and when. :func:`attach` is the way in.
"""

from prism.inject.addresses import AddressRegister
from prism.inject.attached import AttachedLM, attach

__all__ = ["AddressRegister", "AttachedLM", "attach"]
