"""Training by other people's loops: Trainer, and LoRA on all linear maps."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch.nn.functional import cross_entropy
from transformers import Trainer, TrainingArguments

from prism.hf import PrismForCausalLM
from tests.hf.conftest import small, tokens_of

ROWS = [{"input_ids": row, "labels": row} for row in tokens_of(0, 8, 16)]


def arguments(folder, **changes):
    """Few steps of two rows on the CPU, with nothing in between."""
    return TrainingArguments(
        str(folder),
        per_device_train_batch_size=2,
        report_to=[],
        use_cpu=True,
        logging_steps=1,
        disable_tqdm=True,
        **{"max_steps": 4, "save_strategy": "no", **changes},
    )


def test_trainer_trains_evaluates_saves_and_resumes(tmp_path):
    wrapped = PrismForCausalLM.of(small(dtype=torch.float32))
    trainer = Trainer(
        wrapped,
        arguments(tmp_path, learning_rate=1e-2, save_strategy="steps", save_steps=2),
        train_dataset=ROWS,
        eval_dataset=ROWS,
    )
    before = trainer.evaluate()["eval_loss"]
    trainer.train()
    after = trainer.evaluate()["eval_loss"]
    assert after < before - 0.1
    again = PrismForCausalLM.from_pretrained(tmp_path / "checkpoint-4")
    for name, value in wrapped.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    fresh = PrismForCausalLM.of(small(dtype=torch.float32))
    resumed = Trainer(fresh, arguments(tmp_path, learning_rate=1e-2), train_dataset=ROWS)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    for name, value in wrapped.state_dict().items():
        assert (fresh.state_dict()[name] - value).abs().max() < 1e-6, name


def test_the_first_loss_of_trainer_is_ours(tmp_path):
    model = small(dtype=torch.float32)
    rows = torch.stack([row["input_ids"] for row in ROWS[:2]])
    model.train()
    out = model(rows)
    loss = cross_entropy(out.logits[:, :-1].flatten(0, 1), rows[:, 1:].flatten()) + out.aux_loss
    trainer = Trainer(
        PrismForCausalLM.of(model), arguments(tmp_path, max_steps=1), train_dataset=ROWS[:2]
    )
    trainer.train()
    found = next(float(x["loss"]) for x in trainer.state.log_history if "loss" in x)
    assert found == pytest.approx(loss.item(), abs=1e-4)


def test_checkpointed_blocks_have_the_same_gradients():
    tokens, found = tokens_of(0, 2, 16), []
    for recompute in (False, True):
        wrapped = PrismForCausalLM.of(small()).train()
        if recompute:
            wrapped.gradient_checkpointing_enable()
            assert wrapped.is_gradient_checkpointing
        wrapped(tokens, labels=tokens).loss.backward()
        found.append([p.grad for p in wrapped.parameters()])
    assert all((a - b).abs().max() < 1e-10 for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("name", ("prism", "gdn"))
def test_lora_on_all_linear_maps_trains_and_merges_exactly(name, tmp_path):
    wrapped, tokens = PrismForCausalLM.of(small(name)), tokens_of(0, 4, 16)
    tuned = get_peft_model(
        wrapped, LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM", r=4)
    )
    adapters = {n: p for n, p in tuned.named_parameters() if p.requires_grad}
    assert adapters and all("lora_" in n for n in adapters)
    if name == "prism":
        assert any("steer" in n for n in adapters)
    optimizer = torch.optim.Adam(adapters.values(), lr=1e-2)
    losses = []
    for _ in range(8):
        loss = tuned(tokens, labels=tokens).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.1
    still = [n for n, p in adapters.items() if p.grad is None or not p.grad.any()]
    assert still == []
    with torch.no_grad():
        wanted = tuned.eval()(tokens).logits
        tuned.save_pretrained(tmp_path)
        again = PeftModel.from_pretrained(PrismForCausalLM.of(small(name)), tmp_path)
        assert (again(tokens).logits - wanted).abs().max() < 1e-10
        merged = tuned.merge_and_unload()
        assert isinstance(merged, PrismForCausalLM)
        assert (merged(tokens).logits - wanted).abs().max() < 1e-10
        assert (merged.model(tokens).logits - wanted).abs().max() < 1e-10
        found = merged.generate(tokens[:, :5], max_new_tokens=6, do_sample=False, pad_token_id=0)
        assert torch.equal(found, merged.model.generate(tokens[:, :5], 6, temperature=0))
