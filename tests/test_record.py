"""A results file: whole at every moment, never a run twice, and files written before load."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from prism.record import ROOT, ResultsFile, code_fingerprint, read_runs, weights_hash, write_json

META = {"started": "now", "finished": None}
KEY = {"facts": 20, "seed": 0}
RUN = {**KEY, "rows": []}
WEIGHTS = {"b": torch.tensor([1.0, -2.0]), "a": torch.tensor(3, dtype=torch.int64)}


def opened(path: Path, start: str = "now", **settings: object) -> ResultsFile:
    settings = {"asked": 50, "code": "abc", **settings}
    return ResultsFile(path, {**META, "started": start}, settings, fields=("facts", "seed", "rows"))


def test_a_file_continues_where_it_was_left(tmp_path):
    path = tmp_path / "new" / "facts.json"
    opened(path).add(RUN)
    again = opened(path, start="afterwards")
    assert again.runs == [RUN]
    assert (again.meta["started"], again.find(KEY)) == ("now", RUN)
    assert again.find(KEY | {"seed": 1}) is None
    again.add(RUN | {"seed": 1})
    kept = json.loads(path.read_text())
    assert list(kept) == ["meta", "runs"]
    assert [run["seed"] for run in kept["runs"]] == [0, 1]
    assert kept["meta"]["finished"] is not None
    assert [p.name for p in path.parent.iterdir()] == ["facts.json"]


@pytest.mark.parametrize("other", [{"asked": 40}, {"code": "def"}, {"layers": [1]}])
def test_runs_of_other_settings_are_refused_and_kept(tmp_path, other):
    path = tmp_path / "facts.json"
    opened(path).add(RUN)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"{next(iter(other))} = .*another --out"):
        opened(path, **other)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        "{}",
        '{"meta": {"settings": 1}, "runs": []}',
        '{"meta": {}, "runs": [1]}',
        '{"meta": {}, "runs": [{"facts": 20}]}',
    ],
)
def test_a_foreign_file_is_refused(tmp_path, text):
    path = tmp_path / "facts.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"facts\.json: not a results file"):
        opened(path)


def test_a_run_is_made_once(tmp_path):
    made = []
    for _ in range(2):
        file = ResultsFile(tmp_path / "runs.json", META)
        run = file.once(KEY, lambda: made.append(1) or {"loss": 0.5})
        assert run == {**KEY, "loss": 0.5}
    assert made == [1]


def test_the_parts_of_a_file_leave_each_other_alone(tmp_path):
    path = tmp_path / "levers.json"
    for part in ("growth", "modular"):
        ResultsFile(path, META, {"steps": 1}, part).once({"seed": 0}, lambda p=part: {"of": p})
    content = json.loads(path.read_text())
    assert {name: list(part) for name, part in content.items()} == {
        "growth": ["sizes", "meta", "runs"],
        "modular": ["sizes", "meta", "runs"],
    }
    assert [part["runs"][0]["of"] for part in content.values()] == ["growth", "modular"]


def test_numbers_that_json_does_not_know_are_refused(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("compare.json", ("task", "model", "seed", "lr", "steps", "error")),
        ("facts.json", ("facts", "seed", "rows")),
        ("retrieval.json", ("seed", "rows")),
    ],
)
def test_committed_files_load_and_keep_their_content(tmp_path, name, fields):
    old = (ROOT / "benchmarks" / "results" / name).read_text()
    path = tmp_path / name
    path.write_text(old)
    file = ResultsFile(path, fields=fields)
    file.write()
    assert list(json.loads(path.read_text()).items()) == list(json.loads(old).items())


def test_a_committed_file_of_parts_loads():
    content = read_runs(ROOT / "benchmarks" / "results" / "levers.json", parts=True)
    assert all(part["runs"] for part in content.values())


def test_weights_have_the_hashes_that_files_hold():
    """The byte layouts of facts files, of backbones, and of reference models."""
    numbers = b"\x03" + bytes(7), b"\x00\x00\x80\x3f\x00\x00\x00\xc0"
    plain = b"a" + numbers[0] + b"b" + numbers[1]
    assert weights_hash(WEIGHTS) == hashlib.sha256(plain).hexdigest()
    shaped = b"config" + b"a () torch.int64" + numbers[0] + b"b (2,) torch.float32" + numbers[1]
    digest = weights_hash(WEIGHTS, hashlib.sha256(b"config"), shapes=True)
    assert digest == hashlib.sha256(shaped).hexdigest()
    digest = weights_hash(WEIGHTS, hashlib.blake2b(digest_size=16))
    assert digest == hashlib.blake2b(plain, digest_size=16).hexdigest()


def test_weights_of_any_dtype_are_hashed():
    assert (
        len({weights_hash({"w": torch.ones(2).to(t)}) for t in (torch.bfloat16, torch.half)}) == 2
    )


def test_the_code_has_a_fingerprint():
    assert len(code_fingerprint()) == 12
    assert code_fingerprint() != code_fingerprint(("prism/holo",))
