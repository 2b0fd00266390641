"""Products of permutations: a group, the right one, whose order of factors matters."""

from __future__ import annotations

import pytest

from tasks.word_problem import product_table


@pytest.mark.parametrize("n", [1, 3, 5])
def test_the_table_is_a_group(n: int) -> None:
    table = product_table(n)
    order = len(table)
    assert (table[0] == range(order)).all() and (table[:, 0] == range(order)).all()
    for a in range(order):
        assert sorted(table[a]) == list(range(order))
    left = table[table]  # [a, b, c]: (a b) c
    right = table[:, table]  # a (b c)
    assert (left == right).all()


def test_it_does_not_commute() -> None:
    table = product_table(3)
    assert (table != table.T).any()
