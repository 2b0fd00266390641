"""``--distill`` of ``python -m prism.run_scale``: training on a store of a teacher.

The flags, and the loss that they give (:mod:`prism.distill.losses`) for the stores in ``--data``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from prism.data import open_tokenizer
from prism.data.teacher_store import StoreSource
from prism.distill.losses import KINDS, Distillation, Recipe
from prism.distill.marginal import Marginaliser, student_pieces
from prism.distill.store import Store
from prism.distill.targets import StoreTargets
from prism.distill.teacher import check_head, open_teacher
from prism.engine.extension import Extension, Parts
from prism.engine.flags import check, flag, flag_name
from prism.engine.levers.modular import data_of
from prism.engine.loop.trainer import TrainSpec
from prism.engine.parallel.world import World

GROUP = "distillation"


@dataclass(frozen=True)
class DistillFlags:
    """Flags of the extension."""

    distill: str | None = flag(
        None, GROUP, "learn from the teacher of the stores in --data: full, topk or rs",
        choices=KINDS,
    )  # fmt: skip
    distill_weight: float = flag(0.5, GROUP, "of the teacher against the text", low=0, high=1)
    distill_temperature: float = flag(1.0, GROUP, "of both distributions", low=0.05, high=100)
    distill_top_k: int = flag(50, GROUP, "tokens of topk", low=1)
    distill_draws: int = flag(50, GROUP, "draws of rs", low=1)

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            check(type(self), f, value)
            if f.name == "distill" or value == f.default:
                continue
            kinds = {"distill_top_k": ("topk",), "distill_draws": ("rs",)}.get(f.name, KINDS)
            if self.distill not in kinds:
                need = f"has no effect without --distill {' or '.join(kinds)}"
                raise ValueError(f"{flag_name(f.name)} {value}: {need}")


def build(flags: DistillFlags, spec: TrainSpec, w: World) -> Parts:
    """The loss, if it is asked for.

    Raises:
        ValueError: no store in the data, another teacher than the store's, or a student whose
            tokens the teacher's do not consist of.
    """
    if flags.distill is None:
        return Parts()
    stores = [s.source for s in data_of(spec.s).sources if isinstance(s.source, StoreSource)]
    if not stores:
        raise ValueError(f"--distill {flags.distill}: needs --data store:DIR, written by "
                         "python -m prism.distill capture")  # fmt: skip
    tokenizer = open_tokenizer(spec.s.tokenizer)
    sources, identity = [], {}
    for source in stores:
        store = Store(source.folder)
        teacher = open_teacher(store.teacher["name"])
        check_head(teacher.head, store.teacher)
        if teacher.tokenizer.fingerprint() != store.teacher["tokenizer"]:
            raise ValueError(f"store {source.folder}: the teacher's tokenizer has changed; must be "
                             f"{store.teacher['tokenizer']}")  # fmt: skip
        pieces = student_pieces(teacher.tokenizer, tokenizer)
        marginaliser = Marginaliser(pieces, tokenizer.vocab_size, teacher.head)
        sources.append(StoreTargets(store, tokenizer, marginaliser))
        identity[f"store {source.name}"] = source.fingerprint()
    recipe = Recipe(
        flags.distill,
        flags.distill_weight,
        flags.distill_temperature,
        flags.distill_top_k,
        flags.distill_draws,
        spec.s.seed,
    )
    names = ", ".join(s.name for s in stores)
    return Parts(
        loss=Distillation(recipe, sources),
        identity=identity,
        remarks=(f"distillation: {recipe.kind}, weight {recipe.weight:g}, from {names}",),
    )


DISTILLATION = Extension("distillation", flags=DistillFlags, build=build)
