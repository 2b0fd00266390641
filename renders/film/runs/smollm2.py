"""A public language model before and after a fact is bound to the tape beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from prism import HoloTape, attach
from prism.inject.attached import AttachedLM
from prism.pretrained.smollm2 import INSTALL, available, load_smollm2
from prism.record import weights_hash
from renders.film.runs import Data

KEY, VALUE = "capital of Freedonia", "Fredville"
PROMPT = "The capital of Freedonia is"
ELSEWHERE = "The capital of France is"
NAME = "SmolLM2-135M-Instruct"


def check() -> None:
    """Raises ImportError if the model is not installed; says how to install it."""
    if not available():
        raise ImportError(f"the film shows a pretrained model: {INSTALL}")


def make(folder: Path, seed: int, words: int) -> Data:
    """Continue two prompts with an empty tape, with the fact on it, and after it is forgotten.

    Args:
        folder: is not used; nothing is kept beside the data.
        words: tokens of a continuation; the likeliest each time, so ``seed`` changes nothing.
    """
    check()
    model, tokenizer = load_smollm2()
    before = weights_hash(model.state_dict())
    tape = HoloTape.plan(facts=100)
    lm = attach(model, tokenizer, tape)
    found = {"without": _both(lm, words, seed)}
    tape.bind(KEY, VALUE, source="the film")
    found["bound"] = _both(lm, words, seed)
    tape.forget(KEY)
    found["forgotten"] = _both(lm, words, seed)
    return found | {
        "name": NAME,
        "parameters": sum(p.numel() for p in model.parameters()),
        "prompts": {"asked": PROMPT, "elsewhere": ELSEWHERE},
        "key": KEY,
        "value": VALUE,
        "same_weights": weights_hash(model.state_dict()) == before,
    }


@torch.no_grad()
def _both(lm: AttachedLM, words: int, seed: int) -> dict[str, list[dict[str, Any]]]:
    """The continuation of both prompts: each piece, and whether the tape put it there."""
    found = {}
    for name, prompt in (("asked", PROMPT), ("elsewhere", ELSEWHERE)):
        pieces = lm.stream(prompt, max_new_tokens=words, seed=seed)
        found[name] = [{"text": text, "tape": fact is not None} for text, fact in pieces]
    return found
