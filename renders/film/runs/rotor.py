"""Running sums modulo five: PRISM and a Transformer of its size, trained on short rows, read long.

Both have the same data in the same order and the same number of steps, and each the learning rate
that the comparison of the project found for it on this task (prism/compare/recipes.json).
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor

from prism import LanguageModel, Prism, PrismConfig
from prism.baselines import build
from prism.compare.training import TrainingPlan
from renders.film.runs import Data
from renders.film.runs.training import trained
from tasks import get_task

TASK, OTHER = "modular", "transformer"
TURN = 240  # steps of a rotor's full turn


def make(
    folder: Path, seed: int, steps: int, batch: int, width: int, layers: int, rows: int, times: int
) -> Data:
    """Train both; accuracy at each position over ``rows`` test rows ``times`` as long as in
    training, and what both say about the first of them."""
    task = get_task(TASK)
    config = PrismConfig(vocab_size=task.vocab_size, d_model=width, num_layers=layers, seed=seed)
    recipes = json.loads(resources.files("prism.compare").joinpath("recipes.json").read_text())
    length = task.train_length * times
    tests = task.batch("test", seed, 0, rows, length)
    found: Data = {}
    for name in ("prism", OTHER):
        model = build(name, config)
        rate = recipes[TASK][name]["lr"]
        plan = TrainingPlan(
            steps=steps, batch_size=batch, lr=rate, seed=seed, evaluation=32, test=False
        )
        result = trained(f"rotor: {name}", model, task, plan)
        model.eval().requires_grad_(False).save(folder / name)
        said = answers(model, tests.tokens)
        right = (said == tests.targets).double()
        found[name] = {
            "parameters": result.parameters,
            "rate": rate,
            "accuracy": right.mean(0).tolist(),
            "within": float(right[:, : task.train_length].mean()),
            "beyond": float(right[:, task.train_length :].mean()),
            "said": said[0].tolist(),
        }
        if isinstance(model, Prism):
            found["rotor"] = rotor(model, tests.tokens[:1], tests.targets[0], task.modulus)
    return found | {
        "modulus": task.modulus,
        "train_length": task.train_length,
        "length": length,
        "steps": steps,
        "rows": rows,
        "digits": tests.tokens[0].tolist(),
        "sums": tests.targets[0].tolist(),
        "chance": task.chance,
    }


def answers(model: LanguageModel, tokens: Tensor, at_once: int = 16) -> Tensor:
    """The likeliest answer at each position, ``[B, T]``."""
    return torch.cat([model(part).logits.argmax(-1) for part in tokens.split(at_once)])


def rotor(model: Prism, tokens: Tensor, sums: Tensor, modulus: int) -> Data:
    """The rotor that goes with the sums best: its count after each token, in 240ths of a turn,
    and the share of tokens at which it stands where it most often stands at that sum."""
    state, counts = None, []
    for t in range(tokens.shape[1]):
        state = model(tokens[:, t : t + 1], state=state).state
        counts.append(state.symbolic.primitives["rotor"][0])
    table = torch.stack(counts).round().long() % TURN  # [T, U]
    agreement, places = [], []
    for unit in table.T:
        usual = torch.stack([unit[sums == s].mode().values for s in range(modulus)])
        distinct = len(set(usual.tolist())) == modulus
        agreement.append(float((unit == usual[sums]).double().mean()) if distinct else 0.0)
        places.append(usual.tolist())
    best = max(range(len(agreement)), key=agreement.__getitem__)
    return {
        "unit": best,
        "units": table.shape[1],
        "agreement": agreement[best],
        "places": places[best],
        "counts": table[:, best].tolist(),
    }
