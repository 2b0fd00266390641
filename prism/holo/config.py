"""The shape of a tape, as one frozen dataclass that validates itself."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from prism.holo.algebra.accumulator import DTYPES

DECODERS = ("filter", "sic", "amp")


@dataclass(frozen=True, kw_only=True)
class HoloConfig:
    """A tape's accumulator and how it is read.

    Args:
        dim: numbers D of a bank.
        banks: B; more than one needs an integer ``dtype``.
        dtype: of the accumulator, from ``accumulator.DTYPES``.
        seed: of all codes, 0 <= seed < 2**63.
        layers: amplitude layers; more than one needs a ledger and ``decoder = "amp"``.
        sequence: values are tuples.
        ledger: keep who was bound to what beside the accumulator.
        resolver: keep the key strings and map misspelt keys to them; needs the ledger.
        decoder: how facts are read when nothing else is asked for, from ``DECODERS``.
        alpha: rate in (0, 1] at which unknown keys are answered; 1 = nothing is ever refused.
    """

    dim: int = 8192
    banks: int = 1
    dtype: str = "float32"
    seed: int = 0
    layers: int = 1
    sequence: bool = False
    ledger: bool = True
    resolver: bool = False
    decoder: str = "filter"
    alpha: float = 0.01

    def __post_init__(self) -> None:
        for name, low, high in (
            ("dim", 1, 2**24),
            ("banks", 1, 2**31),
            ("seed", 0, 2**63),
            ("layers", 1, 13),
        ):
            value = getattr(self, name)
            ok = isinstance(value, int) and not isinstance(value, bool) and low <= value < high
            self._require(ok, name, f"an integer in {low}..{high - 1}")
        for name in ("sequence", "ledger", "resolver"):
            self._require(isinstance(getattr(self, name), bool), name, "True or False")
        self._require(self.dtype in DTYPES, "dtype", f"one of {', '.join(DTYPES)}")
        self._require(self.decoder in DECODERS, "decoder", f"one of {', '.join(DECODERS)}")
        ok = isinstance(self.alpha, int | float) and 0 < self.alpha <= 1
        self._require(ok, "alpha", "a number in (0, 1]")
        floating = DTYPES[self.dtype].is_floating_point
        self._require(not floating or self.banks == 1, "banks", f"1 where dtype is {self.dtype}")
        listed = self.ledger or self.decoder == "filter"
        self._require(listed, "decoder", "'filter' without a ledger: the others need its key list")
        joint = self.layers == 1 or self.decoder == "amp"
        self._require(joint, "layers", "1 unless decoder is 'amp'")
        self._require(self.ledger or not self.resolver, "resolver", "False without a ledger")

    def _require(self, ok: bool, name: str, allowed: str) -> None:
        if not ok:
            raise ValueError(f"HoloTape {name} = {getattr(self, name)!r}: must be {allowed}")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; ``HoloConfig(**values)`` gives back an equal config."""
        return dataclasses.asdict(self)
