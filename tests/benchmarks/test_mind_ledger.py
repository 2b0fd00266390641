"""The ledger's figures: parts that are not measured again stay."""

import json

from benchmarks.mind import ledger


def test_parts_are_kept_with_their_own_commit_and_only_beside_parts_of_the_same_size(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(ledger, "PARTS", {"one": lambda *_: [1], "two": lambda *_: {"two": 2}})
    out = tmp_path / "figures.json"
    assert ledger.main(["--parts", "one", "--out", str(out)]) == 0
    assert ledger.main(["--parts", "two", "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert (found["one"], found["two"]) == ([1], {"two": 2})
    assert set(found["meta"]["of_part"]) == {"one", "two"}
    assert ledger.main(["--parts", "two", "--out", str(out), "--quick"]) == 0
    assert "one" not in json.loads(out.read_text())
