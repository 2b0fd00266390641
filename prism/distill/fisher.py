"""Fisher-transform codec: states rotated into what the head can tell apart, rounded, entropy-coded.

To second order a change d of a state changes its distribution by

    KL = d^T F d / 2,    F = W^T diag(p) W - m m^T,   m = W^T p      (the Fisher information)

so with the mean F over a sample, y = (h - mean) F^(1/2) makes the error of every direction count
alike: one step for all of them is best, about KL = D step^2 / 24. A further rotation Q (the
Karhunen-Loeve transform of y) makes the channels uncorrelated, and most of them small. They are
rounded to whole steps and written by asymmetric numeral systems (Duda 2013, arXiv 1311.2540) with
one table of frequencies per channel. Tables, rotation and step are fitted on the first states of
the data; the step is the largest whose KL on states that were not fitted stays below a bound.

    bytes of a document: number of words (uint32) | words of the coder | values out of the tables

The coder is that of the package constriction.
"""

from __future__ import annotations

import importlib
import json
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prism.distill.codec import States, log_probabilities, measure

INSTALL = "codec fisher needs the package constriction: pip install 'prism-lm[distill]'"
JUDGED = 768  # states at most that KL is measured on
FITTED = 0.75  # share of the sample that transform and tables are fitted on; the rest is for KL
ROUNDS = 3  # corrections of the step
AIM = 0.98  # of the bound
RANGE = 1.5  # values beyond so many times the largest of the sample are written apart
PRIOR = 0.02  # weight of the smooth prior of a table, as a share of the counts
CHUNK = 512  # states whose logits are held at once


def constriction() -> Any:
    """The package.

    Raises:
        ValueError: it is not installed; says how to.
    """
    try:
        return importlib.import_module("constriction")
    except ImportError as error:
        raise ValueError(INSTALL) from error


@dataclass(frozen=True, eq=False)
class FisherCodec:
    """The codec with its tables.

    Attributes:
        mean: ``[D]``.
        forward: ``[D, D]``, ``y = (h - mean) forward`` in steps.
        inverse: ``[D, D]``, back.
        largest: ``[D]`` int32, of the table of each channel, which holds ``-largest .. largest``
            and, last, all other values.
        counts: ``[sum(2 largest + 2)]`` uint32, frequencies, one table after the other.
    """

    mean: NDArray[np.float32]
    forward: NDArray[np.float32]
    inverse: NDArray[np.float32]
    largest: NDArray[np.int32]
    counts: NDArray[np.uint32]
    name: str = "fisher"

    def encode(self, states: States) -> bytes:
        if not np.isfinite(states).all():
            raise ValueError("codec fisher: a state is not finite; must be")
        q = self.quantised(states)
        apart = np.abs(q) > self.largest
        symbols = np.where(apart, 2 * self.largest + 1, q + self.largest).astype(np.int32)
        coder = constriction().stream.stack.AnsCoder()
        for channel, model in enumerate(self._models):
            coder.encode_reverse(np.ascontiguousarray(symbols[:, channel]), model)
        words = coder.get_compressed().astype("<u4")
        return (
            struct.pack("<I", len(words)) + words.tobytes() + q.T[apart.T].astype("<i4").tobytes()
        )

    def decode(self, raw: bytes | memoryview, n: int) -> States:
        (size,) = struct.unpack_from("<I", raw)
        words = np.frombuffer(raw[4 : 4 + 4 * size], "<u4").astype(np.uint32)
        coder = constriction().stream.stack.AnsCoder(words)
        symbols = np.empty((len(self.mean), n), np.int32)
        for channel in range(len(self.mean) - 1, -1, -1):
            symbols[channel] = coder.decode(self._models[channel], n)
        q = symbols - self.largest[:, None]
        q[symbols > 2 * self.largest[:, None]] = np.frombuffer(raw[4 + 4 * size :], "<i4")
        return (q.T.astype(np.float32) @ self.inverse + self.mean).astype(np.float32)

    def quantised(self, states: States) -> NDArray[np.int32]:
        """``[n, D]`` whole steps."""
        return np.rint((states - self.mean) @ self.forward).astype(np.int32)

    @cached_property
    def _models(self) -> list[Any]:
        categorical = constriction().stream.model.Categorical
        tables = np.split(self.counts, np.cumsum(2 * self.largest + 2)[:-1])
        return [categorical((t / t.sum()).astype(np.float32), perfect=False) for t in tables]

    def tables(self) -> bytes:
        parts = [self.mean, self.forward, self.inverse, self.largest, self.counts]
        head = json.dumps([[p.dtype.str, list(p.shape)] for p in parts]).encode()
        return struct.pack("<I", len(head)) + head + b"".join(p.tobytes() for p in parts)

    @classmethod
    def from_tables(cls, raw: bytes) -> FisherCodec:
        """The codec of :meth:`tables`."""
        constriction()
        (size,) = struct.unpack_from("<I", raw)
        at, parts = 4 + size, []
        for kind, shape in json.loads(raw[4:at]):
            part = np.frombuffer(raw, kind, int(np.prod(shape)), at).reshape(shape)
            parts.append(part)
            at += part.nbytes
        return cls(*parts)


