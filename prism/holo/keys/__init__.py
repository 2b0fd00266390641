"""Text keys: the resolver that maps a misspelt key to a stored one, its index of character
trigrams, and the distance of typing errors."""

from prism.holo.keys.resolver import Resolver
from prism.holo.keys.typos import deletions, edit_distance, one_letter_apart

__all__ = ["Resolver", "deletions", "edit_distance", "one_letter_apart"]
