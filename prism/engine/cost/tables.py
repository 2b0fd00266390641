"""``--dry-run``: what a run would cost, before a device is touched.

    time = (training FLOPs + validation FLOPs) / (cards * peak * MFU)

on N cards of a stated peak, that of the dtype in which the run computes, at a stated MFU (the
measured share of the peak: published language models reach 0.35 to 0.5). The tokens per second that
this takes are printed beside, so that a measurement of ten minutes can confirm or refute it. With
each number of cards stands whether the run fits into their memory, and the largest micro-batch that
does. Time to save is not counted: it depends on the disk.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rich.table import Table

from prism.config import PrismConfig
from prism.engine.cost.cards import MEMORY, PEAKS, USABLE
from prism.engine.cost.flops import count
from prism.engine.cost.memory import Row, measured_row, per_rank
from prism.engine.loop.validation import times
from prism.engine.models import make_model
from prism.engine.parallel.fsdp import parameters_on_meta
from prism.engine.settings import Settings
from prism.model.protocol import LanguageModel

if TYPE_CHECKING:
    from prism.engine.levers.progressive import Stage

CARDS = (1, 8, 64)
MUCH = 0.2  # of the time for validation
GIB = 2**30


def cost_tables(s: Settings, plan: Sequence[Stage], ranks: int) -> Iterator[Table]:
    """The cost of the run as tables: the model (the last of its sizes), the sizes, the time, the
    memory on each of ``ranks``."""
    last = plan[-1]
    model = _on_meta(s, last)
    flops = count(model, s.seq_len)
    tokens = s.global_batch_size * s.seq_len
    total = s.steps * tokens
    spent = sum(flops for _, flops in stage_flops(s, plan))
    row = measured_row(s, last.config)
    validations, saves = times(0, s.steps, s.eval_every), times(0, s.steps, s.save_every)
    whole = per_rank(s, last.config, 1, row)
    checkpoint = _gib(whole["weights"] + whole["moments"])
    yield keyed_table(
        f"{s.model} {last.preset}",
        {
            "parameters": f"{model.num_parameters():,}",
            "FLOPs per token, forward": f"{flops.training / 3:.4g}",
            "of these the head": f"{3 * flops.head / flops.training:.1%}",
            "FLOPs per token, training": f"{flops.training:.4g}",
            "tokens per step": f"{tokens:,}",
            "steps": f"{s.steps:,}",
            "tokens of the run": f"{total:,}",
            "FLOPs of training": f"{spent:.3g}",
            "validations": f"{validations:,} x {s.eval_tokens:,} tokens",
            "checkpoints": f"{saves:,} x {checkpoint}",
        },
    )
    if len(plan) > 1:
        yield stages_table(s, plan)
    checked = validations * s.eval_tokens * flops.training / 3
    yield time_table(s, last.config, row, total, spent, checked)
    parts = per_rank(s, last.config, ranks, row)
    rows = {name: _gib(size) for name, size in parts.items()}
    rows["sum"] = _gib(sum(parts.values()))
    rows[f"usable of {s.gpu.upper()}"] = _gib(MEMORY[s.gpu] * USABLE)
    where = "one rank" if ranks == 1 else f"each of {ranks} ranks"
    yield keyed_table(f"memory on {where}, {s.dtype}", rows)


def time_table(
    s: Settings, config: PrismConfig, row: Row, total: int, spent: float, checked: float
) -> Table:
    """Time and memory on 1, 8 and 64 cards.

    Args:
        row: bytes of one row of tokens.
        total: tokens to train on.
        spent: FLOPs of training on them.
        checked: FLOPs of all validations.
    """
    card, peak = s.gpu.upper(), PEAKS[s.gpu][s.dtype]
    title = f"time on {card} at {s.mfu:.0%} of {peak / 1e12:.3g} TFLOP/s ({s.dtype})"
    share = checked / (spent + checked)
    table = Table(title=f"{title}; validation {share:.1%}", title_justify="left")
    for name in ("cards", "time", "tokens/s", "memory of each"):
        table.add_column(name, justify="left" if name in ("cards", "memory of each") else "right")
    for cards in CARDS:
        speed = peak * s.mfu * cards
        time, tokens = _duration((spent + checked) / speed), f"{total * speed / spent:,.0f}"
        table.add_row(f"{cards} x {card}", time, tokens, fit(s, config, row, cards))
    return table


def fit(s: Settings, config: PrismConfig, row: Row, ranks: int) -> str:
    """Memory on each of ``ranks`` cards, if that fits, and with what it would."""
    if s.global_batch_size % ranks:
        return f"-, --global-batch-size {s.global_batch_size} is no multiple of {ranks}"
    room = MEMORY[s.gpu] * USABLE
    rows = s.global_batch_size // ranks

    def needs(**change: Any) -> float:
        changed = dataclasses.replace(s, **change)
        return sum(per_rank(changed, config, ranks, row).values())

    now = needs()
    if now <= room:
        return f"{_gib(now)}, fits"
    says = f"{_gib(now)}, does not fit"
    for recompute in dict.fromkeys((s.recompute, True)):
        for micro in (n for n in range(rows, 0, -1) if rows % n == 0):
            size = needs(micro_batch_size=micro, recompute=recompute)
            if size <= room:
                flags = " --recompute" * (recompute and not s.recompute)
                return f"{says}; {_gib(size)} with --micro-batch-size {micro}{flags}"
    return f"{says}, not even one row with --recompute ({_gib(size)})"


def validation_remark(s: Settings, step: int, tokens: int) -> str:
    """Number, size and cost of the validations after ``step``, in a line.

    Args:
        tokens: of each.
    """
    number = times(step, s.steps, s.eval_every)
    trained = max(s.steps - step, 1) * s.global_batch_size * s.seq_len
    share = number * tokens / (number * tokens + 3 * trained)
    line = f"validation: {number} x {tokens:,} tokens, about {share:.0%} of the time"
    if share > MUCH:
        line += "; less with --eval-tokens or a larger --eval-every"
    return line


def stage_flops(s: Settings, plan: Sequence[Stage]) -> list[tuple[int, float]]:
    """Tokens and training FLOPs of each stage."""
    starts = (0, *(stage.end for stage in plan))
    tokens = [s.global_batch_size * s.seq_len * (b - a) for a, b in pairwise(starts)]
    each = [count(_on_meta(s, stage), s.seq_len).training for stage in plan]
    return [(n, n * flops) for n, flops in zip(tokens, each, strict=True)]


def stages_table(s: Settings, plan: Sequence[Stage]) -> Table:
    """Cost of every stage of a run that grows, against the last size from scratch."""
    table = Table(title="growth, against training the last size from scratch")
    for name in ("stage", "parameters", "until step", "tokens", "FLOPs", "of scratch"):
        table.add_column(name, justify="left" if name == "stage" else "right", overflow="fold")
    spent = stage_flops(s, plan)
    tokens, flops = (sum(column) for column in zip(*spent, strict=True))
    scratch = tokens * spent[-1][1] / spent[-1][0]
    for stage, (n, cost) in zip(plan, spent, strict=True):
        size = _on_meta(s, stage).num_parameters()
        name = " ".join((stage.name, *stage.taken))
        share = f"{cost / scratch:.1%}"
        table.add_row(name, f"{size:,}", f"{stage.end:,}", f"{n:,}", f"{cost:.3g}", share)
    table.add_row("sum", "", "", f"{tokens:,}", f"{flops:.3g}", f"{flops / scratch:.1%}")
    return table


def weights_table(
    s: Settings, plan: Sequence[Stage], ranks: int, reference: LanguageModel | None
) -> Table:
    """Cost of ``--token-selection`` or ``--token-recycling`` on top of a run.

        more FLOPs = (reference, forward) + (model, forward, where a rank has several micro-batches)
                     over                   model, forward and backward

    Both forward passes look at every token; only the loss leaves tokens out.

    Args:
        plan: the sizes of the model.
        ranks: that the global batch is spread over.
        reference: of ``--token-selection``.
    """
    stages = stage_flops(s, plan)
    tokens, training = (sum(column) for column in zip(*stages, strict=True))
    rows = s.global_batch_size // ranks
    again = training / 3 if rows > (s.micro_batch_size or rows) else 0.0
    read, table = 0.0, {}
    if reference is not None:
        read = tokens * count(reference, s.seq_len).training / 3
        table["reference, parameters"] = f"{reference.num_parameters():,}"
        table["reference, forward"] = f"{read:.3g} FLOPs"
    table["model, a second forward"] = f"{again:.3g} FLOPs"
    table["more FLOPs"] = f"{(read + again) / training:.1%}"
    if reference is not None:
        size = sum(p.numel() * p.element_size() for p in reference.parameters())
        table["more memory on each rank"] = _gib(size)
    return keyed_table("token weights, in addition", table)


def _on_meta(s: Settings, stage: Stage) -> LanguageModel:
    with parameters_on_meta():
        return make_model(s.model, stage.config)


def _gib(size: float) -> str:
    return f"{size / GIB:,.0f} GiB" if size >= 100 * GIB else f"{size / GIB:.3g} GiB"


def _duration(seconds: float) -> str:
    units = (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0))
    unit, size = next((u for u in units if seconds >= u[1]), ("seconds", 1.0))
    return f"{seconds / size:.3g} {unit}"


def keyed_table(title: str, rows: dict[str, str]) -> Table:
    """A table of names and values."""
    table = Table(title=title, show_header=False, title_justify="left", min_width=len(title))
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows.items():
        table.add_row(name, value)
    return table
