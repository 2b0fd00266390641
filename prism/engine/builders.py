"""Construction of a ``TrainSpec`` from settings: size, model, data, tokenizer, extensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prism.data import RowStreams, held_out_batches, open_tokenizer, parse_curriculum
from prism.data.tolerance import tolerant
from prism.engine.extension import Extension, extended
from prism.engine.levers.modular import data_of, learning
from prism.engine.levers.progressive import Stage, stages
from prism.engine.levers.token_weights import TOKEN_WEIGHTS
from prism.engine.loop.trainer import TrainSpec
from prism.engine.models import carries, make_model
from prism.engine.parallel.world import World
from prism.engine.settings import Settings
from prism.modular.output_penalty import OUT_OF_DOMAIN_FACTOR

BUILT_IN: tuple[Extension, ...] = (TOKEN_WEIGHTS,)


def build_spec(
    s: Settings,
    w: World,
    stage: Stage | None = None,
    extensions: Sequence[Extension] = BUILT_IN,
    flags: Mapping[str, Any] | None = None,
) -> TrainSpec:
    """Model, data and loss of the settings.

    Args:
        stage: of the run; default its first.
        extensions: may change data and loss, and add observers.
        flags: those of extensions that were given.

    Raises:
        ValueError: one of them cannot be had.
    """
    tokenizer, mix, flags = open_tokenizer(s.tokenizer), data_of(s), dict(flags or {})
    for extension in extensions:
        if extension.data is not None:
            mix = extension.data(extension.own(flags), mix)
    listing, files = mix.listing(), mix.remarks()
    mix, bad = tolerant(mix, s.skip_bad_rows)
    stage = stage or stages(s, tokenizer.vocab_size)[0]
    total, mine = s.global_batch_size, w.rows(s.global_batch_size)
    curriculum, remarks = None, files
    if s.curriculum:
        curriculum = parse_curriculum(s.curriculum, mix, s.decay)
        remarks.append(f"curriculum: {curriculum.describe()}")
    if outside := [weighted.source.name for weighted in mix.sources if weighted.out_of_domain]:
        factor = f"output-norm penalty x {OUT_OF_DOMAIN_FACTOR:g} there"
        remarks.append(f"out of domain: {', '.join(outside)}; {factor}")
    spec = TrainSpec(
        s=s,
        config=stage.config,
        make=lambda: learning(make_model(s.model, stage.config), s.modular_phase),
        carry=carries(s),
        feed=RowStreams(
            mix,
            tokenizer,
            streams=total,
            mine=mine,
            seq_len=s.seq_len,
            seed=s.seed,
            curriculum=curriculum,
            tokens=s.steps * s.seq_len,
        ),
        held_out=held_out_batches(
            mix, tokenizer, s.seq_len, rows=total, mine=mine, tokens=s.eval_tokens
        ),
        identity={"tokenizer": tokenizer.fingerprint(), "data": mix.fingerprint()},
        flags=flags,
        remarks=tuple(remarks),
        until=stage.end,
        former={"data": mix.former_fingerprint()},
        data=listing,
        bad_rows=bad.places,
    )
    return extended(spec, w, extensions, flags)
