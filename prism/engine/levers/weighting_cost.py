"""What token weights cost on top of a run, for ``--dry-run``.

    more FLOPs = (reference, forward) + (model, forward, where a rank has several micro-batches)
                 over                   model, forward and backward

Both forward passes look at every token; only the loss leaves tokens out.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from prism.engine.cost.flops import count
from prism.engine.cost.tables import GIB, keyed_table, stage_flops
from prism.engine.levers.stages import Stage
from prism.engine.settings import Settings
from prism.model.protocol import LanguageModel


def weights_table(
    s: Settings, plan: Sequence[Stage], ranks: int, reference: LanguageModel | None
) -> Table:
    """The cost of ``--token-selection`` or ``--token-recycling``.

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
        table["more memory on each rank"] = f"{size / GIB:.3g} GiB"
    return keyed_table("token weights, in addition", table)
