"""What the settings of a run name, opened: sizes, reference, model, data and tokenizer."""

from __future__ import annotations

import torch

from prism.data import (
    Curriculum,
    Mix,
    RowStreams,
    Tokenizer,
    held_out_batches,
    open_tokenizer,
    parse_curriculum,
)
from prism.engine.build import carries, make_model
from prism.engine.levers.modular import data_of, learning
from prism.engine.levers.reference import open_reference, weights_digest
from prism.engine.levers.stages import Stage, stages
from prism.engine.loop.trainer import Job
from prism.engine.parallel.world import World
from prism.engine.settings import Settings
from prism.model.protocol import LanguageModel
from prism.modular.output_penalty import OUT_OF_DOMAIN_FACTOR


def stages_of(s: Settings) -> tuple[Stage, ...]:
    """The sizes of the run, for the vocabulary of its tokenizer.

    Raises:
        ValueError: as :func:`prism.engine.levers.stages.stages`.
    """
    return stages(s, open_tokenizer(s.tokenizer).vocab_size)


def reference_of(s: Settings, device: torch.device) -> LanguageModel | None:
    """The model that chooses the tokens to train on, if one does."""
    if s.reference is None:
        return None
    return open_reference(s.reference, open_tokenizer(s.tokenizer), s.dtype, device)


def _lanes(
    s: Settings, mix: Mix, tokenizer: Tokenizer, mine: range, curriculum: Curriculum | None
) -> RowStreams:
    return RowStreams(
        mix,
        tokenizer,
        streams=s.global_batch_size,
        mine=mine,
        seq_len=s.seq_len,
        seed=s.seed,
        curriculum=curriculum,
        tokens=s.steps * s.seq_len,
    )


def open_job(s: Settings, w: World, stage: Stage | None = None) -> Job:
    """Model, data and tokenizer of the settings.

    Args:
        stage: of the run; default its first.

    Raises:
        ValueError: one of them cannot be had.
    """
    tokenizer, mix = open_tokenizer(s.tokenizer), data_of(s)
    stage = stage or stages(s, tokenizer.vocab_size)[0]
    total = s.global_batch_size
    mine = w.lanes(total)
    identity = {"tokenizer": tokenizer.fingerprint(), "data": mix.fingerprint()}
    curriculum, remarks = None, []
    if s.curriculum:
        curriculum = parse_curriculum(s.curriculum, mix, s.decay)
        remarks.append(f"curriculum: {curriculum.describe()}")
    if guests := [weighted.source.name for weighted in mix.sources if weighted.out_of_domain]:
        remarks.append(
            f"guest in: {', '.join(guests)}; speaking costs {OUT_OF_DOMAIN_FACTOR:g} x there"
        )
    reference = reference_of(s, w.device)
    if reference is not None:
        identity["reference"] = weights_digest(reference)
        remarks.append(f"reference: {s.reference}, {reference.num_parameters():,} parameters")
    return Job(
        s=s,
        config=stage.config,
        make=lambda: learning(make_model(s.model, stage.config), s.modular_phase),
        carry=carries(s),
        feed=_lanes(s, mix, tokenizer, mine, curriculum),
        held_out=held_out_batches(
            mix, tokenizer, s.seq_len, rows=total, mine=mine, tokens=s.eval_tokens
        ),
        identity=identity,
        reference=reference,
        remarks=tuple(remarks),
        until=stage.end,
    )
