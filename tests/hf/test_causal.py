"""The classes of transformers: the call, loss, round trips and the exported folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from prism import Prism
from prism.hf import PrismConfigHF, PrismForCausalLM, export
from prism.model.state import leaves
from tests.hf.conftest import MODELS, small, tokens_of

every_model = pytest.mark.parametrize("name", MODELS)
REMOTE = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
assert not any(name.startswith("prism") for name in sys.modules)
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], trust_remote_code=True)
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1], trust_remote_code=True)
rows = tokenizer(["The bus is", "A"], return_tensors="pt", padding=True)
text = model.generate(**rows, max_new_tokens=6, do_sample=False, eos_token_id=None)
print(text[:, -6:].tolist())
"""


@every_model
@torch.no_grad()
def test_a_round_trip_keeps_every_bit(name, tmp_path):
    wrapped = PrismForCausalLM.of(small(name))
    wrapped.save_pretrained(tmp_path)
    for again in (
        PrismForCausalLM.from_pretrained(tmp_path),
        AutoModelForCausalLM.from_pretrained(tmp_path),
    ):
        assert not again.training and again.dtype == torch.float64
        assert again.model.head.weight is again.model.embedding.weight
        for key, value in wrapped.state_dict().items():
            assert torch.equal(again.state_dict()[key], value), key
        tokens = tokens_of(0, 2, 9)  # rounded in another way where the file is mapped to memory
        assert (again(tokens).logits - wrapped(tokens).logits).abs().max() < 1e-12
    assert "model.head.weight" not in load_file(tmp_path / "model.safetensors")
    assert isinstance(AutoConfig.from_pretrained(tmp_path), PrismConfigHF)


@torch.no_grad()
def test_a_head_of_its_own_survives_the_round_trip(tmp_path):
    wrapped = PrismForCausalLM.of(small(tie_embeddings=False))
    wrapped.save_pretrained(tmp_path)
    again = PrismForCausalLM.from_pretrained(tmp_path)
    assert again.model.head.weight is not again.model.embedding.weight
    tokens = tokens_of(0, 2, 9)
    assert (again(tokens).logits - wrapped(tokens).logits).abs().max() < 1e-12


@torch.no_grad()
def test_half_precision_keeps_the_buffers_that_are_single(tmp_path):
    wrapped = PrismForCausalLM.of(small(dtype=torch.float32, router_topk=2))
    wrapped.save_pretrained(tmp_path)
    again = PrismForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert again.model.embedding.weight.dtype == torch.bfloat16
    biases = [b for name, b in again.model.named_buffers() if name.endswith("selection_bias")]
    assert biases and all(b.dtype == torch.float32 for b in biases)
    wanted = Prism(again.model.config).bfloat16().eval()
    wanted.load_state_dict(again.model.state_dict())
    tokens = tokens_of(0, 2, 9)
    assert torch.equal(again(tokens).logits, wanted(tokens).logits)


@torch.no_grad()
def test_a_missing_weight_is_that_of_a_new_model(tmp_path):
    model = small()
    PrismForCausalLM.of(model).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    gone = next(k for k in weights if k.endswith("bus.in_proj.weight") or "blocks.0" in k)
    wanted = dict(model.remade().named_parameters())[gone.removeprefix("model.")]
    del weights[gone]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    again = PrismForCausalLM.from_pretrained(tmp_path)
    found = again.get_parameter(gone)
    assert torch.equal(found, wanted.to(found.dtype))
    kept = next(k for k in weights if k != gone and "blocks.0" in k)
    assert torch.equal(again.get_parameter(kept), weights[kept])


def test_a_new_model_has_the_weights_of_its_seed():
    config = small().config
    new = PrismForCausalLM(PrismConfigHF(prism=config.to_dict()))
    for key, value in Prism(config).state_dict().items():
        assert torch.equal(new.model.state_dict()[key], value)
    other = AutoModelForCausalLM.from_config(PrismConfigHF(prism={"vocab_size": 11, "seed": 3}))
    assert other.config.vocab_size == 11 and other.model.config.seed == 3


