"""How large the lever benchmark is: models, budgets, rates, seeds; full, and quick for tests."""

from __future__ import annotations

from benchmarks.levers import curriculum as levers_curriculum
from benchmarks.levers import growth as levers_growth
from benchmarks.levers import modular as levers_modular
from benchmarks.levers import selection as levers_selection
from benchmarks.levers.growth import NARROW, SHALLOW, TARGET
from benchmarks.levers.text import VOCABULARY, Shape
from prism import PrismConfig, TapeConfig
from prism.studies.modular.experiment import QUICK, StudySizes

CONTEXT = 256.0  # longest half-life


def config(d_model: int, num_layers: int) -> dict[str, object]:
    """A PRISM for text, as JSON: two kinds, as nothing in prose has to be counted exactly."""
    return PrismConfig(
        vocab_size=VOCABULARY,
        d_model=d_model,
        num_layers=num_layers,
        half_life_max=CONTEXT,
        tape=TapeConfig(content_heads=1, position_heads=1, num_slots=16, d_mem=16),
        expert_kinds=("neural", "memory"),
    ).to_dict()


GROWTH = {
    "full": levers_growth.Sizes(
        configs={TARGET: config(96, 6), NARROW: config(48, 6), SHALLOW: config(96, 2)},
        shape=Shape(rows=8, length=128, held_out=2**14),
        steps=1000,
        warm_up=60,
        shares=(0.7, 1.0),
        tuning_share=0.7,
        small_share=0.65,
        decay_share=0.25,
        watched=100,
        rounds=15,
        rates=(0.002, 0.004, 0.008),
        tuning_seed=1000,
    ),
    "quick": levers_growth.Sizes(
        configs={TARGET: config(16, 2), NARROW: config(8, 2), SHALLOW: config(16, 1)},
        shape=Shape(rows=2, length=16, held_out=256),
        steps=8,
        warm_up=2,
        shares=(0.6, 1.0),
        tuning_share=1.0,
        small_share=0.2,
        decay_share=0.25,
        watched=4,
        rounds=1,
        rates=(0.01,),
        tuning_seed=1000,
    ),
}

SELECTION = {
    "full": levers_selection.Sizes(
        config=config(128, 4),
        reference=config(64, 2),
        shape=Shape(rows=8, length=128, held_out=2**14),
        steps=400,
        reference_steps=400,
        reference_rate=0.004,
        warm_up=40,
        shares=(0.5, 0.75, 1.0),
        decay_share=0.25,
        noise=0.3,
        span=16,
        kept=0.6,
        rates=(0.0015, 0.003, 0.006),
        tuning_seed=1000,
    ),
    "quick": levers_selection.Sizes(
        config=config(16, 1),
        reference=config(8, 1),
        shape=Shape(rows=2, length=16, held_out=256),
        steps=8,
        reference_steps=4,
        reference_rate=0.005,
        warm_up=2,
        shares=(0.5, 1.0),
        decay_share=0.25,
        noise=0.3,
        span=4,
        kept=0.6,
        rates=(0.01,),
        tuning_seed=1000,
    ),
}
CURRICULUM = {
    "full": levers_curriculum.Sizes(
        config=config(128, 4),
        shape=Shape(rows=8, length=128, held_out=2**14),
        steps=400,
        warm_up=40,
        decay_share=0.25,
        share=0.1,
        annealed=(0.2, 0.25, 0.3, 0.5),
        rates=(0.0015, 0.003, 0.006),
        tuning_seeds=(1000, 1001, 1002),
    ),
    "quick": levers_curriculum.Sizes(
        config=config(16, 1),
        shape=Shape(rows=2, length=16, held_out=256),
        steps=8,
        warm_up=2,
        decay_share=0.25,
        share=0.2,
        annealed=(0.3, 0.5),
        rates=(0.01,),
        tuning_seeds=(1000,),
    ),
}
MODULAR = {
    "full": levers_modular.Sizes(
        study=StudySizes(), rates=(0.0015, 0.003, 0.006), tuning_seeds=(1000, 1001)
    ),
    "quick": levers_modular.Sizes(study=QUICK, rates=(0.006,), tuning_seeds=(1000,)),
}
