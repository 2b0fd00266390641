"""A float tape takes vectors and is differentiable; an outside library agrees with it."""

from __future__ import annotations

import pytest
import torch

from prism.holo import HoloTape, sign_ste

DIM = 512


def bipolar(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, shape, generator=generator) * 2.0 - 1


def test_unbinding_gives_the_value_and_noise_of_the_others() -> None:
    tape = HoloTape(dim=DIM, seed=0)
    keys, values = bipolar(9, DIM), bipolar(9, DIM, seed=1)
    for key, value in zip(keys, values, strict=True):
        tape.bind(key, value)
    assert tape.count == 9
    assert torch.equal(tape.H, (keys * values).sum(0))
    read = tape.unbind(keys[3])
    assert torch.equal(read, keys[3] * tape.H)
    cosines = torch.cosine_similarity(read, values)
    assert int(cosines.argmax()) == 3
    assert float(cosines[3]) == pytest.approx(9**-0.5, abs=0.15)


def test_many_vectors_at_once_are_the_same() -> None:
    one, many = HoloTape(DIM), HoloTape(DIM)
    keys, values = bipolar(5, DIM), bipolar(5, DIM, seed=1)
    for key, value in zip(keys, values, strict=True):
        one.bind(key, value)
    many.bind(keys, values)
    assert torch.equal(one.H, many.H)
    assert one.count == many.count == 5
    assert torch.equal(many.unbind(keys)[2], many.unbind(keys[2]))
    many.forget(keys, values)
    assert not many.H.any()
    assert many.count == 0


def test_vectors_and_named_facts_share_a_accumulator() -> None:
    tape = HoloTape(2048)
    key = bipolar(2048)
    tape.bind("text", "a")
    tape.bind(key, "b")
    tape.bind("other", bipolar(2048, seed=3))
    assert tape.recall("text").value == "a"
    answer = tape.recall(key)
    assert (answer.value, answer.source) == ("b", None)
    assert answer.posterior > 0.99
    assert tape.recall(bipolar(2048, seed=9)).value is None
    assert [
        r.value for r in tape.recall_many(torch.stack((key, tape.key_vectors(["text"])[0])))
    ] == ["b", "a"]
    assert tape.count == 3


def test_gradients_are_right() -> None:
    def read(key: torch.Tensor, value: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
        tape = HoloTape(4, dtype="float64")
        tape.bind(key, value)
        tape.bind(value, query)
        return tape.unbind(query)

    inputs = [torch.randn(4, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    assert torch.autograd.gradcheck(read, inputs)


def test_gradients_pass_the_sign() -> None:
    x = torch.randn(2, DIM).mul(0.3).requires_grad_()
    tape = HoloTape(DIM)
    tape.bind(sign_ste(x[0]), sign_ste(x[1]))
    (tape.unbind(sign_ste(x[0])) * x[1]).sum().backward()
    assert x.grad.isfinite().all()
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda t: t.bind(torch.ones(3), torch.ones(DIM)), r"key of shape \(3,\): must be"),
        (lambda t: t.bind(torch.ones(DIM), torch.ones(2)), r"value of shape \(2,\): must be"),
        (lambda t: t.bind(torch.ones(DIM), torch.full((DIM,), float("nan"))), "value: must be fin"),
        (
            lambda t: t.bind(torch.full((DIM,), float("inf")), torch.ones(DIM)),
            "key: must be finite",
        ),
        (lambda t: t.unbind(torch.full((DIM,), float("nan"))), "query: must be finite"),
        (lambda t: t.unbind(torch.ones(7)), "query of shape"),
        (lambda t: t.bind(torch.ones(2, DIM), torch.ones(DIM)), "as many of both"),
    ],
)
def test_bad_vectors_are_refused(act, says: str) -> None:
    tape = HoloTape(DIM)
    with pytest.raises(ValueError, match=says):
        act(tape)
    assert not tape.H.any()
    assert tape.count == 0


def test_vectors_need_one_float_bank() -> None:
    with pytest.raises(ValueError, match="needs a float tape"):
        HoloTape(DIM, dtype="int16").bind(torch.ones(DIM), torch.ones(DIM))
    with pytest.raises(ValueError, match="names no bank"):
        HoloTape(DIM, banks=2).unbind(torch.ones(DIM))


def test_torchhd_agrees() -> None:
    torchhd = pytest.importorskip("torchhd", reason="torchhd, the oracle, is not installed")
    keys, values = bipolar(20, DIM), bipolar(20, DIM, seed=1)
    theirs = torchhd.hash_table(
        keys.as_subclass(torchhd.MAPTensor), values.as_subclass(torchhd.MAPTensor)
    )
    tape = HoloTape(DIM)
    tape.bind(keys, values)
    assert torch.equal(tape.H, theirs.as_subclass(torch.Tensor))
    bound = torchhd.bind(theirs, torchhd.inverse(keys[4].as_subclass(torchhd.MAPTensor)))
    assert torch.equal(tape.unbind(keys[4]), bound.as_subclass(torch.Tensor))
