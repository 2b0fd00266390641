"""``--modular-phase``: model, initial weights, trainable parameters and data of each phase.

    phase       data                             trainable            starts from --modular-X-ckpt
    backbone    --data                           everything           the seed
    a kind      70% --data, 30% the backbone's   the kind, its gates  X = backbone
    assemble    the backbone's                   the gates            X = backbone, and each kind

A phase is an ordinary run. Its model is written into ``--set``, so that the run can be resumed
without the runs that it came from; its first weights are a checkpoint that is there to be read
once. What a phase does to a model is in :mod:`prism.modular`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prism.config import PrismConfig
from prism.data import Mix, open_tokenizer, parse_mix
from prism.data.mix import blended
from prism.engine.flags import flag_name
from prism.engine.models import model_config
from prism.engine.settings import RENAMED_PHASES, Settings
from prism.engine.store import checkpoint
from prism.engine.store.export import find, load_checkpoint
from prism.model.protocol import LanguageModel
from prism.modular import (
    KINDS,
    LARGEST_SHARE,
    OWN_SHARE,
    assemble,
    assembled_config,
    backbone_config,
    branch_config,
    branch_of,
    check_backbone,
    freeze_backbone,
    largest_budget,
    only_gates,
    report_of,
)

BACKBONE, ASSEMBLE = "backbone", "assemble"
SHARED_FIELDS = ("model", "preset", "tokenizer")  # the same in all phases
ELSEWHERE = ("init_from", "progressive")


@dataclass(frozen=True)
class Source:
    """A checkpoint that a phase starts from: its settings, its model's config, tokens read."""

    settings: Settings
    config: PrismConfig
    tokens: int

    @classmethod
    def at(cls, path: str) -> Source:
        """The checkpoint, or the newest of the run, at ``path``.

        Raises:
            ValueError: there is none.
        """
        run = checkpoint.read_run(find(Path(path)))
        config = PrismConfig.from_dict(run["config"])
        return cls(Settings.from_dict(run["settings"]), config, run["tokens"])


def ckpt_field(name: str) -> str:
    """The setting that holds the checkpoint of the backbone or of a kind."""
    return f"modular_{name}_ckpt"


