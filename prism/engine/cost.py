"""``--dry-run``: what a run would cost, before a device is touched.

    time = steps * tokens per step * training FLOPs per token / (cards * peak * MFU)

on N cards of a stated peak at a stated MFU (the measured share of the peak: published language
models reach 0.35 to 0.5). The tokens per second that this takes are printed beside, so that a
measurement of ten minutes can confirm or refute it.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from prism.config import PrismConfig
from prism.engine.build import make_model
from prism.engine.flops import PEAKS, count
from prism.engine.memory import per_rank
from prism.engine.meta import parameters_on_meta
from prism.engine.settings import Settings

CARDS = (1, 8, 64)
GIB = 2**30


def tables(s: Settings, config: PrismConfig, ranks: int) -> Iterator[Table]:
    """The cost of the run as tables: the model, the time, the memory on each of ``ranks``."""
    with parameters_on_meta():
        model = make_model(s.model, config)
    flops = count(model, s.seq_len)
    tokens = s.global_batch_size * s.seq_len
    total = s.steps * tokens
    yield _table(
        f"{s.model} {s.preset}",
        {
            "parameters": f"{model.num_parameters():,}",
            "FLOPs per token, forward": f"{flops.training / 3:.4g}",
            "of these the head": f"{3 * flops.head / flops.training:.1%}",
            "FLOPs per token, training": f"{flops.training:.4g}",
            "tokens per step": f"{tokens:,}",
            "steps": f"{s.steps:,}",
            "tokens of the run": f"{total:,}",
            "FLOPs of the run": f"{total * flops.training:.3g}",
        },
    )
    speed = PEAKS[s.gpu] * s.mfu / flops.training
    yield _table(
        f"time on {s.gpu.upper()} at {s.mfu:.0%} of {PEAKS[s.gpu] / 1e12:.0f} TFLOP/s",
        {
            f"{cards} x {s.gpu.upper()}": f"{_duration(total / (speed * cards))}, "
            f"{speed * cards:,.0f} tokens/s"
            for cards in CARDS
        },
    )
    parts = per_rank(s, config, ranks)
    rows = {name: f"{size / GIB:.3g} GiB" for name, size in parts.items()}
    rows["sum"] = f"{sum(parts.values()) / GIB:.3g} GiB"
    yield _table(f"memory on each of {ranks} ranks, {s.dtype}", rows)


def _duration(seconds: float) -> str:
    units = (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0))
    unit, size = next((u for u in units if seconds >= u[1]), ("seconds", 1.0))
    return f"{seconds / size:.3g} {unit}"


def _table(title: str, rows: dict[str, str]) -> Table:
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows.items():
        table.add_row(name, value)
    return table
