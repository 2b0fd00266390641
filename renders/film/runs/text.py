"""A small model of English bytes, and what it does while it reads a sentence of held-out text.

Chapters 1 to 3 and 7 show this model. The sentence is from the test part of the manual inside
CPython (``tasks.mini_lm``), which it was not trained on.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from prism import Prism, PrismConfig, PrismState, map_state
from prism.compare.training import TrainingPlan
from renders.film.runs import Data
from renders.film.runs.grown import grown
from renders.film.runs.training import trained
from tasks import MiniLM

LEARNING_RATE = 3e-3
CONTEXTS = (32, 4096)  # tokens after which the state's size is told
SHORT = 1e-200  # a retention below it is as good as none


def make(
    folder: Path,
    seed: int,
    steps: int,
    batch: int,
    length: int,
    width: int,
    layers: int,
    shown: int,
    contexts: tuple[int, int] = CONTEXTS,
) -> Data:
    """Train, read ``shown`` bytes, grow.

    Args:
        folder: keeps the weights.
        length: bytes of a training row.
        width, layers: of the model.
    """
    task = MiniLM()
    task.train_length, task.test_lengths = length, (length,)
    config = PrismConfig(vocab_size=256, d_model=width, num_layers=layers, seed=seed)
    model = Prism(config)
    plan = TrainingPlan(steps=steps, batch_size=batch, lr=LEARNING_RATE, seed=seed, evaluation=64)
    result = trained("text: the model", model, task, plan)
    model.eval().requires_grad_(False).save(folder)
    exact = model.double()
    tokens = sentence(task, seed, shown)
    return {
        "text": bytes(tokens.tolist()).decode("ascii"),
        "parameters": result.parameters,
        "steps": steps,
        "trained_on": steps * batch * length,
        "bits_per_byte": result.test["bits_per_byte"],
        "state_bytes": {str(n): Prism(config).state_bytes(n) for n in contexts},
        "guesses": guesses(exact, tokens),
        "bus": bus(exact, tokens),
        "router": router(exact, task, tokens, seed),
        "growth": grown(exact, tokens),
    }


def sentence(task: MiniLM, seed: int, shown: int) -> Tensor:
    """The first plain words in the test part of the text, of ``shown`` bytes at most: they begin
    with a sentence, and a line break in them is a space."""
    for index in range(4096):
        window = task.batch("test", seed, index, 1, shown + 160).tokens[0]
        text = " ".join(bytes(window.tolist()).decode("ascii", "replace").split())
        start = text.find(". ") + 2
        words = text[start : start + shown]
        plain = all(c.isalpha() or c in " ,.'-" for c in words)
        if start > 1 and len(words) == shown and words[0].isupper() and plain:
            return torch.tensor(list(words[: words.rindex(" ")].encode()))
    raise ValueError(f"shown = {shown}: no such sentence in the text: must be fewer")


def guesses(model: Prism, tokens: Tensor, best: int = 5) -> list[dict[str, Any]]:
    """Per byte but the last: the likeliest next bytes, and the probability of the one that came."""
    chances = model(tokens[None]).logits[0].softmax(-1)
    found = []
    for now, following in zip(chances[:-1], tokens[1:], strict=True):
        top = now.topk(best)
        pairs = zip(top.indices.tolist(), top.values.tolist(), strict=True)
        came = float(now[following])
        found.append({"top": [[i, p] for i, p in pairs], "came": came, "bits": -math.log2(came)})
    return found


def bus(model: Prism, tokens: Tensor) -> Data:
    """What the rates of the first block hold after each byte, and how fast they forget.

    The input of the first block's bus does not depend on what the bus holds, so a mark that is put
    into its state fades by the retentions alone: ``a_k(t)`` is what is left of the mark after one
    token. ``passed`` is the time that this makes, in tokens of the config's half-life.
    """
    lives = model.config.bus_half_lives
    state: PrismState | None = None
    charge, passed = [], []
    for token in tokens:
        step = token.view(1, 1)
        if state is not None:
            marked = map_state(state, Tensor.clone)
            marked.blocks[0].bus.add_(1.0)
            left = model(step, state=marked).state.blocks[0].bus
        state = model(step, state=state).state
        held = state.blocks[0].bus[0]
        charge.append(held.square().mean(-1).sqrt().tolist())
        if len(charge) == 1:
            passed.append([1.0] * len(lives))  # nothing was held before the first token
            continue
        kept = (left[0] - held).mean(-1).clamp_min(SHORT)
        passed.append([-h * math.log2(a) for h, a in zip(lives, kept.tolist(), strict=True)])
    return {"half_lives": list(lives), "charge": charge, "passed": passed}


def router(model: Prism, task: MiniLM, tokens: Tensor, seed: int) -> Data:
    """Weights of the kinds for each byte in every block, and their means by sort of byte."""
    layers = model(tokens[None], routing=True).routing
    many = task.batch("test", seed, 0, 16, 256).tokens
    means = []
    for layer in model(many, routing=True).routing:
        rows = {}
        for name, inside in SORTS.items():
            where = torch.tensor([[inside(chr(b)) for b in row] for row in many.tolist()])
            rows[name] = {
                "count": int(where.sum()),
                "share": layer.probability[where].mean(0).tolist(),
            }
        means.append(rows)
    return {
        "kinds": list(layers[0].kinds),
        "layers": [layer.probability[0].tolist() for layer in layers],
        "sorts": means,
    }


SORTS = {
    "letters": str.isalpha,
    "spaces": str.isspace,
    "digits": str.isdigit,
    "other signs": lambda c: not (c.isalpha() or c.isspace() or c.isdigit()),
}
