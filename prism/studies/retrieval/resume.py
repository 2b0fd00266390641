"""A training run on disk: the saved model, the optimiser's moments, and how far it is.

    DIR/config.json, model.safetensors     prism.load reads these
    DIR/optimizer.safetensors              first and second moments, by parameter name
    DIR/progress.json                      plan and steps done, written last

Batches are a function of seed and step, so nothing else is needed to go on bit for bit.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from prism.model.prism import Prism, load_saved

MOMENTS = ("exp_avg", "exp_avg_sq")


def save_progress(
    folder: Path, model: Prism, optimizer: torch.optim.Optimizer, plan: dict[str, Any], step: int
) -> None:
    """Write the run; every file is replaced whole."""
    model.save(folder)
    names = {id(p): name for name, p in model.named_parameters()}
    moments = {
        f"{kind}/{names[id(p)]}": values[kind].contiguous()
        for p, values in optimizer.state.items()
        for kind in MOMENTS
    }
    save_file(moments, folder / "optimizer.safetensors.tmp")
    text = json.dumps({"step": step, "plan": plan}, indent=2) + "\n"
    (folder / "progress.json.tmp").write_text(text)
    for name in ("optimizer.safetensors", "progress.json"):
        (folder / f"{name}.tmp").replace(folder / name)


def load_progress(
    folder: Path, model: Prism, optimizer: torch.optim.Optimizer, plan: dict[str, Any]
) -> int:
    """Take over what ``folder`` holds; the steps that are done, 0 for a new folder.

    Raises:
        ValueError: the run there has another plan or another model.
    """
    path = folder / "progress.json"
    if not path.is_file():
        return 0
    found = json.loads(path.read_text())
    for name, value in plan.items():
        if found["plan"].get(name) != value:
            there = found["plan"].get(name)
            raise ValueError(f"{folder}: holds a run with {name} = {there!r}, not {value!r}")
    saved = load_saved(folder)
    if saved.config != model.config:
        raise ValueError(f"{folder}: holds a run of another model; give another folder")
    model.load_state_dict(saved.state_dict())
    moments = load_file(folder / "optimizer.safetensors")
    for name, p in model.named_parameters():
        if f"exp_avg/{name}" in moments:
            state = {kind: moments[f"{kind}/{name}"] for kind in MOMENTS}
            optimizer.state[p] = {"step": torch.tensor(float(found["step"])), **state}
    return int(found["step"])
