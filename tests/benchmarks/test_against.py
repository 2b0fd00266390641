"""Step times of two checkouts, in turns."""

import pytest

from benchmarks.speed import against


def test_a_folder_that_is_no_checkout_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        against.main([str(tmp_path)])
    assert end.value.code == 2
    assert "must be a checkout that holds prism/" in capsys.readouterr().err


@pytest.mark.slow
def test_a_checkout_against_itself_computes_the_same():
    rows = against.compare(against.ROOT, against.QUICK, threads=1)
    assert [row["model"] for row in rows] == [*against.MODELS, *against.MODELS]
    assert all(row["same"] for row in rows)
    assert all(row["interval"][0] <= row["ratio"] <= row["interval"][1] for row in rows)
