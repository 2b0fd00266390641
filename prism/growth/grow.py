"""``grow``: a larger model that computes what the smaller one did, and trains on from there.

Growing is the *scale* axis: it makes training cheaper and adds no fact; a tape of facts is outside
the weights and stays bound. Width and depth in one go: every old block goes to its place
(``placement``), every tensor grows by its rule (``rules``), the optimiser's moments with it
(``moments``). Net2Net (arXiv 1511.05641) and LEMON (2310.07999) with zeros in place of copies.
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim import Optimizer

from prism.config import PrismConfig
from prism.growth.bounds import check_bounds
from prism.growth.moments import grown_optimizer, overshoot
from prism.growth.placement import placement
from prism.growth.report import GrowthReport, tensors_report
from prism.growth.rules import block_rules, outer_rules
from prism.growth.state import carried_state
from prism.growth.transplant import Transplant
from prism.model.prism import Prism
from prism.model.state import PrismState

BLOCK = "blocks."


@dataclass(frozen=True)
class GrowResult:
    """What :func:`grow` gives; the model and the optimiser it was given are left as they were.

    Attributes:
        model: of the new config, with dtype, device, mode, exploration and frozen parameters of
            the old one.
        optimizer: of the grown parameters; None if none was given.
        report: what became of every tensor.
        transplants: by name of parameter or buffer, to grow what else is kept per parameter.
        before: the config that the model had.
    """

    model: Prism
    optimizer: Optimizer | None
    report: GrowthReport
    transplants: dict[str, Transplant]
    before: PrismConfig

    def state(self, carried: PrismState) -> PrismState:
        """What the old model carried of B sequences, for the grown one to go on with: with
        ``exact`` its logits go on as the old model's would."""
        return carried_state(carried, self.before, self.model, self.report.blocks)


def grow(
    model: Prism,
    new_config: PrismConfig,
    optimizer: Optimizer | None = None,
    method: str = "exact",
) -> GrowResult:
    """Make ``model`` as large as ``new_config``.

    Args:
        model: a trained model; what it carries of a sequence goes on with ``GrowResult.state``.
        new_config: larger in any of d_model, num_layers, neural_hidden, tape.content_heads,
            tape.position_heads, tape.d_mem, symbolic.units, half_lives (old ones first).
            New weights are drawn from its seed and the two configs.
        optimizer: over the parameters of ``model``; its moments move with the weights.
        method: ``"exact"``: new blocks add nothing at first; the function stays. ``"stack"``: new
            blocks are copies of the old ones in order; the function does not stay.

    Raises:
        ValueError: what cannot grow so; names the field, its value and what is allowed.
    """
    if not isinstance(model, Prism):
        raise ValueError(f"model = {type(model).__name__}: must be a Prism")
    old_config = model.config
    sources = block_sources(old_config, new_config, method)
    with torch.random.fork_rng(devices=[]):
        seed = _seed(old_config, new_config)
        grown = _drawn(new_config, seed).to(model.embedding.weight.dtype)
        torch.manual_seed(seed + 1)
        transplants = _transplants(grown, sources, model)
        _fill(grown, model, transplants)
    _dress(grown, model, transplants)
    moved = None if optimizer is None else grown_optimizer(optimizer, model, grown, transplants)
    report = GrowthReport(
        method=method,
        exact=method == "exact" or len(sources) == old_config.num_layers,
        parameters=(model.num_parameters(), grown.num_parameters()),
        blocks=tuple(sources),
        tensors=tensors_report(transplants, model, grown, optimizer),
        overshoot=None if moved is None else overshoot(moved),
    )
    return GrowResult(grown, moved, report, transplants, old_config)


def block_sources(old: PrismConfig, new: PrismConfig, method: str = "exact") -> list[int | None]:
    """Old block of each block of ``new``, None for a new one, before there is any model.

    Raises:
        ValueError: a model of ``old`` cannot become one of ``new``; names the field, its value
            and what is allowed.
    """
    check_bounds(old, new)
    return placement(old, new, method)


def _seed(old: PrismConfig, new: PrismConfig) -> int:
    """Of the new weights: other draws than the old model's, whose seed may be the same.

    Spelled with the first names of the fields, so that growing draws what it always drew.
    """
    return zlib.crc32(json.dumps([_first_names(old), _first_names(new)]).encode())


def _first_names(config: PrismConfig) -> dict[str, Any]:
    """``config.to_dict()`` as it was before ``z_loss`` became two fields."""
    values = {}
    for name, value in config.to_dict().items():
        if name == "router_z_loss":
            values["z_loss"] = config.penalty_weight
        elif name == "symbolic":
            values[name] = {k.replace("unit_input_rate", "lane_rate"): v for k, v in value.items()}
        elif name != "expert_output_penalty":
            values[name] = value
    return values


def _drawn(config: PrismConfig, seed: int) -> Prism:
    model = Prism(dataclasses.replace(config, seed=seed))
    model.config = config
    return model


def _transplants(grown: Prism, sources: list[int | None], model: Prism) -> dict[str, Transplant]:
    """One per parameter (tied ones once) and persistent buffer."""
    had, old = model.state_dict().keys(), model.config
    outer = outer_rules(old, grown.config)
    kept = {source for source in sources if source is not None}
    inner = {source: block_rules(old, grown.config, source) for source in kept}
    once = {name for name, _ in (*grown.named_parameters(), *grown.named_buffers())}
    found = {}
    for name in (name for name in grown.state_dict() if name in once):
        if not name.startswith(BLOCK):
            found[name] = Transplant(name, name, outer[name])
            continue
        layer, leaf = name.removeprefix(BLOCK).split(".", 1)
        source = f"{BLOCK}{sources[int(layer)]}.{leaf}"
        if source in had:
            found[name] = Transplant(name, source, inner[sources[int(layer)]][leaf])
        else:  # a new block, or the first head of its sort in an old one
            found[name] = Transplant(name, None, None)
    return found


@torch.no_grad()
def _fill(grown: Prism, model: Prism, transplants: dict[str, Transplant]) -> None:
    """Weights into ``grown``, which holds those of a new model."""
    old, new = model.state_dict(), grown.state_dict()
    for name, transplant in transplants.items():
        if transplant.source is not None:
            new[name].copy_(transplant.weight(old[transplant.source], new[name]))
        elif name.endswith(".write.weight"):
            new[name].zero_()  # a new block adds nothing to the stream


def _dress(grown: Prism, model: Prism, transplants: dict[str, Transplant]) -> None:
    """Device, mode, exploration and what is frozen, as in ``model``."""
    grown.to(model.embedding.weight.device).train(model.training)
    for block in model.blocks:
        if block.router is not None:
            grown.set_exploration(block.router.epsilon)
    trained = {name: p.requires_grad for name, p in model.named_parameters()}
    for name, parameter in grown.named_parameters():
        source = transplants[name].source
        parameter.requires_grad_(source is None or trained[source])
