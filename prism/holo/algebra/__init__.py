"""Bipolar MAP algebra: hashed codes, codebooks, the fast Hadamard transform, the accumulator."""
