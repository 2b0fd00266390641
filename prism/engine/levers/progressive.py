"""Crossing a growth point: from the checkpoint of one stage to the one that the next resumes.

    checkpoint of the small model -> weights, moments, states of the lanes, all grown
                                  -> checkpoint of the large one, for every rank to resume from

A growth point is a resume by construction, so it does not matter whether a run goes through it, is
stopped there or is killed on either side: the checkpoint before it and the two configs decide all.
Counters, data, random generators and router biases go on. What is known about the norms of the
small model's gradients does not (``--skip-outliers`` collects anew). One process holds both models
with their moments on the CPU, unsharded; the ranks read their parts from the file.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from prism.engine.build import make_model
from prism.engine.levers.stages import Stage
from prism.engine.loop.lanes_state import LaneStates, template
from prism.engine.loop.optimizer import Optimizers, Roles
from prism.engine.settings import Settings
from prism.engine.store import checkpoint, folder
from prism.engine.store.export import load_checkpoint
from prism.growth import GrowResult, grow
from prism.growth.moments import grown_state
from prism.model.protocol import LanguageModel

MODEL, OPTIMIZER, LANE = "model.", "optimizer.", "lane"


def grown_checkpoint(start: Path, target: Path, s: Settings, stage: Stage) -> GrowResult:
    """Write the checkpoint ``start``, grown to ``stage``, to the folder ``target``.

    For one process. ``target`` is not marked as complete: it is there to be read once.
    """
    small = load_checkpoint(start).train()
    # a variant of PRISM changes the config that it is given
    result = grow(small, make_model(s.model, stage.config).config, method=stage.method)
    saved, values = checkpoint.read_tensors(start), checkpoint.read_run(start)
    tensors = _others(saved) | checkpoint.persistent(result.model) | _moments(result, s, saved)
    if values["carries"]:
        tensors |= _lanes(result, small, s, saved)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    checkpoint.write_tensors(target, tensors)
    values |= {"config": stage.config.to_dict(), "norms": []}
    folder.write_json(target / checkpoint.RUN, values)
    for file in start.glob("rank*.json"):
        shutil.copy(file, target)
    return result


def _others(saved: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What does not have the shapes of the model."""
    return {k: x for k, x in saved.items() if not k.startswith((MODEL, OPTIMIZER, LANE))}


def _moments(result: GrowResult, s: Settings, saved: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All moments of the grown model; 0, at step 0, for a tensor that is wholly new or that never
    had a gradient."""
    optimizers = Optimizers(result.model, Roles.of(result.model), s)
    optimizers.prepare()
    moments = optimizers.tensors()
    for key, value in moments.items():
        name, _, moment = key.rpartition(".")
        growth = result.tensors[name]
        old = saved.get(f"{OPTIMIZER}{growth.source}.{moment}")
        if old is None:
            value.zero_()
        else:
            old = old.view(()) if value.dim() == 0 else old
            value.copy_(grown_state(growth, {moment: old})[moment])
    return {f"{OPTIMIZER}{key}": value for key, value in moments.items()}


def _lanes(
    result: GrowResult, small: LanguageModel, s: Settings, saved: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The recurrent states of all lanes, as the grown model goes on with them."""
    lanes = range(s.global_batch_size)
    states = LaneStates(lanes, len(lanes), carry=True)
    states.load(saved, template(small, torch.device("cpu")))
    states.states = [result.state(states.states[0])]
    return states.tensors()