def test_a_config_may_be_changed_and_keeps_what_it_was_given(tmp_path):
    config = PrismConfigHF(prism={"vocab_size": 11, "d_model": 32}, use_cache=False)
    config.use_cache = True
    config.save_pretrained(tmp_path)
    again = AutoConfig.from_pretrained(tmp_path)
    assert again.use_cache and again.prism == config.prism
    assert (again.vocab_size, again.hidden_size) == (11, 32)
    with pytest.raises(ValueError, match="d_model"):
        PrismConfigHF(prism={"vocab_size": 11, "d_model": -3})
    with pytest.raises(ValueError, match="kind = 'lstm'"):
        PrismConfigHF(kind="lstm")


@pytest.mark.parametrize("name", ("prism", "gdn"))
@pytest.mark.parametrize("tied", (True, False), ids=("tied", "untied"))
@torch.no_grad()
def test_a_vocabulary_can_grow_and_is_kept(name, tied, tmp_path):
    wrapped, tokens = PrismForCausalLM.of(small(name, tie_embeddings=tied)), tokens_of(0, 2, 9)
    before = wrapped.model(tokens)
    wrapped.resize_token_embeddings(300)
    after = wrapped.model(tokens)
    if name == "prism":  # its answers are probabilities, of which the new ids have a share
        assert (after.hidden - before.hidden).abs().max() < 1e-12
    else:
        assert (after.logits[..., :257] - before.logits).abs().max() < 1e-12
    assert (wrapped.model.head.weight is wrapped.model.embedding.weight) == tied
    wrapped.save_pretrained(tmp_path)
    again = PrismForCausalLM.from_pretrained(tmp_path)
    assert again.config.vocab_size == again.model.config.vocab_size == 300
    assert (again(tokens).logits - wrapped(tokens).logits).abs().max() < 1e-12
    again(torch.tensor([[299]]))


def test_their_names_of_a_size_hold():
    config = PrismConfigHF(prism={"vocab_size": 11, "d_model": 32}, num_hidden_layers=3)
    assert PrismForCausalLM(config).model.config.num_layers == 3
    assert config.prism["num_layers"] == config.num_hidden_layers == 3


@every_model
@torch.no_grad()
def test_padding_on_either_side_changes_nothing(name):
    wrapped, tokens = PrismForCausalLM.of(small(name)), tokens_of(0, 1, 6)
    wanted = wrapped(tokens)
    blank = torch.full((1, 3), 256)
    left = wrapped(torch.cat([blank, tokens], 1), attention_mask=torch.tensor([[0] * 3 + [1] * 6]))
    right = wrapped(torch.cat([tokens, blank], 1), attention_mask=torch.tensor([[1] * 6 + [0] * 3]))
    assert (left.logits[:, 3:] - wanted.logits).abs().max() < 1e-10
    assert (right.logits[:, :6] - wanted.logits).abs().max() < 1e-10
    for out in (left, right):
        more = wrapped(tokens, cache=out.cache).logits
        assert (more - wrapped(tokens, cache=wanted.cache).logits).abs().max() < 1e-10


@torch.no_grad()
def test_packed_positions_are_documents():
    wrapped, tokens = PrismForCausalLM.of(small()), tokens_of(0, 1, 9)
    positions = torch.tensor([[0, 1, 2, 3, 0, 1, 2, 3, 4]])
    found = wrapped(tokens, position_ids=positions).logits
    assert (found[:, 4:] - wrapped(tokens[:, 4:]).logits).abs().max() < 1e-10


