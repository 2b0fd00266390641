"""A store holds what the teacher says, ends with the same bytes however often it was killed, and
names what is wrong with it."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from prism.data.blocks import Shards, ShardWriter, shard_path
from prism.data.document import encode
from prism.distill import capture as module
from prism.distill.__main__ import main
from prism.distill.store import Store
from prism.distill.teacher import windows
from tests.distill.conftest import World, capture_flags


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "run.lock"}


def refused(capsys: pytest.CaptureFixture[str], argv: list[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    said = capsys.readouterr().err.strip()
    assert said.count("\n") == 0
    return said


def test_a_store_gives_the_states_of_the_teacher_and_the_text_that_it_read(world: World) -> None:
    store, teacher = Store(world.store), world.open()
    assert len(store) == 24
    for i in range(len(store)):
        document = store.document(i)
        ids = store.ids(i).tolist()
        assert ids == encode(document, teacher.tokenizer)[0].tolist()
        exact = teacher.hidden(ids[:-1], 64)
        assert torch.equal(store.states(i), exact.half().float())
    whole = "".join(store.document(i).text for i in range(len(store)))
    assert all(word in whole for word in ("café in Zürich", "thespians", "23. "))


@pytest.mark.parametrize("length", [1, 7, 8, 9, 30, 64])
def test_windows_give_every_position_once_with_what_came_before(length: int) -> None:
    seen = [i for begin, end, skip in windows(length, 8) for i in range(begin + skip, end)]
    assert seen == list(range(length))
    assert all(end - begin <= 8 for begin, end, _ in windows(length, 8))
    assert all(skip == 2 for begin, _, skip in windows(length, 8) if begin)


def test_the_same_command_again_changes_nothing(world: World) -> None:
    before = contents(world.store)
    assert main(capture_flags(world, world.store)) == 0
    assert contents(world.store) == before


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.77, 0.999])
def test_a_store_cut_off_anywhere_goes_on_to_the_same_bytes(
    world: World, tmp_path: Path, share: float
) -> None:
    wanted = contents(world.store)
    there = tmp_path / "store"
    shutil.copytree(world.store, there)
    manifest = (there / "manifest.json").read_text()
    (there / "manifest.json").write_text(begun(manifest))
    shard = shard_path(there, 0)
    os.truncate(shard, int(shard.stat().st_size * share))
    assert main(capture_flags(world, there)) == 0
    assert contents(there) == wanted


def begun(manifest: str) -> str:
    """The manifest as it was before the first block."""
    values = json.loads(manifest)
    late = ("documents", "tokens", "text_bytes", "bytes", "hidden_bytes", "measured", "shards")
    return json.dumps({k: v for k, v in values.items() if k not in late} | {"complete": False})


@pytest.mark.long
def test_ten_kills_at_random_moments_leave_the_bytes_of_an_uninterrupted_run(
    world: World, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "prism.distill", *capture_flags(world, tmp_path / "store")]
    chance = random.Random(3)
    killed = 0
    for _ in range(10):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        begin = time.monotonic()
        shard = shard_path(tmp_path / "store", 0)
        while not shard.exists() and process.poll() is None and time.monotonic() - begin < 60:
            time.sleep(0.001)
        time.sleep(chance.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
    assert killed
    assert main(capture_flags(world, tmp_path / "store")) == 0
    assert contents(tmp_path / "store") == contents(world.store)


def test_a_flipped_bit_is_named_by_shard_block_and_byte(world: World, tmp_path: Path) -> None:
    there = tmp_path / "store"
    shutil.copytree(world.store, there)
    places = Shards(there).places
    chance = random.Random(1)
    for number in (0, 11, 23):
        shutil.copy(shard_path(world.store, 0), shard_path(there, 0))
        place = places[number]
        raw = bytearray(shard_path(there, 0).read_bytes())
        raw[place.begin + chance.randrange(30, place.length)] ^= 1 << chance.randrange(8)
        shard_path(there, 0).write_bytes(raw)
        store = Store(there)
        for i in range(len(store)):
            if i != number:
                store.states(i)
        with pytest.raises(ValueError, match=f"block {number} at byte {place.begin:,} is damaged"):
            store.states(number)


def test_a_shard_that_is_cut_off_or_missing_is_refused(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "store"
    shutil.copytree(world.store, there)
    os.truncate(shard_path(there, 0), 5000)
    said = refused(capsys, ["inspect", str(there)])
    # inside a block it is the block that is named, between two the shard
    assert "is cut off: the shard ends at byte 5,000" in said or "shard 0 has 5,000 bytes" in said
    shard_path(there, 0).unlink()
    assert "shard 0 is missing" in refused(capsys, ["inspect", str(there)])


def test_another_job_into_the_same_folder_is_refused_and_nothing_is_lost(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(world.store)
    said = refused(capsys, capture_flags(world, world.store, "--codec", "int8"))
    assert "holds a store with asked = {'codec': 'fp16'" in said
    (tmp_path / "mine.txt").write_text("x")
    assert "holds other files" in refused(capsys, capture_flags(world, tmp_path))
    assert contents(world.store) == before


def test_a_text_that_the_tokenizer_would_lose_is_refused_with_document_and_byte(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher = tmp_path / "teacher"
    shutil.copytree(world.teacher, teacher)
    file = teacher / "tokenizer.json"
    values = json.loads(file.read_text("utf-8"))
    merges = {part for merge in values["model"]["merges"] for part in merge}
    character = chr(0x100 + 4)  # of byte 4
    assert character not in merges
    values["model"]["vocab"] = {
        "never" if piece == character else piece: i for piece, i in values["model"]["vocab"].items()
    }
    file.write_text(json.dumps(values), "utf-8")
    text = tmp_path / "text.txt"
    text.write_text("all is well\n<|endoftext|>\na\x04b\n")
    argv = ["capture", "--teacher", str(teacher), "--data", f"file:{text}"]
    said = refused(capsys, [*argv, "--out", str(tmp_path / "store")])
    assert "has no token for byte 0x04" in said
    assert str(text) in said


def test_shards_are_closed_at_their_size_and_read_as_one(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, shard_bytes=300)
    for i in range(10):
        writer.append({"number": i}, {"data": bytes([i]) * 50})
    writer.close()
    shards = Shards(tmp_path)
    assert len(shards.maps) > 2
    assert [shards.read(i).header["number"] for i in range(10)] == list(range(10))
    assert bytes(shards.read(7).sections["data"]) == b"\7" * 50
    again = ShardWriter(tmp_path, shard_bytes=300)
    assert again.blocks == 10
    again.close()


def test_progress_says_bytes_and_time_to_go() -> None:
    progress = module.Progress(1000, print)
    progress.own = progress.tokens = 250
    line = progress.line(5.0, 12_345)
    assert line == ("[#####               ] 250 of 1,000 tokens, 12,345 bytes, 50 tokens/s, "
                    "15 s to go")  # fmt: skip


@pytest.mark.parametrize("flag", [("--tokens", "0"), ("--context", "2"), ("--max-kl", "-1")])
def test_bad_numbers_are_refused_before_the_teacher_is_read(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: tuple[str, str]
) -> None:
    said = refused(capsys, capture_flags(world, tmp_path / "store", *flag))
    assert f"{flag[0]} " in said
    assert not (tmp_path / "store").exists()
