"""Layer mapping: the old block that each block of a grown model comes from.

``exact``: the old blocks keep their order, each goes to the lowest new block with the same kinds
that is free, and what is left over is new: with equal blocks that is on top. A new block adds
nothing to the stream, but one with a content head writes the shared tape: it erases what it sees
(``u = beta (v - seen^T k)``, also with v = 0), so it must stand above every old one that reads.

``stack``: the blocks repeat in order, 0 .. L-1, 0 .. L-1, ... (arXiv 2405.15319). Not exact.
"""

from __future__ import annotations

from prism.config import PrismConfig
from prism.growth.bounds import check_bounds, refuse

METHODS = ("exact", "stack")


def layer_mapping(old: PrismConfig, new: PrismConfig, method: str = "exact") -> list[int | None]:
    """Old block of each block of ``new``, or None for one that is new.

    Raises:
        ValueError: an unknown method, or a model of ``old`` cannot become one of ``new``; names
            the field, its value and what is allowed.
    """
    check_bounds(old, new)
    if method not in METHODS:
        raise ValueError(f"method = {method!r}: must be one of {METHODS}")
    return _stacked(old, new) if method == "stack" else _threaded(old, new)


def _threaded(old: PrismConfig, new: PrismConfig) -> list[int | None]:
    sources: list[int | None] = []
    following = 0
    for layer in range(new.num_layers):
        fits = following < old.num_layers and old.kinds_at(following) == new.kinds_at(layer)
        sources.append(following if fits else None)
        following += fits
    if following < old.num_layers:
        have = f"the model's blocks hold memory in {_memory(old)} of {old.num_layers}"
        refuse("memory_layers", _memory(new), f"such that they fit in, in order: {have}")
    old_tops = [i for i, s in enumerate(sources) if s is not None and i in _memory(new)]
    if old.tape.scope == "shared" and old.tape.content_heads and old_tops:
        for layer in _memory(new):
            if sources[layer] is None and layer < old_tops[-1]:
                above = f"above block {old_tops[-1]}, the last that is there"
                refuse(
                    "memory_layers",
                    _memory(new),
                    f"such that new ones come {above}: block {layer} would erase below it",
                )
    return sources


def _stacked(old: PrismConfig, new: PrismConfig) -> list[int | None]:
    sources = [layer % old.num_layers for layer in range(new.num_layers)]
    wanted = tuple(i for i, source in enumerate(sources) if source in _memory(old))
    if "memory" in old.expert_kinds and _memory(new) != wanted:
        refuse("memory_layers", _memory(new), f"{wanted}, the model's own repeated")
    return list(sources)


def _memory(config: PrismConfig) -> tuple[int, ...]:
    return tuple(i for i in range(config.num_layers) if "memory" in config.kinds_at(i))
