"""I7 for compilers: traced whole, exported for every length, differentiated as a function."""

import pytest
import torch
from torch import nn
from torch.export import Dim, export

from prism import Prism
from tests.model.families import assert_close, perturbed, segments_of, shrunk, tokens_of

# torch's own tracer and code generator warn about themselves
pytestmark = pytest.mark.filterwarnings("ignore")
ROUTING = {"dense": {"router_topk": None}, "sparse": {"router_topk": 1}}
routings = pytest.mark.parametrize("routing", ROUTING)


def model_of(routing: str, layers: int = 1) -> Prism:
    return perturbed(shrunk("tiny", num_layers=layers, **ROUTING[routing]))


class Logits(nn.Module):
    """The model as a function of tokens alone."""

    def __init__(self, model: Prism) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.model(tokens).logits


def check_compiled(routing: str, backend: str, layers: int, packed: bool) -> None:
    torch.compiler.reset()
    model, tokens = model_of(routing, layers), tokens_of(0, 2, 13)
    ids = segments_of(0, 2, 13) if packed else None
    compiled = torch.compile(model, backend=backend, fullgraph=True)
    results = []
    for run in (compiled, model):
        output = run(tokens, segment_ids=ids)
        again = run(tokens[:, :1], state=output.state)
        loss = output.logits.square().sum() + again.logits.square().sum()
        grads = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
        results.append([output.logits, again.logits, *(g for g in grads if g is not None)])
    for found, wanted in zip(*results, strict=True):
        assert_close(found, wanted, 1e-10)


@routings
def test_a_model_is_traced_whole(routing):
    check_compiled(routing, "eager", layers=1, packed=False)


@pytest.mark.slow
@pytest.mark.parametrize("packed", (False, True), ids=("one_document", "packed"))
@pytest.mark.parametrize("backend", ("aot_eager", "inductor"))
@routings
def test_a_compiled_model_is_the_model(routing, backend, packed):
    check_compiled(routing, backend, layers=1 if backend == "inductor" else 3, packed=packed)


@pytest.mark.slow
@routings
def test_an_exported_model_reads_any_batch_and_length(routing):
    model = model_of(routing, layers=2).eval()
    shapes = ({0: Dim("B", min=2, max=64), 1: Dim("T", min=3, max=4000)},)
    program = export(Logits(model), (tokens_of(0, 2, 13),), dynamic_shapes=shapes).module()
    for batch, length in ((2, 13), (3, 29), (5, 3), (2, 70)):
        tokens = tokens_of(1, batch, length)
        assert_close(program(tokens), model(tokens).logits, 1e-10)


@routings
def test_the_gradient_as_a_function_is_the_gradient(routing):
    model, tokens = model_of(routing, layers=3), tokens_of(0, 2, 13)
    parameters = dict(model.named_parameters())

    def loss(values):
        return torch.func.functional_call(model, values, (tokens,)).logits.square().sum()

    found = torch.func.grad(loss)(parameters)
    wanted = torch.autograd.grad(loss(parameters), list(parameters.values()), allow_unused=True)
    for (name, value), gradient in zip(found.items(), wanted, strict=True):
        assert_close(value, torch.zeros_like(value) if gradient is None else gradient, 1e-10, name)


def test_rows_may_be_a_mapped_axis():
    model, tokens = model_of("dense", layers=3), tokens_of(1, 3, 13)
    mapped = torch.vmap(lambda row: model(row[None]).logits[0])(tokens)
    assert_close(mapped, model(tokens).logits, 1e-10)


def test_every_row_has_a_gradient_of_its_own():
    model, tokens = model_of("dense"), tokens_of(1, 3, 13)
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def loss(values, row):
        return torch.func.functional_call(model, values, (row[None],)).logits.square().sum()

    each = torch.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, tokens)
    for name, value in torch.func.grad(loss)(parameters, tokens[1]).items():
        assert_close(each[name][1], value, 1e-10, name)
