"""Sampling, one token at a time from the carried state: O(1) per token for recurrent models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from prism.model.protocol import LanguageModel


@torch.no_grad()
def generate(
    self: LanguageModel,
    prompt: Tensor,
    max_new_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int | None = None,
) -> Tensor:
    """Continue ``prompt``; the prefix is read once and never again.

    Args:
        prompt: ``[T]`` or ``[B, T]`` token ids, T >= 1.
        max_new_tokens: how many tokens to add, >= 0.
        temperature: 0 = always the likeliest token; larger = flatter.
        top_k: sample among the k likeliest only; None = among all.
        seed: makes the draw repeatable; None = draws from torch's global generator.

    Returns:
        Prompt and continuation, ``[T + max_new_tokens]`` or ``[B, T + max_new_tokens]``.

    Raises:
        ValueError: an empty prompt, or a value outside the ranges above.
    """
    if prompt.dim() not in (1, 2) or prompt.shape[-1] < 1:
        raise ValueError(f"prompt of shape {tuple(prompt.shape)}: must be [T] or [B, T], T >= 1")
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens = {max_new_tokens}: must be >= 0")
    if not temperature >= 0:
        raise ValueError(f"temperature = {temperature}: must be >= 0")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k = {top_k}: must be None or >= 1")
    rows = prompt if prompt.dim() == 2 else prompt[None]
    generator = None
    if seed is not None:
        generator = torch.Generator(device=rows.device).manual_seed(seed)
    pieces, step, state = [rows], rows, None
    with _evaluation(self):
        for _ in range(max_new_tokens):
            output = self(step, state=state)
            state = output.state
            step = _sample(output.logits[:, -1].float(), temperature, top_k, generator)
            pieces.append(step)
    text = torch.cat(pieces, dim=1)
    return text if prompt.dim() == 2 else text[0]


@contextmanager
def _evaluation(model: LanguageModel) -> Iterator[None]:
    """Evaluation mode inside, the mode of before afterwards, also when a step raises."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _sample(
    logits: Tensor, temperature: float, top_k: int | None, generator: torch.Generator | None
) -> Tensor:
    """One token per row: ``[B, V]`` logits to ``[B, 1]`` ids."""
    if temperature == 0:
        return logits.argmax(dim=-1, keepdim=True)
    if top_k is not None and top_k < logits.shape[-1]:
        worst = logits.topk(top_k, dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < worst, -torch.inf)
    return torch.multinomial((logits / temperature).softmax(dim=-1), 1, generator=generator)