def fit(states: States, head: Tensor, max_kl: float) -> FisherCodec:
    """The codec with the largest step whose KL is at most ``max_kl`` nats.

    Args:
        states: ``[n, D]``, a sample; the last quarter is not fitted, but measured on.
        head: ``[V, D]`` fp32.

    Raises:
        ValueError: constriction is missing, the sample is too small, or no step is small enough.
    """
    constriction()
    n, cut = len(states), int(len(states) * FITTED)
    if cut < 8 or n - cut < 8:
        raise ValueError(f"codec fisher: {n:,} states to fit on: must be more; give more text")
    sample, rest = states[:cut], states[cut:][:JUDGED]
    mean = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
    forward, inverse = _transform(sample - mean, head, mean)
    step = float(np.sqrt(24 * max_kl / states.shape[1]))
    for _ in range(ROUNDS):  # KL grows with the square of the step
        q = np.rint((rest - mean) @ (forward / step))
        error = _mean_kl(rest, (q @ (inverse * step) + mean).astype(np.float32), head)
        step *= float(np.sqrt(AIM * max_kl / error))
    scaled = (forward / step).astype(np.float32), (inverse * step).astype(np.float32)
    q = np.rint((sample - mean) @ scaled[0]).astype(np.int64)
    largest, counts = _frequencies(q)
    codec = FisherCodec(mean, *scaled, largest, counts)
    if (error := _mean_kl(rest, codec.decode(codec.encode(rest), len(rest)), head)) > max_kl:
        raise ValueError(f"codec fisher: KL {error:.2g} nats : must be at most {max_kl:g}; "
                         "another bound, or more text, may do")  # fmt: skip
    return codec


def _mean_kl(exact: States, decoded: States, head: Tensor) -> float:
    parts = range(0, len(exact), CHUNK)
    kl = [measure(exact[i : i + CHUNK], decoded[i : i + CHUNK], head).kl.sum() for i in parts]
    return float(sum(kl)) / len(exact)


def _transform(
    centred: States, head: Tensor, mean: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``F^(1/2) Q`` and its inverse, of the sample."""
    width = head.shape[1]
    average = torch.zeros(len(head), dtype=torch.float64)
    outer = torch.zeros(width, width, dtype=torch.float64)
    for part in torch.from_numpy(centred + mean).split(CHUNK):
        p = log_probabilities(part, head).exp()
        expected = (p @ head).double()
        average += p.double().sum(dim=0)
        outer += expected.T @ expected
    weighted = head * (average / len(centred)).float()[:, None]
    fisher = (head.T @ weighted).double() - outer / len(centred)
    values, vectors = torch.linalg.eigh((fisher + fisher.T) / 2)
    values = values.clamp(min=float(values.max()) * 1e-9)
    root = (vectors * values.sqrt()) @ vectors.T
    back = (vectors / values.sqrt()) @ vectors.T
    y = torch.from_numpy(centred).double() @ root
    _, rotation = torch.linalg.eigh(y.T @ y / len(y))
    return (root @ rotation).numpy(), (rotation.T @ back).numpy()


def _frequencies(q: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.uint32]]:
    """Largest value and table of every channel of ``q [n, D]``: counts, smoothed by a two-sided
    geometric distribution of the same mean magnitude."""
    largest, tables = [], []
    for channel in q.T:
        size = int(np.abs(channel).max() * RANGE) + 2
        magnitude = np.abs(channel).mean() + 1e-3
        ratio = magnitude / (1 + magnitude)
        prior = ratio ** np.abs(np.arange(-size, size + 1))
        prior *= PRIOR * len(channel) / prior.sum()
        seen = np.bincount(channel + size, minlength=2 * size + 1)
        table = np.append(seen + prior, 0.1)  # the last for whatever is beyond
        largest.append(size)
        tables.append(np.maximum(np.rint(table * 1024), 1))
    return np.array(largest, np.int32), np.concatenate(tables).astype(np.uint32)
