"""A model may be named by what it is called in the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from prism import loading
from prism.loading import load_with_tokenizer, released
from tests.test_generate import trained


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(loading, "FOLDER", tmp_path / "package")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "package").mkdir()
    return tmp_path


def test_a_name_finds_the_file_of_the_package(folder: Path) -> None:
    (folder / "package" / "prism-tiny.safetensors").write_bytes(b"")
    assert released("prism-tiny") == folder / "package" / "prism-tiny.safetensors"
    assert released("prism-large") == Path("prism-large")
    assert released("runs/prism-tiny") == Path("runs/prism-tiny")


def test_a_folder_of_ones_own_comes_first(folder: Path) -> None:
    (folder / "package" / "prism-tiny.safetensors").write_bytes(b"")
    (folder / "prism-tiny").mkdir()
    assert released("prism-tiny") == Path("prism-tiny")


def test_a_released_model_is_loaded_with_its_tokenizer(folder: Path) -> None:
    from prism.engine.store.export import export

    run = trained(folder / "run", "bytes")
    export(run, folder / "package" / "prism-tiny.safetensors", half=True)
    model, tokenizer = load_with_tokenizer("prism-tiny")
    assert tokenizer.fingerprint() == "bytes"
    assert not model.training
