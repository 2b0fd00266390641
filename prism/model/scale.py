"""Size of embeddings and logits at the start.

An embedding is N(0, sigma) and normalised into the stream; the logits are ``tau h E^T`` of a
normalised h. At the start the stream is mostly the token's own embedding, whose logit is
tau sigma D. Logits of unit variance, ``tau = D^(-1/2) / sigma``, would make that sqrt(D), 14 at
D = 192: a model that begins by repeating its input. It is therefore at most ``SELF_LOGIT``.
"""

from __future__ import annotations

EMBEDDING_STD = 0.125  # sigma
SELF_LOGIT = 8.0


def logit_scale(dim: int) -> float:
    """Factor tau on the logits of a model of width ``dim``."""
    return min(dim**-0.5, SELF_LOGIT / dim) / EMBEDDING_STD
