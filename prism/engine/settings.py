"""All flags of a scale run, as one frozen dataclass that is also the command line
(:mod:`prism.engine.flags`).

What a run was started with is saved beside its weights, so ``--resume`` needs no flags; those whose
change keeps the mathematics of the run (steps, machine, saving, logging) may be given anew.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prism.engine.flags import check, flag, flag_name

PHASES = ("pretrain", "instruct")
SCHEDULES = ("cosine", "wsd")
OPTIMIZERS = ("adamw", "muon")
DTYPES = ("fp32", "tf32", "bf16", "fp64")
KEPT = ("fp32", "bf16")
ROUNDINGS = ("nearest", "stochastic", "kahan")
DEVICES = ("auto", "cpu", "cuda")
GPUS = ("a100", "h100", "h200")
MODULAR_PHASES = ("backbone", "neural", "memory", "symbolic", "assemble")

# former names of fields and of a phase, which the settings of older runs still have
RENAMED = {"modular_trunk_ckpt": "modular_backbone_ckpt"}
RENAMED_PHASES = {"trunk": "backbone"}

WHAT, MODEL, DATA = "what to do", "model", "data"
OPTIM, MACHINE, RUN = "optimisation", "machine", "saving and logging"
LEVERS = "levers"  # to train cheaper; counted apart from the core flags
SHARE = 0.6  # of the targets that excess keeps when none is given; the source keeps 0.6 to 0.7


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A scale run. The fields are documented by ``python -m prism.run_scale --help``.

    Raises:
        ValueError: a value that is not allowed; names the flag, the value and what is.
    """

    smoke: bool = flag(False, WHAT, "offline check: train, kill, resume, sample", renew=True)
    dry_run: bool = flag(False, WHAT, "print the cost of the run and stop", renew=True)
    show_settings: bool = flag(False, WHAT, "print all settings, not the chosen ones", renew=True)
    resume: str | None = flag(None, WHAT, "go on with a run, exactly", metavar="DIR", renew=True)
    init_from: str | None = flag(None, WHAT, "start from a run's weights", metavar="DIR")
    export: str | None = flag(
        None, WHAT, "write the weights of --resume to one file", metavar="FILE", renew=True
    )
    model: str = flag("prism", MODEL, "prism, transformer, ssm, gdn or a variant", metavar="NAME")
    preset: str = flag("tiny", MODEL, "tiny, 300m, 350m, 700m, 1b or flannel", metavar="NAME")
    set: tuple[str, ...] = flag(
        (), MODEL, "override fields of the preset, e.g. d_model=96 tape.d_mem=16", metavar="KEY=V"
    )
    phase: str = flag("pretrain", DATA, "pretrain, or instruct after --init-from", choices=PHASES)
    data: str | None = flag(
        None, DATA, "pydoc, file:PATH, mix:pretrain, ...", metavar="MIX", renew=True
    )
    skip_bad_rows: int = flag(
        0, DATA, "rows that may be left out as they cannot be read", low=0, renew=True
    )
    tokenizer: str = flag(
        "bytes", DATA, "bytes, or the file of a tokenizer", metavar="FILE", renew=True
    )
    seq_len: int = flag(1024, DATA, "tokens per row and step", low=2)
    global_batch_size: int = flag(8, DATA, "rows per step over all ranks", low=1, high=65536)
    micro_batch_size: int | None = flag(
        None, DATA, "rows per forward; default all of the rank", low=1, renew=True
    )
    carry: bool | None = flag(
        None, DATA, "carry the recurrent state from step to step; default: if it has fixed size"
    )
    steps: int = flag(1000, OPTIM, "optimizer steps", low=1, renew=True)
    lr: float = flag(1e-3, OPTIM, "peak learning rate", low=0.0)
    min_lr_ratio: float = flag(0.1, OPTIM, "last rate over peak rate", low=0.0, high=1.0)
    warmup: float = flag(0.02, OPTIM, "fraction of the steps to warm up", low=0.0, high=1.0)
    schedule: str = flag(
        "cosine", OPTIM, "cosine, or wsd (warm up, stay, decay)", choices=SCHEDULES
    )
    decay: float = flag(0.2, OPTIM, "last fraction of the steps: decay of wsd", low=0.0, high=1.0)
    optimizer: str = flag("adamw", OPTIM, "adamw, or muon for the matrices", choices=OPTIMIZERS)
    weight_decay: float = flag(0.1, OPTIM, "of matrices", low=0.0)
    beta2: float = flag(0.95, OPTIM, "AdamW's second-moment decay", low=0.0, high=0.999999)
    grad_clip: float = flag(1.0, OPTIM, "largest gradient norm; 0 = no limit", low=0.0)
    exploration: float = flag(
        0.5, OPTIM, "fraction of the steps over which routing hardens", low=0.0, high=1.0
    )
    skip_outliers: float = flag(
        0.0, OPTIM, "skip steps whose norm is this many deviations too high; 0 = never", low=0.0
    )
    seed: int = flag(0, OPTIM, "of weights and data order", low=0)
    device: str = flag("auto", MACHINE, "auto, cpu or cuda", choices=DEVICES, renew=True)
    dtype: str = flag("fp32", MACHINE, "of the matrix products", choices=DTYPES)
    shards: int | None = flag(
        None, MACHINE, "ranks that share one copy of the weights; default all", low=1, renew=True
    )
    recompute: bool = flag(False, MACHINE, "keep block inputs only, recompute the rest", renew=True)
    compile: bool = flag(False, MACHINE, "torch.compile every block", renew=True)
    out_dir: str = flag("runs/scale", RUN, "folder of the run", metavar="DIR")
    save_every: int = flag(
        500, RUN, "steps between checkpoints; the last step saves", low=1, renew=True
    )
    keep: int = flag(2, RUN, "checkpoints to keep", low=1, renew=True)
    async_save: bool = flag(True, RUN, "write checkpoints while training goes on", renew=True)
    eval_every: int = flag(250, RUN, "steps between validations; 0 = at the end", low=0, renew=True)
    eval_tokens: int = flag(65536, RUN, "held-out tokens per validation", low=1, renew=True)
    log_every: int = flag(10, RUN, "steps between log lines", low=1, renew=True)
    wandb: bool = flag(False, RUN, "log to Weights & Biases", renew=True)
    tensorboard: bool = flag(False, RUN, "log to TensorBoard", renew=True)
    gpu: str = flag("h100", RUN, "the card --dry-run counts in", choices=GPUS, renew=True)
    mfu: float = flag(
        0.4, RUN, "share of its peak that --dry-run assumes", low=0.01, high=1.0, renew=True
    )
    progressive: str | None = flag(
        None, LEVERS, "grow on the way: tiny@0.3,350m@1.0, or jump, or seed", metavar="STAGES"
    )
    curriculum: tuple[str, ...] = flag(
        (), LEVERS, "change the mix on the way: anneal:SOURCE=0.5 lengths:64..1024", metavar="PART"
    )
    token_selection: str | None = flag(
        None, LEVERS, "learn targets that --reference finds easier: excess:0.6", metavar="RULE"
    )
    reference: str | None = flag(
        None, LEVERS, "model that --token-selection compares with", metavar="PATH", renew=True
    )
    modular_phase: str | None = flag(
        None,
        LEVERS,
        "train in phases: a backbone, one kind on it, or their sum",
        choices=MODULAR_PHASES,
    )
    modular_backbone_ckpt: str | None = flag(
        None, LEVERS, "run of the backbone that a branch or a sum stands on", metavar="DIR"
    )
    modular_neural_ckpt: str | None = flag(
        None, LEVERS, "run of the neural branch, to assemble", metavar="DIR"
    )
    modular_memory_ckpt: str | None = flag(
        None, LEVERS, "run of the memory branch, to assemble", metavar="DIR"
    )
    modular_symbolic_ckpt: str | None = flag(
        None, LEVERS, "run of the symbolic branch, to assemble", metavar="DIR"
    )
    modular_shared: str | None = flag(
        None, LEVERS, "30% of a branch's data; default the backbone's", metavar="MIX", renew=True
    )
    token_recycling: bool = flag(
        False, LEVERS, "weigh targets by how hard they are for their token"
    )
    weights: str = flag("fp32", LEVERS, "weights are kept in fp32, or in bf16 alone", choices=KEPT)
    moments: str | None = flag(
        None, LEVERS, "AdamW's moments beside bf16 weights; default bf16", choices=KEPT
    )
    rounding: str = flag(
        "nearest", LEVERS, "of updates to bf16: nearest, stochastic or kahan", choices=ROUNDINGS
    )

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            check(Settings, f, getattr(self, f.name))
        if self.global_batch_size % (self.micro_batch_size or 1):
            raise ValueError(
                f"--micro-batch-size {self.micro_batch_size}: must divide "
                f"--global-batch-size {self.global_batch_size}"
            )
        if self.phase == "instruct" and self.init_from is None:
            raise ValueError(
                "--phase instruct: needs --init-from RUN, whose weights it starts from"
            )
        if self.export is not None and self.resume is None:
            raise ValueError(f"--export {self.export}: needs --resume RUN, whose weights it writes")
        if self.lr == 0:
            raise ValueError("--lr 0: must be > 0")
        if self.weights == "bf16" and (self.dtype != "bf16" or self.optimizer != "adamw"):
            raise ValueError("--weights bf16: needs --dtype bf16 and --optimizer adamw")
        self._check_token_weights()

    def _check_token_weights(self) -> None:
        if self.token_selection is not None:
            parse_share(self.token_selection)
            if self.reference is None:
                raise ValueError(
                    f"--token-selection {self.token_selection}: needs --reference PATH, a trained "
                    "model with the same tokenizer"
                )
            if self.token_recycling:
                raise ValueError("--token-recycling: --token-selection is given; choose one")
        elif self.reference is not None:
            raise ValueError(
                f"--reference {self.reference}: needs --token-selection, which compares with it"
            )

    @property
    def mix(self) -> str:
        """The data to read."""
        return self.data or ("mix:instruct" if self.phase == "instruct" else "pydoc")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)

    def saved(self) -> dict[str, Any]:
        """The settings that a later ``--resume`` goes by: all but the errand of this start."""
        todo = {"smoke": False, "dry_run": False, "show_settings": False}
        return self.to_dict() | todo | {"resume": None, "export": None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        """The settings that :meth:`to_dict` wrote, also in an older version.

        Raises:
            ValueError: a field that this version does not know, or a bad value.
        """
        known = {f.name for f in dataclasses.fields(cls)}
        values = {RENAMED.get(name, name): value for name, value in values.items()}
        if (phase := values.get("modular_phase")) in RENAMED_PHASES:
            values["modular_phase"] = RENAMED_PHASES[phase]
        for name in values:
            if name not in known:
                raise ValueError(f"settings: {name!r} is unknown; known: {sorted(known)}")
        lists = {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
        return cls(**{**values, **lists})


def renewed(saved: Settings, flags: Mapping[str, Any]) -> Settings:
    """``saved`` with the flags that were given anew at ``--resume``.

    Raises:
        ValueError: a flag that would make it another run.
    """
    fields = dataclasses.fields(Settings)
    renewable = [flag_name(f.name) for f in fields if f.metadata["renew"]]
    for f in fields:
        same = f.name not in flags or flags[f.name] == getattr(saved, f.name)
        if not (f.metadata["renew"] or same):
            raise ValueError(
                f"{flag_name(f.name)} {flags[f.name]}: the run was started with "
                f"{getattr(saved, f.name)}; --resume can change only {', '.join(renewable)}"
            )
    return dataclasses.replace(saved, **flags)


def parse_share(text: str) -> float:
    """The share of the targets that ``excess`` or ``excess:SHARE`` keeps.

    Raises:
        ValueError: another rule, or a share outside (0, 1].
    """
    rule, colon, number = text.partition(":")
    try:
        share = float(number) if colon else SHARE
    except ValueError:
        share = math.nan
    if rule != "excess" or not 0 < share <= 1:
        raise ValueError(
            f"--token-selection {text}: must be excess or excess:SHARE, SHARE in (0, 1]"
        )
    return share
