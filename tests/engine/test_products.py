"""Products of bf16 matrices are the same through fp32, and only while a run asks for them."""

from __future__ import annotations

import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from prism.engine import products as module
from prism.engine.parallel.world import world
from prism.engine.products import bf16_through_fp32, products
from tests.engine.fakes import small

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


def operands(seed: int, dtype: torch.dtype = torch.bfloat16) -> list[Tensor]:
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(s, generator=g).to(dtype) for s in ((3, 5, 7), (3, 7, 4), (5, 4))]


def every_product(a: Tensor, b: Tensor, c: Tensor) -> dict[str, Tensor]:
    return {
        "mm": a[0] @ b[0],
        "addmm": torch.addmm(c, a[0], b[0], beta=0.5, alpha=2),
        "bmm": a @ b,
        "baddbmm": torch.baddbmm(c.expand(3, 5, 4), a, b),
        "linear": torch.nn.functional.linear(a, b[0].mT, c[0]),
    }


@given(seed=st.integers(0, 2**32 - 1))
def test_a_product_is_the_exact_one_rounded_once(seed: int) -> None:
    """Within the rounding of the sum in fp32: one unit in the last place of bf16 at a tie."""
    given = operands(seed)
    kernels = bf16_through_fp32()
    found = every_product(*given)
    del kernels
    exact = every_product(*(x.double() for x in given))
    for name, x in found.items():
        assert x.dtype == torch.bfloat16
        assert torch.allclose(x.double(), exact[name], rtol=2**-8, atol=1e-5), name


def test_gradients_are_those_of_the_plain_kernels() -> None:
    def gradients() -> list[Tensor]:
        leaves = [x.requires_grad_() for x in operands(1)]
        sum(x.float().square().sum() for x in every_product(*leaves).values()).backward()
        return [x.grad for x in leaves]

    plain = gradients()
    kernels = bf16_through_fp32()
    found = gradients()
    del kernels
    for x, y in zip(found, plain, strict=True):
        assert x.dtype == torch.bfloat16
        assert torch.allclose(x.float(), y.float(), rtol=2**-6, atol=2**-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_other_types_are_multiplied_to_the_same_bits(dtype: torch.dtype) -> None:
    plain = every_product(*operands(2, dtype))
    kernels = bf16_through_fp32()
    found = every_product(*operands(2, dtype))
    del kernels
    for name, x in found.items():
        assert torch.equal(x, plain[name]), name


def test_types_that_do_not_fit_are_still_refused() -> None:
    a, b, _ = operands(3)
    kernels = bf16_through_fp32()
    with pytest.raises(RuntimeError, match="same dtype"):
        a[0] @ b[0].double()
    del kernels


@pytest.mark.parametrize(
    ("dtype", "device", "has", "replaced"),
    [
        ("bf16", CPU, False, True),
        ("bf16", CPU, True, False),
        ("bf16", GPU, False, False),
        ("fp32", CPU, False, False),
    ],
)
def test_kernels_are_replaced_where_there_are_none_and_put_back(
    dtype: str, device: torch.device, has: bool, replaced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def counted(kernel: object) -> object:
        inner = through(kernel)
        return lambda *a, **k: (calls.append("product"), inner(*a, **k))[1]

    through = module._through_fp32
    monkeypatch.setattr(module, "_through_fp32", counted)
    monkeypatch.setattr(module, "has_bf16_kernels", lambda: has)
    a, b, _ = operands(4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with products(dtype, device):
            a @ b
    assert calls == ["product"] * replaced
    a @ b
    assert len(calls) == replaced


def test_tf32_is_of_gpus_and_switched_on_for_the_run_only() -> None:
    seen = torch.get_float32_matmul_precision
    before = seen()
    says = "--dtype tf32: is of GPUs; must be fp32, bf16 or fp64"
    with pytest.raises(ValueError, match=says), world(small(dtype="tf32")):
        pass
    with products("tf32", GPU):
        assert seen() == "high"
        with products("fp32", CPU):
            assert seen() == "highest"
        assert seen() == "high"
    assert seen() == before
