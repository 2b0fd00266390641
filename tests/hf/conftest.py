"""Tests of prism.hf: some need nothing, the others the extras, which ``make test-hf`` installs.

``make test`` runs test_without_extras.py alone where they are missing; ``make test-hf`` sets
PRISM_TEST_HF, and then a missing package is an error.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest
import torch

from prism import PrismConfig
from prism.baselines import BASELINES, build
from prism.model.protocol import LanguageModel

MODELS = ("prism", *BASELINES)
NEEDED = {  # of a file: the packages it needs
    "test_causal.py": ("transformers",),
    "test_generate.py": ("transformers",),
    "test_training.py": ("transformers", "accelerate", "peft"),
    "test_harness.py": ("lm_eval",),
}
MISSING = sorted({x for needed in NEEDED.values() for x in needed if find_spec(x) is None})
if MISSING and os.environ.get("PRISM_TEST_HF"):
    raise pytest.UsageError(f"make test-hf: {', '.join(MISSING)} are not installed")
collect_ignore = [name for name, needed in NEEDED.items() if set(needed) & set(MISSING)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Warnings of other people's packages are theirs."""
    for item in items:
        if "tests/hf/" in item.nodeid and "without" not in item.nodeid:
            item.add_marker(pytest.mark.filterwarnings("default"))


def small(name: str = "prism", dtype: torch.dtype = torch.float64, **changes: object):
    """A model of bytes that nobody trained, with weights that say something."""
    config = PrismConfig(
        vocab_size=257, d_model=32, num_layers=2, num_rates=4, chunk_size=4, **changes
    )
    model: LanguageModel = build(name, config).to(dtype).eval()
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            size = 0.1 if p.dim() < 2 else 0.5 * p.shape[-1] ** -0.5
            p.add_(size * torch.randn(p.shape, generator=g, dtype=torch.float64).to(dtype))
    return model


def tokens_of(seed: int, batch: int, length: int) -> torch.Tensor:
    """Random bytes ``[B, T]``."""
    return torch.randint(256, (batch, length), generator=torch.Generator().manual_seed(seed))
