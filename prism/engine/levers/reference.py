"""The model that token selection compares with: read once, never trained.

Any model that ``prism.load`` reads will do if it knows the same tokens, an earlier growth stage of
the run too. Every rank holds all of it, in the dtype in which the run computes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from prism.data import Tokenizer
from prism.engine.store.export import tokenizer_of
from prism.loading import load
from prism.model.protocol import LanguageModel
from prism.record import weights_hash


def open_reference(
    path: str, tokenizer: Tokenizer, dtype: str, device: torch.device
) -> LanguageModel:
    """The model at ``path``, frozen and in evaluation mode.

    Args:
        tokenizer: of the run.
        dtype: fp32, bf16 or fp64, of the matrix products.

    Raises:
        ValueError: there is none, or it reads other tokens.
    """
    try:
        model = load(path, device)
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"--reference {path}: {error}") from error
    if model.config.vocab_size != tokenizer.vocab_size:
        raise ValueError(
            f"--reference {path}: vocab_size = {model.config.vocab_size}: must be that of the "
            f"run's tokenizer, {tokenizer.vocab_size}"
        )
    theirs = tokenizer_of(Path(path))
    if theirs not in (None, tokenizer.fingerprint()):
        raise ValueError(
            f"--reference {path}: its tokenizer is {theirs}: must be {tokenizer.fingerprint()}"
        )
    if dtype == "fp64":
        model.double()
    if dtype == "bf16":
        for parameter in model.parameters():  # buffers hold rates, which stay exact
            parameter.data = parameter.data.bfloat16()
    return model.requires_grad_(False).eval()


def weights_digest(model: LanguageModel) -> str:
    """Equal for equal weights, so that a resumed run can tell that it compares with the same."""
    return weights_hash(model.state_dict(), hashlib.blake2b(digest_size=16))
