"""Amplitude layers: facts written at powers of 3, so that the loud ones decode first.

The layer is a function of the key's hash, so a tape does not depend on the order of writing and
nothing about it need be stored. (Power allocation of sparse superposition codes: Barbier &
Krzakala, arXiv 1503.08040.)
"""

from __future__ import annotations

import numpy as np

from prism.holo.algebra.codes import mix

RATIO = 3
LAYER_TAG = np.uint64(0x1F83D9ABFB41BD6B)


def amplitude_of(hashes: np.ndarray, layers: int) -> np.ndarray:
    """Amplitude int64 [N] of each hash, one of RATIO**0 .. RATIO**(layers - 1)."""
    if layers == 1:
        return np.ones(len(hashes), np.int64)
    layer = (mix(hashes ^ LAYER_TAG) >> np.uint64(32)) * np.uint64(layers) >> np.uint64(32)
    return RATIO ** layer.astype(np.int64)
