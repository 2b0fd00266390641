"""Training by other people's loops: Trainer, and LoRA on all linear maps."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.distributed as dist
from accelerate import Accelerator
from peft import LoraConfig, PeftModel, get_peft_model
from torch.nn.functional import cross_entropy
from transformers import Trainer, TrainingArguments

from prism.hf import PrismForCausalLM
from prism.recipe import own_loss
from tests.engine.fakes import Ranks
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

    def words(logits):
        return cross_entropy(logits[:, :-1].flatten(0, 1), rows[:, 1:].flatten())

    loss = words(out.logits) + own_loss(out, words) + out.aux_loss
    trainer = Trainer(
        PrismForCausalLM.of(model), arguments(tmp_path, max_steps=1), train_dataset=ROWS[:2]
    )
    trainer.train()
    found = next(float(x["loss"]) for x in trainer.state.log_history if "loss" in x)
    assert found == pytest.approx(loss.item(), abs=1e-4)


def sparse(**changes):
    """A wrapped model whose selection bias moves far in a few steps."""
    return PrismForCausalLM.of(
        small(dtype=torch.float32, router_topk=1, balance_rate=0.01, **changes)
    ).train()


def biases(wrapped):
    return torch.stack([block.router.selection_bias for block in wrapped.model.blocks])


def watched(wrapped, calls):
    """Note the loads of every ``after_step`` in ``calls``, and of every forward in the result."""
    passes, real = [], wrapped.model.after_step
    wrapped.model.after_step = lambda loads: (calls.append(loads), real(loads))
    wrapped.model.register_forward_hook(lambda *args: passes.append(args[-1].loads))
    return passes


def balanced_by_hand(passes, per_step):
    """The biases after ``after_step`` with the mean loads of each step's passes."""
    model = sparse().model
    for i in range(0, len(passes), per_step):
        model.after_step(torch.stack(passes[i : i + per_step]).mean(0))
    return torch.stack([block.router.selection_bias for block in model.blocks])


@pytest.mark.parametrize("passes_a_step", (1, 2))
def test_trainer_balances_sparse_routing_once_a_step(tmp_path, passes_a_step):
    wrapped, calls = sparse(), []
    passes = watched(wrapped, calls)
    more = {"gradient_accumulation_steps": passes_a_step, "learning_rate": 1e-2}
    Trainer(wrapped, arguments(tmp_path, **more), train_dataset=ROWS).train()
    assert (len(calls), len(passes)) == (4, 4 * passes_a_step)
    assert biases(wrapped).any()
    assert torch.equal(biases(wrapped), balanced_by_hand(passes, passes_a_step))


def test_accelerate_balances_sparse_routing_once_a_step():
    wrapped, calls = sparse(), []
    passes, tokens = watched(wrapped, calls), tokens_of(0, 2, 16)
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    model, optimizer = accelerator.prepare(wrapped, torch.optim.AdamW(wrapped.parameters(), 1e-2))
    for _ in range(6):
        with accelerator.accumulate(model):
            accelerator.backward(model(tokens, labels=tokens).loss)
            optimizer.step()
            optimizer.zero_grad()
    assert len(calls) == 3
    assert torch.equal(biases(wrapped), balanced_by_hand(passes, 2))


def test_a_loop_by_hand_is_balanced_by_the_loads_of_real_tokens():
    wrapped, twin, tokens = sparse(), sparse(), tokens_of(0, 2, 16)
    short = tokens_of(1, 1, 4)
    optimizer = torch.optim.SGD(wrapped.parameters(), 1e-2)
    loads = [twin.model(x).loads for x in (tokens, short)]
    for x in (tokens, short):
        wrapped(x, labels=x).loss.backward()
    optimizer.step()
    twin.model.after_step((32 * loads[0] + 4 * loads[1]) / 36)
    assert torch.equal(biases(wrapped), biases(twin))
    assert wrapped.waiting is None


def biases_of_a_rank():
    """Biases after a step of this rank, which reads a row of its own."""
    wrapped = sparse()
    tokens = tokens_of(dist.get_rank(), 1, 16)
    optimizer = torch.optim.SGD(wrapped.parameters(), 1e-2)
    wrapped(tokens, labels=tokens).loss.backward()
    optimizer.step()
    return biases(wrapped)


def test_ranks_move_the_bias_by_the_loads_of_all(tmp_path):
    ranks = Ranks(2)
    try:
        first, second = ranks.run(biases_of_a_rank, tmp_path)
    finally:
        ranks.close()
    twin, tokens = sparse(), torch.cat([tokens_of(rank, 1, 16) for rank in (0, 1)])
    twin(tokens)
    torch.optim.SGD(twin.parameters(), 1e-2).step()
    assert torch.equal(first, second) and torch.equal(first, biases(twin)) and first.any()


def test_only_an_optimizer_of_the_model_itself_balances_it():
    wrapped, tokens = sparse(), tokens_of(0, 2, 16)
    copied = copy.deepcopy(wrapped)
    other = torch.nn.Linear(2, 2)
    wrapped(tokens, labels=tokens).loss.backward()
    torch.optim.SGD(other.parameters(), 1e-2).step()
    torch.optim.SGD(copied.parameters(), 1e-2).step()
    with torch.no_grad():
        copied(tokens)
    copied.eval()(tokens)
    torch.optim.SGD(copied.parameters(), 1e-2).step()
    assert not biases(wrapped).any() and not biases(copied).any()
    copied.train()(tokens)
    torch.optim.SGD(copied.parameters(), 1e-2).step()
    assert biases(copied).any() and not biases(wrapped).any()


def test_a_step_that_a_gradient_scaler_leaves_out_moves_no_bias():
    wrapped, tokens = sparse(), tokens_of(0, 2, 16)
    optimizer = torch.optim.SGD(wrapped.parameters(), 1e-2)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    scaler.scale(wrapped(tokens, labels=tokens).loss).backward()
    next(wrapped.parameters()).grad[0, 0] = torch.inf
    scaler.step(optimizer)
    scaler.update()
    assert not biases(wrapped).any()


def test_frozen_routers_are_not_balanced():
    """Adapters are saved without the bias, and would meet another one."""
    wrapped, tokens = sparse(), tokens_of(0, 2, 16)
    tuned = get_peft_model(
        wrapped, LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM", r=4)
    )
    optimizer = torch.optim.SGD([p for p in tuned.parameters() if p.requires_grad], 1e-2)
    tuned(tokens, labels=tokens).loss.backward()
    optimizer.step()
    assert not biases(wrapped).any()


def test_a_compiled_model_is_balanced_too():
    wrapped, tokens = sparse(), tokens_of(0, 2, 16)
    twin = sparse()
    for model, owner in ((torch.compile(wrapped, backend="eager"), wrapped), (twin, twin)):
        optimizer = torch.optim.SGD(owner.parameters(), 1e-2)
        for _ in range(3):
            optimizer.zero_grad()
            model(tokens, labels=tokens).loss.backward()
            optimizer.step()
    assert torch.equal(biases(wrapped), biases(twin)) and biases(twin).any()


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
    tuned.train()  # the machines' own answers learn by a loss of their own
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
