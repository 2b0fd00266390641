"""Speed and size: a tape of many facts, matched operations, and torchhd beside it."""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from benchmarks.holo.accuracy import proportion
from prism.holo import HoloTape

BATCH = 100_000  # facts bound in one call
FEW = 5_000  # facts of which is counted how many the ledger has to answer


def many_facts(facts: int, size: int, reads: int, kind: str, dim: int) -> dict[str, Any]:
    """Bind ``facts`` in batches and read a sample: rates, bytes, top-1.

    Args:
        kind: of keys and values: ``"integers"``, ``"strings"`` (values from a fixed list) or
            ``"strings, open"`` (values learnt as they come, whose codes need a matrix).
    """
    rng = np.random.default_rng(0)
    # A little above 99%, because a sample of a tape that is planned for 99% misses it half the time
    objects = [f"object {i}" for i in range(size)]
    fixed: Any = {"integers": size, "strings": objects, "strings, open": None}[kind]
    tape = HoloTape.plan(facts, size, 0.991, alpha=1.0, dim=dim, values=fixed)
    ids, strings = rng.integers(0, size, facts), kind != "integers"
    keys: Any = [f"subject {i} relation" for i in range(facts)] if strings else np.arange(facts)
    values: Any = [objects[i] for i in ids] if strings else ids
    started = time.perf_counter()
    for low in range(0, facts, BATCH):
        tape.bind_many(keys[low : low + BATCH], values[low : low + BATCH])
    bound = time.perf_counter() - started
    sample = rng.choice(facts, min(reads, facts), replace=False)
    asked: Any = [keys[i] for i in sample] if strings else keys[sample]
    expected = [values[i] for i in sample]
    by_ledger = np.mean([a.method == "ledger" for a in tape.recall_many(asked[:FEW])])
    tape.recall_many(asked[:100], fallback=False)  # the codebook is made at the first question
    started = time.perf_counter()
    answers = tape.recall_many(asked, alpha=1, fallback=False)
    read = time.perf_counter() - started
    right = sum(a.value == v for a, v in zip(answers, expected, strict=True))
    capacity = tape.capacity()
    return {
        "keys": kind,
        "facts": facts,
        "candidates": size,
        "banks": tape.config.banks,
        "dim": tape.config.dim,
        "dtype": tape.config.dtype,
        "register_bytes": capacity.accumulator_bytes,
        "ledger_bytes": capacity.ledger_bytes,
        "codebook_bytes": capacity.codebook_bytes,
        "array_dict_bytes": facts * (8 + 2),  # a hash and an index each: exact keys need no more
        "peak": capacity.peak,
        "room": capacity.room,
        "bind_per_second": facts / bound,
        "recall_per_second": len(sample) / read,
        "predicted": capacity.predicted,
        "by_ledger": float(by_ledger),
        "top1": proportion(right, len(sample)),
    }


def matched_operations(operations: int, seed: int) -> dict[str, Any]:
    """Bind and forget every fact once, in random order and batches; the register must end at 0."""
    facts = operations // 2
    rng = np.random.default_rng(seed)
    tape = HoloTape.plan(max(facts // 2, 1), 1000, alpha=1.0, values=1000)
    waiting, bound = rng.permutation(facts), np.zeros(0, np.int64)
    peak, started = 0, time.perf_counter()
    while len(waiting) or len(bound):
        n = int(rng.integers(1, 4096))
        if len(waiting) and (len(bound) < n or rng.random() < 0.5):
            now, waiting = waiting[:n], waiting[n:]
            tape.bind_many(now, rng.integers(0, 1000, len(now)))
            bound = np.concatenate((bound, now))
        else:
            bound = rng.permutation(bound)
            tape.forget_many(bound[:n])
            bound = bound[n:]
        peak = max(peak, tape.count)
    return {
        "operations": 2 * facts,
        "seed": seed,
        "most_facts_at_once": peak,
        "left_in_register": int(tape.accumulator.numbers.abs().long().sum()),
        "seconds": time.perf_counter() - started,
    }


def against_torchhd(size: int, dim: int, reads: int, rounds: int) -> dict[str, Any] | None:
    """Batched recall of torchhd's hash table and of ours, in turns: same facts per number, same
    candidates, one thread. None if torchhd is not installed."""
    if find_spec("torchhd") is None:
        return None
    import torchhd

    facts = HoloTape(dim, values=size).capacity().limit
    keys, codes = torchhd.random(facts, dim), torchhd.random(size, dim)
    held = torch.arange(facts) % size
    table = torchhd.hash_table(keys, codes[held])
    tape = HoloTape(dim, values=size, overfill=True)
    tape.bind_many(np.arange(facts), held.numpy())
    asked = np.arange(reads) % facts
    ours, theirs, right = [], [], 0
    for _ in range(rounds):
        started = time.perf_counter()
        best = torchhd.dot_similarity(torchhd.bind(keys[asked], table), codes).argmax(-1)
        theirs.append(reads / (time.perf_counter() - started))
        right += int((best == held[asked]).sum())
        started = time.perf_counter()
        tape.recall_many(asked, fallback=False)
        ours.append(reads / (time.perf_counter() - started))
    return {
        "version": torchhd.__version__,
        "facts": facts,
        "candidates": size,
        "dim": dim,
        "torchhd_per_second": float(np.median(theirs)),
        "ours_per_second": float(np.median(ours)),
        "torchhd_top1": proportion(right, reads * rounds),
    }
