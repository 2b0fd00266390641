"""Nothing is lost: writers take turns, changes of others are seen, damage is refused."""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from prism import HoloTape, whole_file
from prism.holo.file import locked

ROOT = Path(__file__).parents[2]


def small(facts: int = 5) -> HoloTape:
    tape = HoloTape(256, 2, resolver=True)
    tape.bind_many([f"port of site{i}x" for i in range(facts)], [str(i) for i in range(facts)], "s")
    return tape


def everything(tape: HoloTape) -> tuple[Any, ...]:
    return (
        tape.config,
        tape.accumulator.numbers.numpy().tobytes(),
        list(tape.facts()),
        [column.tobytes() for column in tape.ledger.arrays().values()],
        tape.ledger.sources,
        tape.vocabulary.items,
    )


def test_each_of_200_corruptions_is_refused_or_leaves_all_as_it_was(tmp_path: Path) -> None:
    path, rng = tmp_path / "t.safetensors", random.Random(0)
    tape = small(20)
    tape.save(path)
    good, wanted, refused = path.read_bytes(), everything(tape), 0
    for _ in range(200):
        raw = bytearray(good)
        kind = rng.randrange(4)
        at = rng.randrange(len(raw))
        if kind == 0:
            raw[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            raw[at : at + 8] = rng.randbytes(8)[: len(raw) - at]
        elif kind == 2:  # two bytes change places
            other = rng.randrange(len(raw))
            raw[at], raw[other] = raw[other], raw[at]
        else:
            raw[at : at + 1] = b""
        path.write_bytes(raw)
        try:
            assert everything(HoloTape.load(path)) == wanted
        except ValueError as error:
            assert str(error).startswith(str(path))
            assert "\n" not in str(error)
            refused += 1
    assert refused >= 190


def test_a_small_file_that_claims_a_large_tape_allocates_nothing(tmp_path: Path) -> None:
    from tests.holo.test_file import rewrite

    path = tmp_path / "t.safetensors"
    small().save(path)
    rewrite(path, lambda h, t: h["config"].update(dim=2**23, banks=2000))
    command = "import sys, resource, prism; from prism import HoloTape\n"
    command += "resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30,) * 2)\n"
    command += "try: HoloTape.load(sys.argv[1])\n"
    command += "except ValueError as error: print(error)"
    done = subprocess.run(
        [sys.executable, "-c", command, path], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert "accumulator of [2, 256] I16: must be [2000, 8388608] I16" in done.stdout, done.stderr


def test_eight_threads_lose_none_of_4000_facts() -> None:
    tape, errors = HoloTape(2048, 8, resolver=True), []

    def work(which: int) -> None:
        try:
            for i in range(0, 500, 10):
                keys = [f"key {which} {j}" for j in range(i, i + 10)]
                tape.bind_many(keys, [str(j) for j in range(i, i + 10)])
                assert tape.recall(keys[0]).value == str(i)
                assert len(list(tape.facts())) >= i
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert tape.count == 4000
    assert tape.audit(sample=100).consistent
    keys = [f"key {n} {j}" for n in range(8) for j in range(500)]
    rows = tape.ledger.find(tape.hash(keys))
    assert [tape.stored_value(i) for i in rows] == [str(j) for _ in range(8) for j in range(500)]


def test_two_threads_that_merge_into_one_another_do_not_block() -> None:
    a, b = small(3), HoloTape(256, 2, resolver=True)
    b.bind("other", "1")
    threads = [threading.Thread(target=x.merge, args=(y,)) for x, y in ((a, b), (b, a)) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)
    assert a.count == b.count == 4


def add_facts(path: Path, name: str, count: int) -> None:
    for i in range(count):
        with HoloTape.edit(path, new=lambda: HoloTape(256, 2, resolver=True)) as tape:
            tape.bind(f"{name} {i}", "x")


def test_processes_that_write_one_tape_take_turns_and_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    run = multiprocessing.get_context("fork").Process
    writers = [run(target=add_facts, args=(path, name, 10)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=60)
    assert sorted(HoloTape.load(path)) == sorted(f"{name} {i}" for name in "abc" for i in range(10))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_second_writer_says_that_it_waits_and_sees_the_first_ones_change(tmp_path: Path) -> None:
    path, said, seen = tmp_path / "t.safetensors", [], []
    small(2).save(path)
    may_go_on, waits = threading.Event(), threading.Event()

    def forget() -> None:
        with locked(path, lambda line: (said.append(line), waits.set())):  # type: ignore[func-returns-value]
            seen.append(HoloTape.load(path).keys())

    child = multiprocessing.get_context("fork").Pipe()
    holder = os.fork()
    if holder == 0:  # another process, which holds the lock until it is told to go on
        with HoloTape.edit(path) as tape:
            child[1].send("held")
            child[1].recv()
            tape.forget("port of site1x")
        os._exit(0)
    assert child[0].recv() == "held"
    thread = threading.Thread(target=forget)
    thread.start()
    assert waits.wait(30)
    child[0].send("go on")
    os.waitpid(holder, 0)
    thread.join(30)
    assert not may_go_on.is_set()
    assert said == [f"{path}: another is writing it; waiting"]
    assert seen == [["port of site0x"]]


def test_a_tape_read_before_another_wrote_does_not_undo_that(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    small(3).save(path)
    early, late = HoloTape.load(path), HoloTape.load(path)
    late.forget("port of site1x")
    late.save(path)
    early.bind("new", "1")
    with pytest.raises(ValueError, match="was changed by another since this tape was read"):
        early.save(path)
    assert HoloTape.load(path).keys() == ["port of site0x", "port of site2x"]
    early.save(tmp_path / "elsewhere.safetensors")
    with pytest.raises(ValueError, match="was changed by another since this tape was read"):
        early.save(path)  # after a save elsewhere as before it
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(ValueError, match="was changed by another since this tape was read"):
        early.save(tmp_path / "link")
    late.bind("more", "2")
    late.save(path)  # its own writing is no other's
    small(1).save(path)  # a new tape may replace what is there
    assert HoloTape.load(path).count == 1


def test_an_edit_that_fails_saves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    small(2).save(path)
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError), HoloTape.edit(path) as tape:
        tape.forget("port of site1x")
        1 / 0  # noqa: B018
    assert path.read_bytes() == before
    with pytest.raises(FileNotFoundError, match="no such file"), HoloTape.edit(tmp_path / "no"):
        pass
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_save_follows_a_link_and_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    target, link = tmp_path / "deep" / "t.safetensors", tmp_path / "link.safetensors"
    small(1).save(target)
    link.symlink_to(target)
    tape = HoloTape.load(link)
    tape.bind("new", "1")
    tape.save(link)
    assert link.is_symlink()
    assert HoloTape.load(target).count == 2
    with HoloTape.edit(target) as same, locked(link):  # one file has one lock
        same.bind("newer", "2")
    assert HoloTape.load(link).count == 3


def test_a_file_that_nobody_may_write_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    small(1).save(path)
    path.chmod(0o444)
    before = path.read_bytes()
    with pytest.raises(PermissionError, match="is read-only") as caught:
        small(2).save(path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before


def test_a_missing_folder_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*typo"):
        small(1).save(tmp_path / "typo" / "dir" / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_names_the_file_and_the_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.safetensors"
    tape = small(1)
    tape.save(path)
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        OSError, match=r"No space left on device \([0-9,]+ bytes are needed\): .*t\.safe"
    ):
        tape.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


KILLED = """
import os, signal, sys
from pathlib import Path
from prism import whole_file
with whole_file.replacing(Path(sys.argv[1])) as beside:
    beside.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_is_swept_by_the_next_and_a_living_ones_is_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    whole_file.write(path, "old")
    subprocess.run([sys.executable, "-c", KILLED, path], cwd=ROOT, check=False)
    assert len(list(tmp_path.iterdir())) == 2
    other = tmp_path / ".file.notours"
    other.write_text("kept")
    with whole_file.replacing(path) as alive:
        alive.write_text("first")
        assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
            [alive.name, "file", other.name]
        )
        whole_file.write(path, "second")
        assert alive.exists()
    assert path.read_text() == "first"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["file", other.name])


def test_what_is_not_bound_cannot_be_forgotten_without_a_ledger() -> None:
    tape = HoloTape(256, values=9, ledger=False)
    with pytest.raises(ValueError, match="forget: 1 facts of 0 that are bound"):
        tape.forget(1, 2)
    assert tape.count == 0
    assert not tape.accumulator.numbers.any()
    words = HoloTape(256, ledger=False)
    words.bind("a", "x")
    with pytest.raises(KeyError, match="'a': is not bound"):
        words.forget("a", "never seen")
    words.forget("a", "x")
    assert torch.equal(words.accumulator.numbers, torch.zeros(1, 256))
    assert np.count_nonzero(words.accumulator.numbers) == 0
