"""Text keys: the resolver that finds the stored key a misspelt one may have meant, and what counts
as a typing error."""

from prism.holo.keys.resolver import Resolver
from prism.holo.keys.typos import deletions, is_slip, one_typo

__all__ = ["Resolver", "deletions", "is_slip", "one_typo"]
