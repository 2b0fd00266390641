"""The report lists every tensor: copied, padded or fresh, with its shapes."""

from prism import grow
from tests.growth.pairs import PARTS, SOFT, larger
from tests.model.families import perturbed


def test_every_stored_tensor_is_listed_once_with_its_shapes():
    model = perturbed(SOFT)
    result = grow(model, larger(SOFT, PARTS))
    after, before = result.model.state_dict(), model.state_dict()
    del after["head.weight"]  # tied
    rows = result.report.tensors
    assert [row.name for row in rows] == list(after)
    for row in rows:
        assert row.after == tuple(after[row.name].shape)
        if row.source is not None:
            assert row.before == tuple(before[row.source].shape)


def test_new_entries_add_up_to_the_new_parameters():
    result = grow(perturbed(SOFT), larger(SOFT, PARTS))
    named = dict(result.model.named_parameters())
    before, after = result.report.parameters
    added = sum(row.added for row in result.report.tensors if row.name in named)
    assert added == after - before


def test_width_pads_and_depth_adds_fresh_tensors():
    model = perturbed(SOFT)
    wide = grow(model, larger(SOFT, {"width"})).report
    deep = grow(model, larger(SOFT, {"depth"})).report
    assert {row.how for row in wide.tensors} == {"copied", "padded"}
    assert {row.how for row in deep.tensors} == {"copied", "fresh"}
    assert deep.blocks == (0, 1, 2, None)


def test_it_reads_as_one_line_per_tensor():
    report = grow(perturbed(SOFT), larger(SOFT, {"width"})).report
    head, *rows = str(report).splitlines()
    assert head.startswith("exact: ") and head.endswith("the same function")
    assert len(rows) == len(report.tensors)
    assert rows[0].startswith("padded  embedding.weight  11x16 -> 11x24; times 1.22474; new")
