"""Targets of a smaller vocabulary are exact where they can be, and do not know the future."""

from __future__ import annotations

import pytest
import torch

from prism.data.tokens import open_tokenizer
from prism.distill.marginal import Marginaliser, student_pieces
from tests.distill.conftest import CUT, World

# of a teacher of tokens: a, b, c, ab, abc, ba, end
PIECES = [(0,), (1,), (2,), (0, 1), (0, 1, 2), (1, 0), (3,)]


def made_up(seed: int, n: int) -> tuple[Marginaliser, torch.Tensor, torch.Tensor]:
    """A marginaliser, states, and their probabilities over seven tokens."""
    g = torch.Generator().manual_seed(seed)
    head = torch.randn(len(PIECES), 5, generator=g)
    states = torch.randn(n, 5, generator=g)
    return Marginaliser(PIECES, 4, head), states, (states @ head.T).softmax(-1).double()


def mass(p: torch.Tensor, begin: tuple[int, ...]) -> float:
    return sum(float(p[i]) for i, x in enumerate(PIECES) if x[: len(begin)] == begin)


@pytest.mark.parametrize("seed", range(5))
def test_a_boundary_is_looked_at_from_both_sides(seed: int) -> None:
    m, states, p = made_up(seed, 2)
    targets, missing = m.targets([0, 1], m.sums(states), first=False)  # a, then b
    wanted = [mass(p[0], (0, s)) + float(p[0][0]) * mass(p[1], (s,)) for s in range(4)]
    assert targets[0].tolist() == pytest.approx([x / mass(p[0], (0,)) for x in wanted], rel=1e-5)
    assert float(missing[0]) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_inside_a_token_what_ends_here_is_missing(seed: int) -> None:
    m, states, p = made_up(seed, 2)
    targets, missing = m.targets([2, 4], m.sums(states), first=True)  # c, then abc
    inside = [mass(p[1], (0, s)) for s in range(4)]
    assert targets[1].tolist() == pytest.approx([x / sum(inside) for x in inside], rel=1e-5)
    assert float(missing[1]) == pytest.approx(float(p[1][0]) / mass(p[1], (0,)), rel=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_targets_are_distributions(seed: int) -> None:
    m, states, _ = made_up(seed, 6)
    ids = torch.randint(0, 7, (6,), generator=torch.Generator().manual_seed(seed)).tolist()
    targets, missing = m.targets(ids, m.sums(states), first=seed % 2 == 0)
    assert len(targets) == sum(len(PIECES[i]) for i in ids[1:])
    known = missing < 1
    assert torch.allclose(targets[known].sum(-1), torch.ones(int(known.sum())), atol=1e-5)
    assert (targets >= 0).all()


def test_the_naive_target_knows_that_a_token_ended_and_ours_does_not() -> None:
    m, states, p = made_up(1, 2)
    ids = [0, 2]  # a ended, c follows: "ab" and "abc" were possible until then
    ours = m.targets(ids, m.sums(states), first=False)[0][0]
    naive = m.targets(ids, m.sums(states), first=True)[0][0]
    longer = (mass(p[0], (0, 1))) / mass(p[0], (0,))  # b goes on within the teacher's token
    begins = float(p[0][0]) / mass(p[0], (0,)) * mass(p[1], (1,))
    assert float(ours[1]) == pytest.approx(longer + begins, rel=1e-4)
    assert float(naive[1]) == pytest.approx(mass(p[1], (1,)), rel=1e-4)
    assert float(ours[2]) < float(naive[2])  # what did follow is not known to be free to follow


def test_pieces_are_what_the_student_makes_of_any_text(world: World) -> None:
    teacher = world.open().tokenizer
    for name in ("bytes", str(world.student_tokens), str(world.teacher / "tokenizer.json")):
        student = open_tokenizer(name)
        pieces = student_pieces(teacher, student)
        for text in (world.text.read_text("utf-8"), "ประเทศไทย 2026", "def f(x):\n\tpass", "🙂"):
            assert [x for v in teacher.encode(text) for x in pieces[v]] == student.encode(text)
    assert open_tokenizer(str(world.student_tokens)).vocab_size == CUT


def test_a_tokenizer_that_was_not_cut_from_the_teachers_is_refused(world: World) -> None:
    teacher = world.open().tokenizer
    other = world.root / "other.json"
    from prism import tokenizer

    text = world.root / "other.txt"
    text.write_text("quite another text, zygotes and xylophones\n<|endoftext|>\nqquux " * 20)
    assert tokenizer.main(["train", str(text), "--vocab-size", "290", "--out", str(other)]) == 0
    with pytest.raises(ValueError, match=r"vocab is not the first part of the teacher's"):
        student_pieces(teacher, open_tokenizer(str(other)))
