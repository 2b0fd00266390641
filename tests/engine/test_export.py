"""A trained model comes out of a run whole: by ``prism.load`` and as one file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import prism
from prism.engine.models import make_model, model_config
from prism.engine.store import checkpoint, folder
from prism.engine.store.export import export
from tests.engine.fakes import TOP2, VOCAB, fit, small, small_trainer, whole

TOKENS = torch.arange(12)[None] % VOCAB


@pytest.fixture(scope="module", params=["prism", "gdn"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    with small_trainer(small(steps=2, model=request.param, set=TOP2, save_every=1), path) as t:
        t.spec.identity["tokenizer"] = "bytes"
        fit(t)
        torch.save(whole(dict(t.model.named_parameters())), path / "wanted.pt")
    return path


def test_a_run_a_checkpoint_and_an_export_give_the_same_model(run: Path, tmp_path: Path) -> None:
    model = prism.load(run)
    wanted = torch.load(run / "wanted.pt", weights_only=True)
    for name, p in model.named_parameters():
        assert torch.equal(p, wanted[name]), name
    assert not model.training
    logits = model(TOKENS).logits
    assert torch.equal(prism.load(folder.newest(run))(TOKENS).logits, logits)
    assert not torch.equal(prism.load(folder.complete(run)[0])(TOKENS).logits, logits)
    export(run, tmp_path / "sub" / "model.safetensors")
    again = prism.load(tmp_path / "sub" / "model.safetensors")
    assert torch.equal(again(TOKENS).logits, logits)
    assert again.config == model.config


def test_what_is_not_a_model_is_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing"):
        prism.load(tmp_path / "nothing")
    (tmp_path / "x.safetensors").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"x\.safetensors: not a safetensors file"):
        prism.load(tmp_path / "x.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "y.safetensors")
    with pytest.raises(ValueError, match=r"y\.safetensors: no 'prism' in its header"):
        prism.load(tmp_path / "y.safetensors")


def test_an_export_replaces_an_export_and_nothing_else(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "model.safetensors")
    export(run, tmp_path / "model.safetensors")
    (tmp_path / "book.txt").write_text("a text")
    save_file({"a": torch.zeros(1)}, tmp_path / "y.safetensors")
    for name in ("book.txt", "y.safetensors"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(ValueError, match=f"{name}: is there and no export of a run"):
            export(run, tmp_path / name)
        assert (tmp_path / name).read_bytes() == before


def test_a_model_that_does_not_fit_is_refused(run: Path) -> None:
    wider = make_model("prism", model_config(small(set=(*TOP2, "neural_hidden=7")), VOCAB))
    with pytest.raises(ValueError, match=r"(shape of|tensor) 'model\.\S+' is"):
        checkpoint.load_tensors(folder.newest(run), checkpoint.persistent(wider), alone=True)


def test_half_an_export_holds_matrices_in_bf16_and_all_else_exactly(
    run: Path, tmp_path: Path
) -> None:
    export(run, tmp_path / "whole.safetensors")
    export(run, tmp_path / "half.safetensors", half=True)
    whole_model, half_model = (prism.load(tmp_path / f"{n}.safetensors") for n in ("whole", "half"))
    theirs = dict(half_model.named_parameters())
    for name, p in whole_model.named_parameters():
        wanted = p.bfloat16().float() if p.ndim >= 2 else p
        assert torch.equal(theirs[name], wanted), name
    sizes = [(tmp_path / f"{n}.safetensors").stat().st_size for n in ("whole", "half")]
    assert sizes[1] < 0.7 * sizes[0]
    damaged = bytearray((tmp_path / "half.safetensors").read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "half.safetensors").write_bytes(damaged)
    with pytest.raises(ValueError, match="is damaged"):
        prism.load(tmp_path / "half.safetensors")


def test_an_export_says_that_its_tokenizer_has_gone(tmp_path: Path) -> None:
    with small_trainer(small(steps=1, save_every=1, tokenizer="words.json"), tmp_path / "run") as t:
        t.spec.identity["tokenizer"] = "0" * 32
        fit(t)
    with pytest.warns(UserWarning, match=r"words.json: no such file.*the export is without it"):
        export(tmp_path / "run", tmp_path / "model.safetensors")
    assert prism.load(tmp_path / "model.safetensors").config.vocab_size == VOCAB
