"""Constructed anywhere, equal everywhere: devices, copies, threads and types change no function."""

import copy
import threading
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

import prism
from prism import Prism, PrismConfig
from prism.baselines import build
from prism.recipe import decays, parameter_groups
from tests.model.families import shrunk, tokens_of

SMALL = PrismConfig(
    vocab_size=11, d_model=32, num_layers=2, router_topk=2, always_on=("memory",), seed=4
)
NAMES = ("prism", "transformer", "ssm", "gdn")
every_model = pytest.mark.parametrize("name", NAMES)


def loaded_from_meta(model, name, assign=False):
    with torch.device("meta"):
        other = build(name, SMALL)
    other.to(model.embedding.weight.dtype)
    if not assign:
        other.to_empty(device="cpu")
        for p in (*other.parameters(), *other.buffers()):
            p.data.fill_(torch.nan if p.is_floating_point() else 1)
    other.load_state_dict(model.state_dict(), assign=assign)
    return other


class Wrapper(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model


def loaded_inside_another_module(model, name):
    with torch.device("meta"):
        other = Wrapper(build(name, SMALL))
    other.load_state_dict(Wrapper(model).state_dict(), assign=True)
    return other.model


def averaged(model, name):
    return AveragedModel(model).module


def built_in_a_thread(model, name):
    made = []

    def make():
        made.append(build(name, SMALL))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
        torch.randn(7)
    for thread in threads:
        thread.join()
    assert len(made) == 4
    return made[0]


WAYS = {
    "to_empty": loaded_from_meta,
    "assign": lambda model, name: loaded_from_meta(model, name, assign=True),
    "inside": loaded_inside_another_module,
    "deepcopy": lambda model, name: copy.deepcopy(model),
    "averaged": averaged,
    "thread": built_in_a_thread,
    "again": lambda model, name: build(name, SMALL),
}


def groups(model) -> list[int]:
    return [sum(p.numel() for p in group["params"]) for group in parameter_groups(model)]


@every_model
@pytest.mark.parametrize("way", WAYS)
def test_a_model_made_another_way_is_the_same_model(way, name):
    model, tokens = build(name, SMALL), tokens_of(0, 2, 19)
    other = WAYS[way](model, name)
    for (key, a), b in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
        assert a.dtype == b.dtype, key
        assert torch.equal(a, b), key
    assert other.head.weight is other.embedding.weight
    assert groups(other) == groups(model)
    assert other.num_parameters() == model.num_parameters()
    assert torch.equal(other(tokens).logits, model(tokens).logits)
    step = torch.optim.SGD(other.parameters(), lr=1.0)
    other(tokens).logits.square().mean().backward()
    step.step()
    assert torch.equal(other.head.weight, other.embedding.weight)


@every_model
@pytest.mark.parametrize("dtype", (torch.float64, torch.bfloat16), ids=str)
def test_the_default_type_changes_the_type_and_not_the_weights(name, dtype):
    wanted = build(name, SMALL).to(dtype)
    torch.set_default_dtype(dtype)
    try:
        found = build(name, SMALL)
    finally:
        torch.set_default_dtype(torch.float32)
    for (key, a), b in zip(wanted.state_dict().items(), found.state_dict().values(), strict=True):
        assert a.dtype == b.dtype, key
        assert torch.equal(a, b), key
    tokens = tokens_of(0, 1, 9)
    assert torch.equal(found(tokens).logits, wanted(tokens).logits)


@every_model
def test_building_draws_nothing_from_the_global_generator(name):
    before = torch.get_rng_state()
    first = build(name, SMALL)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(123)
    assert torch.equal(build(name, SMALL).embedding.weight, first.embedding.weight)


def test_the_first_weights_are_those_of_the_seeded_global_generator():
    """As published runs had them: the generator is another, its numbers are not."""
    torch.manual_seed(SMALL.seed)
    embedding = nn.Embedding(SMALL.vocab_size, SMALL.d_model)
    nn.init.normal_(embedding.weight, std=0.125)
    assert torch.equal(Prism(SMALL).embedding.weight, embedding.weight)


@every_model
def test_another_threads_draws_are_its_own_while_a_model_is_built(name):
    generator = torch.Generator().manual_seed(5)
    wanted = torch.randn(3, generator=generator)
    torch.manual_seed(5)
    thread = threading.Thread(target=lambda: build(name, SMALL))
    thread.start()
    thread.join()
    assert torch.equal(torch.randn(3), wanted)


def test_what_decays_is_told_by_name():
    model = Prism(SMALL)
    exempt = {name for name, p in model.named_parameters() if not decays(name, p)}
    assert exempt == {
        name
        for name, p in model.named_parameters()
        if p.dim() < 2 or name.endswith((".offset", ".choice", ".preference", ".taps", ".gain"))
    }
    assert any(name.endswith("memory.offset") for name in exempt)
    assert not decays("base_model.model.blocks.0.memory.offset", torch.zeros(2, 2))


@pytest.mark.parametrize("dtype", (torch.bfloat16, torch.float16, torch.float64), ids=str)
def test_the_selection_bias_is_fp32_in_a_model_of_any_type(dtype):
    config = shrunk("tiny", router_topk=1, balance_rate=1e-3)
    model = Prism(config).to(dtype)
    biases = [block.router.selection_bias for block in model.blocks]
    assert {bias.dtype for bias in biases} == {torch.float32}
    for _ in range(2000):
        model.after_step(torch.tensor([[1.0, 0.0, 0.0]] * config.num_layers))
    # each step takes 4/3 rate from the first, and the rate's share goes to the others
    assert biases[0][0].item() == pytest.approx(-2000 * 1e-3 * 4 / 3, rel=1e-3)
    back = copy.deepcopy(model).float().bfloat16()
    assert torch.equal(back.blocks[0].router.selection_bias, biases[0])
    old = {k: v.to(dtype) for k, v in model.state_dict().items()}
    for assign in (False, True):
        back.to(dtype).load_state_dict(old, assign=assign)
        assert back.blocks[0].router.selection_bias.dtype == torch.float32


def test_constants_of_the_router_are_no_buffers():
    names = {name.rpartition(".")[2] for name, _ in Prism(SMALL).named_buffers()}
    assert names - {"code", "wide_code"} == {"selection_bias"}


@every_model
@pytest.mark.parametrize("dtype", (torch.float32, torch.bfloat16), ids=str)
def test_every_model_is_saved_and_loaded_in_evaluation_mode(name, dtype, tmp_path):
    model, tokens = build(name, SMALL).to(dtype), tokens_of(0, 2, 9)
    model.save(tmp_path)
    back = prism.load(tmp_path)
    assert not back.training
    assert type(back) is type(model)
    assert back.kind == name
    assert back.head.weight is back.embedding.weight
    for (key, a), b in zip(model.state_dict().items(), back.state_dict().values(), strict=True):
        assert torch.equal(a, b), key
    assert torch.equal(back(tokens).logits, model.eval()(tokens).logits)
    back.save(tmp_path)  # what was loaded can be saved


def test_an_old_file_with_a_half_precision_bias_loads(tmp_path):
    from safetensors.torch import load_file, save_file

    Prism(SMALL).bfloat16().save(tmp_path)
    path = tmp_path / "model.safetensors"
    weights = load_file(path)
    old = {k: v.bfloat16() if k.endswith("selection_bias") else v for k, v in weights.items()}
    assert any(old[k].dtype != v.dtype for k, v in weights.items())
    save_file(old, path)
    assert prism.load(tmp_path).blocks[0].router.selection_bias.dtype == torch.float32


@every_model
def test_what_could_not_be_loaded_is_not_saved(name, tmp_path):
    kept = build(name, SMALL)
    kept.save(tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    mixed = build(name, SMALL)
    mixed.blocks[0].double()
    resized = build(name, SMALL)
    resized.embedding = nn.Embedding(12, SMALL.d_model)
    extra = build(name, SMALL)
    extra.adapter = nn.Linear(2, 2)
    with torch.device("meta"):
        unreal = build(name, SMALL)
    for model, says in (
        (mixed, r"dtype of 'blocks\.0\..*' is torch\.float64: must be torch\.float32"),
        (resized, r"shape of 'embedding\.weight' is \(12, 32\): must be \(11, 32\)"),
        (extra, r"'adapter\.bias' is unknown"),
        (unreal, "is on the meta device: must have values"),
    ):
        with pytest.raises(ValueError, match=says):
            model.save(tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_exploration_is_of_training_alone(tmp_path):
    model, tokens = Prism(replace(SMALL, always_on=())), tokens_of(0, 2, 15)
    hard = model(tokens).logits
    model.set_exploration(0.5)
    assert not torch.equal(model(tokens).logits, hard)
    assert torch.equal(model.eval()(tokens).logits, hard)
    model.save(tmp_path)
    assert torch.equal(prism.load(tmp_path)(tokens).logits, hard)


@every_model
@pytest.mark.parametrize("epsilon", (-1, 2, float("nan"), float("inf"), "a", None))
def test_exploration_outside_of_its_range_is_refused(name, epsilon):
    with pytest.raises(ValueError, match=rf"epsilon = {epsilon!r}: must be in \[0, 1\]"):
        build(name, SMALL).set_exploration(epsilon)


def test_a_seed_of_64_bits_builds_and_a_larger_one_is_refused():
    assert Prism(replace(SMALL, seed=2**64 - 1)).embedding.weight.isfinite().all()
    with pytest.raises(ValueError, match=r"PrismConfig\.seed = 18446744073709551616: must be"):
        replace(SMALL, seed=2**64)
