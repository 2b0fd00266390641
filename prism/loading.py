"""Trained models from wherever they were put, with the tokenizer that they speak.

A folder that ``model.save`` wrote, a run of ``python -m prism.run_scale`` (its newest checkpoint),
one of its checkpoints, the file that ``--export`` wrote, or ``prism-small``, which comes with the
package (docs/MODEL_CARD.md).
"""

from __future__ import annotations

from pathlib import Path

import torch

from prism.baselines import load_saved
from prism.data.tokens import ByteTokenizer, Tokenizer, open_tokenizer
from prism.model.protocol import LanguageModel

FOLDER = Path(__file__).parent / "released"


def released(path: str | Path) -> Path:
    """The file of the model of this name that comes with the package; ``path`` itself where there
    is none, or where something of that name lies in the working folder."""
    here = Path(path)
    file = FOLDER / f"{here.name}.safetensors"
    is_name = len(here.parts) == 1 and not here.exists()
    return file if is_name and file.is_file() else here


def load(path: str | Path, device: str | torch.device = "cpu") -> LanguageModel:
    """The model at ``path``, PRISM or a baseline, on ``device``, in evaluation mode.

    Raises:
        FileNotFoundError: there is nothing there.
        ValueError: what is there is not a whole model; names the file and what is wrong.
    """
    where = released(path)
    in_run = (where / "COMPLETE").is_file() or any(where.glob("step-*/COMPLETE"))
    if not (where.is_file() or in_run):
        return load_saved(where, device)
    from prism.engine.store.export import load_trained  # the trainer's reader, only for its files

    return load_trained(where).to(device)


def load_with_tokenizer(
    path: str | Path, tokenizer: str | None = None
) -> tuple[LanguageModel, Tokenizer]:
    """The model at ``path`` in evaluation mode, and its tokenizer.

    Args:
        tokenizer: ``"bytes"`` or a tokenizer.json; None = the one that the run was trained with,
            or, where that file is gone or none is known, the tokenizer.json beside the model, and
            bytes for a saved model of a byte vocabulary.

    Raises:
        FileNotFoundError: there is nothing there.
        ValueError: no whole model, no tokenizer known, or another tokenizer than the model's.
    """
    where = released(path)
    model = load(where)
    from prism.engine.store.export import tokenizer_of

    name, fingerprint = tokenizer_of(where)
    name = tokenizer or _found(where, name)
    size = model.config.vocab_size
    if name is None and (fingerprint == "bytes" or size in (256, 257)):
        name = "bytes"
    if name is None:
        raise ValueError(f"{path}: vocab_size {size}: must be given a tokenizer.json, --tokenizer")
    spoken = open_tokenizer(name)
    if fingerprint not in (None, spoken.fingerprint()):
        theirs = f"tokenizer {name} has fingerprint {spoken.fingerprint()}"
        raise ValueError(f"{path}: {theirs}: must be {fingerprint}, the model's")
    if spoken.vocab_size > size and not isinstance(spoken, ByteTokenizer):
        raise ValueError(f"{path}: vocab_size {size}: must be at least {spoken.vocab_size}")
    return model, spoken


def _found(path: Path, recorded: str | None) -> str | None:
    """``recorded``, or, if there is no such file, the tokenizer.json in the folder of the model or,
    for a checkpoint, in that of its run."""
    if recorded is not None and (recorded == "bytes" or Path(recorded).exists()):
        return recorded
    folders = (path, path.parent) if path.is_dir() else (path.parent,)
    files = (folder / "tokenizer.json" for folder in folders)
    return next((str(file) for file in files if file.is_file()), recorded)