def test_the_loss_is_that_of_the_next_token_and_while_training_of_machines_and_router():
    wrapped, tokens = PrismForCausalLM.of(small()), tokens_of(0, 2, 9)
    labels = tokens.clone()
    labels[0, :4] = -100
    out = wrapped(tokens, labels=labels)
    scored = labels[:, 1:] != -100

    def words(logits):
        chance = logits[:, :-1].float().log_softmax(-1)
        return -chance.gather(-1, tokens[:, 1:, None])[..., 0][scored]

    each = words(out.logits)
    assert abs(out.loss - each.mean()) < 1e-6
    wrapped.train()
    own = [words(logits) for logits in wrapped.model(tokens).own]
    assert len(own) == 3
    each = sum(own, each)
    out = wrapped(tokens, labels=labels)
    assert out.aux_loss > 0 and abs(out.loss - each.mean() - out.aux_loss) < 1e-5
    part = wrapped(tokens, labels=labels, num_items_in_batch=torch.tensor(40))
    wanted = each.sum() / 40 + out.aux_loss * len(each) / 40
    assert abs(part.loss - wanted) < 1e-5


def test_the_cache_is_returned_where_asked_for():
    wrapped, tokens = PrismForCausalLM.of(small()), tokens_of(0, 2, 9)
    assert wrapped(tokens, use_cache=False).cache is None
    wrapped.config.use_cache = False
    assert wrapped(tokens).cache is None
    cache = wrapped(tokens, use_cache=True).cache
    assert cache.get_seq_length() == 9 and leaves(cache.state)
    wrapped(tokens, cache=cache)
    assert cache.get_seq_length() == 9  # a call leaves it as it was
    hidden = wrapped(tokens, output_hidden_states=True)
    assert hidden.hidden_states[0].shape == (2, 9, 32)
    assert isinstance(wrapped(tokens, return_dict=False), tuple)
    with pytest.raises(ValueError, match="inputs_embeds: not read by this model"):
        wrapped(inputs_embeds=torch.zeros(1, 2, 32))


@pytest.mark.parametrize("name", ("prism", "gdn"))
def test_an_exported_folder_loads_with_remote_code(name, tmp_path):
    model = small(name)
    model.save(tmp_path / "saved")
    out = export(tmp_path / "saved", tmp_path / "out")
    argv = [sys.executable, "-c", REMOTE, str(out)]
    home = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        argv, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, **home}
    )
    assert done.returncode == 0, done.stderr
    ours = model.generate([list(b"The bus is"), list(b"A")], 6, temperature=0)
    assert json.loads(done.stdout.splitlines()[-1]) == ours.tokens.tolist()


def test_the_exported_tokenizer_is_the_models(tmp_path: Path):
    small().save(tmp_path / "saved")
    tokenizer = AutoTokenizer.from_pretrained(export(tmp_path / "saved", tmp_path / "out"))
    text = "é€𝄞 the bus's\n\n 12!"
    assert tokenizer(text).input_ids == list(text.encode())
    assert tokenizer.decode(list(text.encode())) == text
    assert tokenizer.eos_token_id == tokenizer.pad_token_id == 256
    rows = tokenizer(["abc", "d"], padding=True)
    assert rows.attention_mask == [[1, 1, 1], [0, 0, 1]]


def test_a_checkpoint_of_an_earlier_architecture_is_refused_in_one_line(tmp_path):
    """Before the defaults of this architecture fill what its config lacks."""
    small().save(tmp_path / "saved")
    folder = export(tmp_path / "saved", tmp_path / "out")
    file = folder / "config.json"
    values = json.loads(file.read_text())
    del values["prism"]["neural_taps"]
    file.write_text(json.dumps(values))
    says = "out: config has no 'neural_taps': written by an earlier architecture of PRISM"
    for load in (PrismForCausalLM, AutoModelForCausalLM, AutoConfig):
        with pytest.raises(ValueError, match=says) as error:
            load.from_pretrained(folder)
        assert "\n" not in str(error.value)
    values |= {"kind": "gdn", "mlp_hidden": 8}  # a baseline may be of any version
    file.write_text(json.dumps(values))
    assert AutoConfig.from_pretrained(folder).kind == "gdn"