def modular_flags(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The flags of a new run with all that its modular phase decides; without one, as they are.

    Raises:
        ValueError: a flag is missing, is of another phase, or contradicts the backbone.
    """
    phase = flags.get("modular_phase")
    if phase in RENAMED_PHASES:
        raise ValueError(f"--modular-phase {phase}: is now {RENAMED_PHASES[phase]}")
    _check_ckpts(flags, phase)
    if phase is None:
        return dict(flags)
    for name in ELSEWHERE:
        if name in flags:
            raise ValueError(
                f"{flag_name(name)} {flags[name]}: --modular-phase {phase} begins elsewhere; must "
                "not be given"
            )
    if phase == BACKBONE:
        return {**flags, "set": _written(flags, backbone_config(_config(flags)))}
    backbone = Source.at(flags[ckpt_field(BACKBONE)])
    check_backbone(backbone.config)
    for name in SHARED_FIELDS:
        if flags.get(name, has := getattr(backbone.settings, name)) != has:
            raise ValueError(f"{flag_name(name)} {flags[name]}: the backbone has {has}; must be it")
    flags = {**{name: getattr(backbone.settings, name) for name in SHARED_FIELDS}, **flags}
    if phase == ASSEMBLE:
        return _assembly_flags(flags, backbone)
    # the backbone with this kind's fields as the preset and --set have them
    kept = [pair for pair in backbone.settings.set if not pair.startswith("memory_layers=")]
    pairs = (*kept, f'expert_kinds=["{phase}"]', *flags.get("set", ()))
    branch = branch_config(backbone.config, phase, _config({**flags, "set": pairs}))
    return {
        "modular_shared": backbone.settings.mix,
        **flags,
        "set": _written(flags, branch),
    }


def _check_ckpts(flags: Mapping[str, Any], phase: str | None) -> None:
    wanted = {BACKBONE: (), ASSEMBLE: (BACKBONE, *KINDS), None: ()}.get(phase, (BACKBONE,))
    for name in (BACKBONE, *KINDS):
        field = ckpt_field(name)
        if field in flags and name not in wanted:
            with_it = f"must not be given with --modular-phase {phase}"
            here = with_it if phase else "needs --modular-phase"
            raise ValueError(f"{flag_name(field)} {flags[field]}: {here}")
    if "modular_shared" in flags and phase not in KINDS:
        raise ValueError(
            f"--modular-shared {flags['modular_shared']}: needs --modular-phase {', '.join(KINDS)}"
        )
    if wanted and ckpt_field(BACKBONE) not in flags:
        raise ValueError(
            f"--modular-phase {phase}: needs --modular-backbone-ckpt DIR, a run of --modular-phase "
            "backbone"
        )
    if phase == ASSEMBLE and not any(ckpt_field(kind) in flags for kind in KINDS):
        raise ValueError(
            "--modular-phase assemble: needs --modular-KIND-ckpt DIR of a branch or more"
        )


def _config(flags: Mapping[str, Any]) -> PrismConfig:
    """The model that the flags would give without a phase."""
    plain = {k: v for k, v in flags.items() if not k.startswith("modular_")}
    s = Settings.from_dict(plain)
    return model_config(s, open_tokenizer(s.tokenizer).vocab_size)


def _written(flags: Mapping[str, Any], config: PrismConfig) -> tuple[str, ...]:
    """``config`` as overrides of the preset."""
    preset = _config({k: v for k, v in flags.items() if k != "set"})
    before, after = _flat(preset), _flat(config)
    return tuple(
        f"{name}={json.dumps(value)}"
        for name, value in after.items()
        if value != before[name] and name not in ("vocab_size", "seed")
    )


def _flat(config: PrismConfig) -> dict[str, Any]:
    """Every field as a plain JSON value, those of a nested one under ``name.field``."""
    flat: dict[str, Any] = {}
    for name, value in json.loads(json.dumps(config.to_dict())).items():
        inner = value.items() if isinstance(value, dict) else ()
        flat |= {f"{name}.{key}": x for key, x in inner} or {name: value}
    return flat


def _assembly_flags(flags: Mapping[str, Any], backbone: Source) -> dict[str, Any]:
    if "set" in flags:
        raise ValueError(f"--set {' '.join(flags['set'])}: the branches decide; must not be given")
    branches = {k: Source.at(flags[ckpt_field(k)]) for k in KINDS if ckpt_field(k) in flags}
    config = assembled_config(
        backbone.config, {kind: branch.config for kind, branch in branches.items()}
    )
    values = {"data": backbone.settings.mix, **flags, "set": _written(flags, config)}
    trained = backbone.tokens + sum(branch.tokens for branch in branches.values())
    s = Settings.from_dict(values)
    most = largest_budget(trained) // (s.global_batch_size * s.seq_len)
    if most < 1 or ("steps" in flags and flags["steps"] > most):
        raise ValueError(
            f"--steps {flags.get('steps', 1)}: gates may see {LARGEST_SHARE:.0%} of the {trained:,}"
            f" tokens of backbone and branches; must be <= {most} at this batch size"
        )
    return {**values, "steps": flags.get("steps", most)}


def learning(model: LanguageModel, phase: str | None) -> LanguageModel:
    """``model`` with what does not learn in ``phase`` frozen."""
    if phase in KINDS:
        return freeze_backbone(model)
    return only_gates(model) if phase == ASSEMBLE else model


def data_of(s: Settings) -> Mix:
    """The mix to read: ``--data``, or 70% of it and 30% of what the backbone was trained on.

    Raises:
        ValueError: a mix cannot be had.
    """
    own = parse_mix(s.mix)
    if s.modular_shared is None:
        return own
    return blended(own, parse_mix(s.modular_shared), OWN_SHARE)


def starting_checkpoint(s: Settings, target: Path) -> str:
    """Write the weights that the phase of ``s`` starts from to the folder ``target``, for one
    process.

    Returns:
        The report: the first line says what was put together.

    Raises:
        ValueError: branches that do not belong together; names both backbones.
    """
    backbone = load_checkpoint(s.modular_backbone_ckpt)
    if s.modular_phase == ASSEMBLE:
        paths = {kind: getattr(s, ckpt_field(kind)) for kind in KINDS}
        model = assemble(backbone, {k: load_checkpoint(p) for k, p in paths.items() if p})
    else:
        like = model_config(s, open_tokenizer(s.tokenizer).vocab_size)
        model = branch_of(backbone, s.modular_phase, like)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    checkpoint.write_tensors(target, checkpoint.persistent(model))
    return str(report_of(model))
