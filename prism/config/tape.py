"""The memory tape's hyper-parameters."""

from __future__ import annotations

from dataclasses import dataclass

from prism.config.checks import is_int, is_number, make_plain, require

TAPE_SCOPES = ("shared", "layer")


@dataclass(frozen=True, kw_only=True)
class TapeConfig:
    """The memory tape: heads by kind, their shape, and who shares them.

    Args:
        content_heads: heads addressed by what was read (query and key share one encoder).
        position_heads: heads addressed by how long ago (a ring buffer of ``num_slots`` tokens).
        num_slots: key size S of a head; a head holds about S exact associations.
        d_mem: value size M of a head.
        scope: ``"shared"`` (a layer sees what it and all layers below wrote) or ``"layer"``.
        retention: share of a content head's state kept per token, one number or one per content
            head, in (0, 1]. 1 is lossless.
    """

    content_heads: int = 2
    position_heads: int = 2
    num_slots: int = 32
    d_mem: int = 16
    scope: str = "shared"
    retention: float | tuple[float, ...] = 1.0

    def __post_init__(self) -> None:
        make_plain(self)
        for name, low in (("content_heads", 0), ("position_heads", 0), ("d_mem", 1)):
            require(is_int(getattr(self, name), low), self, name, f"an integer >= {low}")
        heads = self.content_heads + self.position_heads
        require(heads > 0, self, "content_heads", "> 0 if position_heads is 0")
        slots_ok = is_int(self.num_slots, 2) and self.num_slots % 2 == 0
        require(slots_ok, self, "num_slots", "an even integer >= 2")
        require(self.scope in TAPE_SCOPES, self, "scope", f"one of {TAPE_SCOPES}")
        if isinstance(self.retention, tuple):
            one_each = len(self.retention) == self.content_heads
            allowed = f"a number or {self.content_heads} numbers, one per content head"
            require(one_each, self, "retention", allowed)
        values = self.retention if isinstance(self.retention, tuple) else (self.retention,)
        for value in values:
            ok = is_number(value) and 0 < value <= 1
            require(ok, self, "retention", "in (0, 1]")

    @property
    def heads(self) -> int:
        """All heads of one layer."""
        return self.content_heads + self.position_heads

    @property
    def retentions(self) -> tuple[float, ...]:
        """One retention per content head."""
        if isinstance(self.retention, tuple):
            return self.retention
        return (self.retention,) * self.content_heads
