"""A folder that ``transformers`` loads, made of any run, checkpoint, export or save.

    config.json            fields of PrismConfigHF, and where its classes are (``auto_map``)
    model.safetensors      the weights, a tied head left out
    tokenizer.json         of the tokenizers library; bytes are written as one
    tokenizer_config.json  its end token, which also pads
    modeling_prism.py      imports the classes of the installed prism, for ``trust_remote_code``

Nothing here needs ``transformers``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save as to_bytes

from prism import whole_file
from prism.baselines import BASELINES
from prism.config import PrismConfig
from prism.data.tokens import ByteTokenizer, Tokenizer, byte_of_character
from prism.loading import load_with_tokenizer
from prism.model import Prism
from prism.model.protocol import LanguageModel

MODEL_TYPE = "prism"
# names of transformers for fields of PrismConfig
SAME = {
    "vocab_size": "vocab_size",
    "hidden_size": "d_model",
    "num_hidden_layers": "num_layers",
    "tie_word_embeddings": "tie_embeddings",
}
CLASSES = ("PrismConfigHF", "PrismForCausalLM")
MODULE = '''"""Classes of the installed prism package, for ``trust_remote_code=True``."""

try:
    from prism.hf import PrismConfigHF, PrismForCausalLM
except ImportError as error:
    raise ImportError("this model needs prism: pip install 'prism-lm[hf]'") from error

__all__ = ["PrismConfigHF", "PrismForCausalLM"]
'''


def export(path: str | Path, out: str | Path, tokenizer: str | None = None) -> Path:
    """Write the model at ``path`` into the folder ``out``, which is made if needed.

    Args:
        path: a run, one of its checkpoints, an export or a saved model.
        tokenizer: ``"bytes"`` or a tokenizer.json; None = the model's own.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: there is nothing at ``path``.
        ValueError: no whole model, no tokenizer known, or ``out`` holds files of something else.
    """
    folder = Path(out)
    if folder.is_file():
        raise ValueError(f"{folder}: is a file; must be a folder")
    model, spoken = load_with_tokenizer(path, tokenizer)
    others = sorted(p.name for p in folder.glob("*") if p.name == "config.json")
    if others and not _ours(folder / "config.json"):
        raise ValueError(f"{folder}: holds another model's config.json; must be an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    weights = {f"model.{k}": v.contiguous() for k, v in model.state_dict().items()}
    if model.config.tie_embeddings:
        del weights["model.head.weight"]
    whole_file.write(folder / "model.safetensors", to_bytes(weights, metadata={"format": "pt"}))
    for name, text in tokenizer_files(spoken, model.config.vocab_size).items():
        whole_file.write(folder / name, text)
    whole_file.write(folder / "modeling_prism.py", MODULE)
    end = spoken.end if spoken.end < model.config.vocab_size else None
    config = config_file(model, end)
    whole_file.write(folder / "config.json", json.dumps(config, indent=2) + "\n")
    return folder


def make_model(kind: str, fields: Mapping[str, Any], mlp_hidden: int = 0) -> LanguageModel:
    """A new model, PRISM or a baseline.

    Args:
        kind: ``"prism"`` or the name of a baseline.
        fields: of its :class:`PrismConfig`.
        mlp_hidden: of a baseline, the width of its MLP.

    Raises:
        ValueError: an unknown kind, or a config that is not allowed.
    """
    if kind != "prism" and kind not in BASELINES:
        raise ValueError(f"kind = {kind!r}: must be one of {('prism', *BASELINES)}")
    config = PrismConfig.from_dict(dict(fields))
    return Prism(config) if kind == "prism" else BASELINES[kind](config, mlp_hidden)


def config_file(model: LanguageModel, end: int | None) -> dict[str, Any]:
    """Content of config.json; ``end`` is the id that ends a text and pads."""
    fields = model.config.to_dict()
    return {
        "model_type": MODEL_TYPE,
        "architectures": [CLASSES[1]],
        "auto_map": {
            "AutoConfig": f"modeling_prism.{CLASSES[0]}",
            "AutoModelForCausalLM": f"modeling_prism.{CLASSES[1]}",
        },
        "prism": fields,
        **{name: fields[ours] for name, ours in SAME.items()},
        "kind": model.kind,
        "mlp_hidden": 0 if model.kind == "prism" else model.hidden,
        "dtype": str(model.embedding.weight.dtype).removeprefix("torch."),
        "use_cache": True,
        "eos_token_id": end,
        "pad_token_id": end,
    }


def tokenizer_files(tokenizer: Tokenizer, vocab_size: int) -> dict[str, str]:
    """Content of tokenizer.json and tokenizer_config.json."""
    if isinstance(tokenizer, ByteTokenizer):
        whole = json.dumps(byte_tokenizer(vocab_size > tokenizer.end), ensure_ascii=False)
        end = "<|end|>" if vocab_size > tokenizer.end else None
    else:
        whole = tokenizer.path.read_text("utf-8")
        end = tokenizer.piece(tokenizer.end).decode()
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": end,
        "pad_token": end,
        "padding_side": "left",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 10**30,  # the state has one size whatever was read
    }
    return {"tokenizer.json": whole, "tokenizer_config.json": json.dumps(config, indent=2) + "\n"}


def byte_tokenizer(end: bool) -> dict[str, Any]:
    """UTF-8 bytes as a tokenizer.json: a byte-level BPE without merges, id = byte.

    Args:
        end: with the end of a text as id 256.
    """
    special = {
        "id": 256,
        "content": "<|end|>",
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    level["use_regex"] = False
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [special] if end else [],
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": None,
        "decoder": level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": dict(byte_of_character()),
            "merges": [],
        },
    }


def _ours(config: Path) -> bool:
    """True for a config.json that :func:`export` wrote."""
    try:
        return json.loads(config.read_text("utf-8")).get("model_type") == MODEL_TYPE
    except (ValueError, AttributeError):
        return False
