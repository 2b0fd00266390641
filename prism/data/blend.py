"""Two mixes in one: a share of the tokens from the first, the rest from the second.

    w_s = share own_s / sum(own) + (1 - share) shared_s / sum(shared)

A source in both has the sum of its two weights. Whoever trains on the blend is at home in the
first, and a guest in a source that is in the second only, whatever the two call it. What is held
out is what the second mix holds out, so a model that goes on from one trained on the second never
meets the text that this one was validated on.
"""

from __future__ import annotations

from prism.data.mix import Mix, Weighted
from prism.data.order import Source


def blended(own: Mix, shared: Mix, share: float) -> Mix:
    """``share`` of the tokens from ``own``, the others from ``shared``.

    Raises:
        ValueError: two different sources have one name.
    """
    sources = {s.source.name: s.source for s in own.sources}
    weights = dict.fromkeys(sources, 0.0)
    for s in shared.sources:
        name = s.source.name
        if name in sources and sources[name].fingerprint() != s.source.fingerprint():
            raise ValueError(f"source {name!r} is another one in the shared mix; give it a name")
        sources.setdefault(name, s.source)
        weights.setdefault(name, 0.0)
    for mix, part in ((own, share), (shared, 1 - share)):
        total = sum(s.weight for s in mix.sources)
        for s in mix.sources:
            weights[s.source.name] += part * s.weight / total
    home = {_content(s.source) for s in own.sources}
    together = tuple(
        Weighted(sources[name], weight, out_of_domain=_content(sources[name]) not in home)
        for name, weight in weights.items()
    )
    return Mix(together, shared.held_out)


def _content(source: Source) -> tuple[type, str]:
    """Equal for sources of the same documents, also where they are named or reached otherwise."""
    return type(source), source.fingerprint()
