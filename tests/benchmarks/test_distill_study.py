"""The study of students at toy size: every part runs, is not made again, and makes its tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.distill import base, page, replication, students
from benchmarks.distill.students import climbed
from benchmarks.distill.study import main
from tests.distill.conftest import CUT, TEXT, World, world

__all__ = ["world"]  # the fixture


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "subjects.txt"
    documents = [f"Plain {i}\n{TEXT[i % 4]}{i * i} of them." for i in range(400)]
    path.write_text("\n<|endoftext|>\n".join(documents), "utf-8")
    return path


@pytest.fixture
def no_climb(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches that end where they begin: the climb has a test of its own."""

    def stay(place: Any, score: Callable[[Any], float]) -> Any:
        assert score(place) < 99
        return place

    for module in (students, replication, base):
        monkeypatch.setattr(module, "climbed", stay)


def flags(world: World, text: Path, where: Path, *more: str) -> list[str]:
    return ["--quick", "--teacher", str(world.teacher), "--data", f"file:{text}",
            "--vocab-size", str(CUT), "--work", str(where / "work"),
            "--out", str(where / "students.json"), *more]  # fmt: skip


def test_a_climb_ends_where_every_neighbour_is_worse() -> None:
    asked: list[tuple[int, int]] = []

    def score(place: tuple[int, int]) -> float:
        asked.append(place)
        return (place[0] - 3) ** 2 + (place[1] + 2) ** 2

    assert climbed((0, 0), score) == (3, -2)
    assert {(4, -2), (2, -2), (3, -3), (3, -1)} <= set(asked)
    with pytest.raises(ValueError, match="no end after 12 moves"):
        climbed((0,), lambda place: -place[0])


@pytest.mark.slow
def test_students_are_trained_once_and_make_a_table(
    no_climb: None, world: World, text: Path, tmp_path: Path
) -> None:
    argv = flags(world, text, tmp_path, "--part", "students", "--arms", "ce", "full")
    assert main(argv) == 0
    file = tmp_path / "students.json"
    runs = json.loads(file.read_text("utf-8"))["students"]["runs"]
    final = [r["arm"] for r in runs if r.get("phase") == "final"]
    assert final == ["ce", "full", "fresh tokens", "fresh student", "fresh total"]
    assert all(0 < r["test"] < 9 for r in runs if r.get("phase") == "final")
    total, student = (next(r for r in runs if r.get("arm") == f"fresh {x}")["steps"]
                      for x in ("total", "student"))  # fmt: skip
    assert total > student
    assert main(argv) == 0  # nothing is done again
    assert json.loads(file.read_text("utf-8"))["students"]["runs"] == runs
    made = page.filled(page.PAGE.read_text("utf-8"), json.loads(file.read_text("utf-8")))
    assert "fresh total" in made


@pytest.mark.slow
def test_replicas_are_compared_with_the_teacher_and_the_teacher_with_itself(
    no_climb: None, world: World, text: Path, tmp_path: Path
) -> None:
    assert main(flags(world, text, tmp_path, "--part", "replicate")) == 0
    content = json.loads((tmp_path / "students.json").read_text("utf-8"))
    runs = [r for r in content["replicate"]["runs"] if r["seed"] >= 0]
    assert len(runs) == 1 + 2 * 2
    itself, *others = runs
    assert itself["agreement"][0] > 0.99 and itself["js"][0] < 1e-3
    assert all(r["js"][0] > itself["js"][0] and r["copied"]["prompts"] == 0 for r in others)
    assert "the teacher itself" in page.filled(page.PAGE.read_text("utf-8"), content)


@pytest.mark.slow
def test_a_public_model_is_tuned_on_answers_whole_or_by_lora(
    no_climb: None, world: World, text: Path, tmp_path: Path
) -> None:
    pytest.importorskip("peft")
    assert main(flags(world, text, tmp_path, "--part", "base")) == 0
    content = json.loads((tmp_path / "students.json").read_text("utf-8"))
    runs = [r for r in content["base"]["runs"] if r["seed"] >= 0]
    assert len(runs) == 2 + 2 * 2
    small, large = (next(r for r in runs if r["student"] == x)["trainable"]
                    for x in ("LoRA", "all weights"))  # fmt: skip
    assert 0 < small < large
    assert "the base as it is" in page.filled(page.PAGE.read_text("utf-8"), content)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--model", "d_model"], "--model d_model: must be FIELD=VALUE"),
        (["--seeds", "0"], "--seeds 0: must be >= 1"),
        (["--part", "nothing"], "invalid choice: 'nothing'"),
    ],
)
def test_bad_input_is_one_line(
    more: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--data", "pydoc", "--work", str(tmp_path), *more])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
