"""Evaluation protocols: what was asked of the library, how it was measured. Nothing in the library
imports them."""
