"""From flags to a model."""

from __future__ import annotations

import pytest
import torch

from prism import presets
from prism.baselines import MODELS
from prism.engine.models import carries, make_model, model_config
from prism.engine.settings import Settings
from prism.model.state import leaves


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


@pytest.mark.parametrize("name", MODELS)
def test_a_state_is_carried_exactly_if_its_size_is_fixed(name: str) -> None:
    model = make_model(name, presets.tiny(vocab_size=32, d_model=32, num_layers=2)).eval()
    sizes, state = [], None
    with torch.no_grad():
        for _ in range(2):
            state = model(torch.zeros(1, 32, dtype=torch.long), state=state).state
            sizes.append(sum(leaf.numel() for leaf in leaves(state)))
    assert carries(Settings(model=name)) is (sizes[0] == sizes[1])


@pytest.mark.parametrize("name", ["transformer", "transformer-strong", "transformer-lookup"])
def test_a_growing_state_cannot_be_asked_for(name: str) -> None:
    assert not carries(Settings(carry=False))
    with pytest.raises(ValueError, match=f"--carry: the state of {name} grows"):
        carries(Settings(model=name, carry=True))
