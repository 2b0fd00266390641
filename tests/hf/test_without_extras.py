"""The part of prism.hf that needs no extra: cache, mask, export, and the words of an error.

That transformers itself reads these files, generates, trains and merges is tested by the other
files of this folder, which need the extras: ``make test-hf``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from prism import Prism
from prism.data.tokens import ByteTokenizer
from prism.hf import PrismCache, export
from prism.hf.__main__ import main
from prism.hf.cache import segments_of
from prism.hf.export import byte_tokenizer, make_model
from tests.hf.conftest import MODELS, NEEDED, small, tokens_of

ABSENT = """
import sys
for name in ("transformers", "lm_eval", "peft", "accelerate"):
    sys.modules[name] = None
import prism
assert "prism.hf" not in sys.modules
import prism.hf
from prism.hf.__main__ import main
for name in ("PrismConfigHF", "PrismForCausalLM"):
    try:
        getattr(prism.hf, name)
    except ImportError as error:
        wanted = f"prism.hf.{name} needs transformers: pip install 'prism-lm[hf]'"
        assert str(error) == wanted, error
    else:
        raise AssertionError(name)
assert not hasattr(prism.hf, "PrismForSpeech")
try:
    import prism.hf.harness
except ImportError as error:
    assert "pip install 'prism-lm[eval]'" in str(error), error
assert main(["export", sys.argv[1], sys.argv[2]]) == 0
"""


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A saved model of bytes."""
    small().save(tmp_path / "saved")
    return tmp_path / "saved"


def test_every_file_of_this_folder_says_what_it_needs():
    files = {path.name for path in Path(__file__).parent.glob("test_*.py")}
    assert files == {*NEEDED, Path(__file__).name}


def test_without_transformers_it_exports_and_says_what_is_missing(saved: Path, tmp_path: Path):
    argv = [sys.executable, "-c", ABSENT, str(saved), str(tmp_path / "out")]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "config.json").is_file()


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_a_folder_holds_the_whole_model(name: str, tmp_path: Path):
    model = small(name)
    model.save(tmp_path / "saved")
    out = export(tmp_path / "saved", tmp_path / "out")
    config = json.loads((out / "config.json").read_text())
    again = make_model(config["kind"], config["prism"], config["mlp_hidden"]).double().eval()
    weights = load_file(out / "model.safetensors")
    assert "model.head.weight" not in weights  # tied
    again.load_state_dict({k.removeprefix("model."): v for k, v in weights.items()}, strict=False)
    tokens = tokens_of(0, 2, 9)
    assert torch.equal(again(tokens).logits, model(tokens).logits)
    assert config["vocab_size"] == 257
    assert (config["hidden_size"], config["num_hidden_layers"]) == (32, model.config.num_layers)
    assert config["dtype"] == "float64" and config["eos_token_id"] == config["pad_token_id"] == 256
    assert config["auto_map"]["AutoModelForCausalLM"] == "modeling_prism.PrismForCausalLM"
    names = {"config.json", "model.safetensors", "modeling_prism.py"}
    assert {p.name for p in out.iterdir()} == names | {"tokenizer.json", "tokenizer_config.json"}


def test_a_head_of_its_own_is_kept(tmp_path: Path):
    small(tie_embeddings=False).save(tmp_path / "saved")
    out = export(tmp_path / "saved", tmp_path / "out")
    assert "model.head.weight" in load_file(out / "model.safetensors")
    assert json.loads((out / "config.json").read_text())["tie_word_embeddings"] is False


def test_the_tokenizer_of_bytes_is_the_same_in_the_file():
    library = pytest.importorskip("tokenizers")  # of the extra dev
    inner = library.Tokenizer.from_str(json.dumps(byte_tokenizer(True)))
    every = "".join(map(chr, range(0x250))) + "€𝄞 \n\t  the bus's 12,000!"
    assert inner.encode(every, add_special_tokens=False).ids == ByteTokenizer().encode(every)
    assert inner.decode(inner.encode(every).ids) == every
    assert inner.token_to_id("<|end|>") == 256
    assert "<|end|>" not in json.dumps(byte_tokenizer(False))


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_a_cache_reorders_and_repeats_rows(name: str):
    model, tokens, more = small(name), tokens_of(0, 3, 5), tokens_of(1, 3, 4)
    cache = PrismCache(model(tokens).state, 5)
    cache.reorder_cache(torch.tensor([2, 0, 0]))
    wanted = model(torch.cat([tokens[[2, 0, 0]], more], dim=1)).logits[:, 5:]
    found = model(more, state=cache.state).logits
    assert (found - wanted).abs().max() < 1e-10
    cache.batch_repeat_interleave(2)
    found = model(more.repeat_interleave(2, dim=0), state=cache.state).logits
    assert (found - wanted.repeat_interleave(2, dim=0)).abs().max() < 1e-10
    assert cache.get_seq_length() == 5
    cache.reset()
    assert cache.state is None and cache.get_seq_length() == 0


def test_a_mask_becomes_segment_ids():
    mask = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 0]])
    assert segments_of(mask, None, 4).tolist() == [[-1, -1, 0, 0], [0, 0, 0, -1]]
    assert segments_of(mask, None, 1).tolist() == [[0], [-1]]  # of the newest token
    assert segments_of(torch.ones(2, 7), None, 4) is None
    assert segments_of(None, None, 4) is None
    with pytest.raises(ValueError, match=r"attention_mask of shape \[2, 4\]: must be"):
        segments_of(mask, None, 5)


def test_positions_that_begin_again_are_documents():
    positions = torch.tensor([[0, 1, 2, 0, 1, 0]])
    assert segments_of(None, positions, 6).tolist() == [[1, 1, 1, 2, 2, 3]]
    assert segments_of(None, torch.arange(6)[None], 6) is None


@pytest.mark.parametrize(
    "name, says",
    (
        ("no/such", "config.json: no such file"),
        ("words", "vocab_size 64: must be given a tokenizer.json, --tokenizer"),
    ),
)
def test_bad_input_is_one_line_and_code_2(
    name: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    config = small().config.to_dict() | {"vocab_size": 64}
    Prism(type(small().config).from_dict(config)).save(tmp_path / "words")
    with pytest.raises(SystemExit) as stop:
        main(["export", str(tmp_path / name), str(tmp_path / "out")])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and says in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_another_models_folder_is_not_overwritten(saved: Path, tmp_path: Path):
    other = tmp_path / "bert"
    other.mkdir()
    (other / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="holds another model's config"):
        export(saved, other)
    assert [p.name for p in other.iterdir()] == ["config.json"]
    with pytest.raises(ValueError, match="holds another model's config"):
        export(saved, saved)  # what it reads
    export(saved, tmp_path / "out")
    export(saved, tmp_path / "out")  # again is allowed


def test_an_unknown_kind_is_named():
    with pytest.raises(ValueError, match="kind = 'lstm': must be one of"):
        make_model("lstm", {"vocab_size": 5})
