"""The symbolic expert's hyper-parameters."""

from __future__ import annotations

from dataclasses import dataclass

from prism.config.checks import is_int, is_number, make_plain, require

TOKEN_PRIMITIVES = ("compare", "gate", "select", "shift", "threshold", "count")
CAUSAL_PRIMITIVES = ("latch", "flipflop", "counter", "rotor")
LONGEST_SUFFIX = 64
TURN = 240  # grid steps in a full turn of a counting primitive
PRIMITIVES = TOKEN_PRIMITIVES + CAUSAL_PRIMITIVES


@dataclass(frozen=True, kw_only=True)
class SymbolicConfig:
    """The symbolic expert: a machine of U discrete units, and optional ones beside it.

    Args:
        answers: the machines read fixed codes of the tokens and answer by themselves
            (prism/model/symbolic/codes.py).
        width: d of the codes and answers of units and dials; a power of two at or above the
            vocabulary makes all codes orthogonal. Without ``answers`` it has no effect.
        reflection_width: the same of the reflections.
        units: U; each picks one primitive per token. Independent of ``d_model``.
        primitives: the library, any non-empty choice from ``PRIMITIVES``.
        moduli: the counting primitives' steps snap to the fractions p/q of a turn with q from
            this list, so that counting modulo q is exact; each divides 240.
        fade: size of a rotor's output after a step that is none of these fractions, as a share
            of the size before it; 1 = it stays.
        dials: soft counters beside the units (prism/model/symbolic/dial.py).
        dial_positions: positions S of a dial.
        dial_reach: largest step K of a dial.
        reflections: registers that are orthogonal matrices (prism/model/symbolic/reflections.py).
        reflection_size: their size S.
        suffixes: lengths n of the contexts whose last follower is looked up
            (prism/model/symbolic/suffix.py); empty = no lookup.
        suffix_slots: contexts of each length that the state holds.
        unit_input_rate: learning rate of the units' input projection as a share of the others';
            its start is the same whatever the rate. None = 1, and small in a branch that is
            trained apart (prism/modular/backbone.py).
    """

    answers: bool = True
    width: int = 32
    reflection_width: int = 128
    units: int = 32
    primitives: tuple[str, ...] = PRIMITIVES
    moduli: tuple[int, ...] = (2, 3, 4, 5, 6)
    fade: float = 0.95
    dials: int = 8
    dial_positions: int = 16
    dial_reach: int = 4
    reflections: int = 4
    reflection_size: int = 5
    suffixes: tuple[int, ...] = (1, 2, 3, 5)
    suffix_slots: int = 1024
    unit_input_rate: float | None = None

    def __post_init__(self) -> None:
        make_plain(self, "primitives", "moduli", "suffixes")
        require(is_int(self.units, 1), self, "units", "an integer >= 1")
        sizes = (("width", 1), ("dials", 0), ("dial_positions", 2), ("dial_reach", 1))
        for name, low in (
            *sizes,
            ("reflections", 0),
            ("reflection_size", 2),
            ("reflection_width", 1),
            ("suffix_slots", 1),
        ):
            require(is_int(getattr(self, name), low), self, name, f"an integer >= {low}")
        require(isinstance(self.answers, bool), self, "answers", "True or False")
        chosen = self.primitives
        ok = len(chosen) > 0 and len(set(chosen)) == len(chosen) and set(chosen) <= set(PRIMITIVES)
        require(ok, self, "primitives", f"distinct names from {PRIMITIVES}")
        ok = len(self.moduli) > 0 and all(is_int(m, 2) and TURN % m == 0 for m in self.moduli)
        require(ok, self, "moduli", f"a non-empty list of divisors >= 2 of {TURN}")
        ok = is_number(self.fade) and 0 <= self.fade <= 1
        require(ok, self, "fade", "a number in [0, 1]")
        ok = len(set(self.suffixes)) == len(self.suffixes) and all(
            is_int(n, 1) and n <= LONGEST_SUFFIX for n in self.suffixes
        )
        require(ok, self, "suffixes", f"distinct integers in 1..{LONGEST_SUFFIX}")
        rate = self.unit_input_rate
        ok = rate is None or (is_number(rate) and 0 < rate <= 1)
        require(ok, self, "unit_input_rate", "None or a number in (0, 1]")
