"""A saved model comes back to the bit, and files that do not belong together are refused."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file

import prism
from prism import Prism
from tests.model.families import VARIANTS, perturbed, shrunk, tokens_of


@pytest.fixture
def saved(tmp_path):
    Prism(shrunk("tiny", num_layers=1)).save(tmp_path)
    return tmp_path


def rewrite_header(folder, **changes) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def rewrite_weights(folder, change) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("tie_embeddings", (True, False), ids=("tied", "untied"))
@torch.no_grad()
def test_a_model_comes_back_to_the_bit(name, tie_embeddings, tmp_path):
    values = {**VARIANTS[name].to_dict(), "tie_embeddings": tie_embeddings}
    model = perturbed(prism.PrismConfig.from_dict(values), torch.float32)
    model.save(tmp_path / "deep" / "folder")
    back = prism.load(tmp_path / "deep" / "folder")
    assert back.config == model.config
    for (key, a), b in zip(model.state_dict().items(), back.state_dict().values(), strict=True):
        assert torch.equal(a, b), key
    tokens = tokens_of(0, 2, 11)
    assert torch.equal(model(tokens).logits, back(tokens).logits)
    assert (back.head.weight is back.embedding.weight) == tie_embeddings


def test_a_model_of_an_earlier_architecture_is_refused_in_one_line(saved):
    config = json.loads((saved / "config.json").read_text())["config"]
    del config["neural_taps"]
    rewrite_header(saved, config=config)
    with pytest.raises(ValueError, match=r"config\.json: .* by an earlier architecture") as refusal:
        prism.load(saved)
    assert "\n" not in str(refusal.value)


def test_a_tied_head_is_stored_once(saved):
    assert "head.weight" not in load_file(saved / "model.safetensors")


def test_saving_again_replaces_what_was_there_and_leaves_no_other_file(saved):
    Prism(shrunk("tiny", num_layers=1, seed=5)).save(saved)
    assert prism.load(saved).config.seed == 5
    assert sorted(p.name for p in saved.iterdir()) == ["config.json", "model.safetensors"]


def test_a_save_that_fails_leaves_the_model_that_was_there(saved, monkeypatch):
    before = {p.name: p.read_bytes() for p in saved.iterdir()}

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("prism.whole_file.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        Prism(shrunk("tiny", num_layers=1, seed=5)).save(saved)
    assert {p.name: p.read_bytes() for p in saved.iterdir()} == before


@pytest.mark.parametrize("name", ("config.json", "model.safetensors"))
def test_a_missing_file_is_named(saved, name):
    (saved / name).unlink()
    with pytest.raises(FileNotFoundError, match=re.escape(str(saved / name))):
        prism.load(saved)


def test_a_missing_tensor_is_named(saved):
    rewrite_weights(saved, lambda w: w.pop("last_norm.weight"))
    with pytest.raises(ValueError, match=r"'last_norm\.weight' is missing"):
        prism.load(saved)


def test_an_unknown_tensor_is_named(saved):
    rewrite_weights(saved, lambda w: w.update(stranger=torch.zeros(1)))
    with pytest.raises(ValueError, match="'stranger' is unknown"):
        prism.load(saved)


def test_a_wrong_shape_is_named_with_both_shapes(saved):
    rewrite_weights(saved, lambda w: w.update({"last_norm.weight": torch.ones(3)}))
    with pytest.raises(ValueError, match=r"'last_norm\.weight' is \(3,\): must be \(16,\)"):
        prism.load(saved)


def test_a_wrong_dtype_is_named(saved):
    rewrite_weights(saved, lambda w: w.update({"last_norm.weight": torch.ones(16).double()}))
    with pytest.raises(ValueError, match=r"'last_norm\.weight' is torch\.float64"):
        prism.load(saved)


def test_a_field_that_this_version_does_not_know_is_named(saved):
    header = json.loads((saved / "config.json").read_text())
    rewrite_header(saved, config={**header["config"], "flux": 1})
    with pytest.raises(ValueError, match="flux: unknown field"):
        prism.load(saved)


@pytest.mark.parametrize("field, value", (("format", 2), ("model", "rnn")))
def test_another_format_is_refused(saved, field, value):
    rewrite_header(saved, **{field: value})
    with pytest.raises(ValueError, match=f"{field} = {value!r}: must be"):
        prism.load(saved)


@pytest.mark.parametrize("text", ("", "[1, 2]", '{"format": 1', "null"))
def test_a_config_that_is_no_json_object_is_refused(saved, text):
    (saved / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"config\.json"):
        prism.load(saved)


def test_a_header_without_a_config_is_refused(saved):
    (saved / "config.json").write_text('{"format": 1, "model": "prism"}')
    with pytest.raises(ValueError, match="config"):
        prism.load(saved)


def test_truncated_weights_are_refused(saved):
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        prism.load(saved)
