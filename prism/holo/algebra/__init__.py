"""Bipolar multiply-add-permute algebra: hashed codes, codebooks for the cleanup, the fast Hadamard
transform, and the accumulator that superposes bound pairs. Usable without a tape."""

from prism.holo.algebra.accumulator import Accumulator
from prism.holo.algebra.codebook import Codebook, GivenCodebook, HadamardCodebook, HashedCodebook
from prism.holo.algebra.codes import (
    Key,
    bank_of,
    code_words,
    hash_keys,
    position_hashes,
    sign_codes,
    signs,
)

__all__ = [
    "Accumulator",
    "Codebook",
    "GivenCodebook",
    "HadamardCodebook",
    "HashedCodebook",
    "Key",
    "bank_of",
    "code_words",
    "hash_keys",
    "position_hashes",
    "sign_codes",
    "signs",
]
