"""From flags to a model."""

from __future__ import annotations

import pytest

from prism import presets
from prism.engine.models import carries, make_model, model_config
from prism.engine.settings import Settings


def test_a_preset_with_overrides_and_the_vocabulary_of_the_tokenizer() -> None:
    s = Settings(preset="350m", set=("num_layers=8", "tape.d_mem=16", 'expert_kinds=["neural"]'))
    with pytest.raises(ValueError, match="memory_layers"):
        model_config(s, 257)
    config = model_config(Settings(set=("num_layers=2", "tape.d_mem=16"), seed=3), 257)
    assert (config.num_layers, config.tape.d_mem, config.seed) == (2, 16, 3)
    assert config.vocab_size == 257
    assert config.d_model == presets.tiny().d_model
    assert model_config(Settings(set=("vocab_size=320",)), 257).vocab_size == 320


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("d_model", r"--set d_model: must be KEY=VALUE"),
        ("d_model=wide", r"--set d_model=wide: the value must be JSON"),
        ("dmodel=8", r"--set dmodel: must be one of .*d_model"),
        ("tape.size=8", r"--set tape.size: tiny has no such field"),
        ("d_model=-8", r"PrismConfig.d_model = -8: must be"),
    ],
)
def test_a_bad_override_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model_config(Settings(set=(text,)), 257)


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(ValueError, match=r"--model rnn: must be one of prism"):
        make_model("rnn", presets.tiny())


def test_only_a_state_of_fixed_size_is_carried() -> None:
    assert carries(Settings())
    assert not carries(Settings(carry=False))
    assert not carries(Settings(model="transformer"))
    with pytest.raises(ValueError, match=r"--carry: the state of transformer grows"):
        carries(Settings(model="transformer", carry=True))
