"""``python -m renders.film``: the explainer film, its captions, a short loop and a poster.

    prism_explainer.mp4  .srt  .vtt      the film, 1280 x 720, and its captions
    prism_loop.gif                       twenty seconds of it
    prism_poster.png                     a frame for a page that leads to it

The runs that it shows are made once (minutes) and kept in the work folder; drawing is repeated from
them. ``--stills`` draws the last frame of every beat and makes no video.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from prism import whole_file
from prism.command import Parser, check_seed, command, say
from prism.record import ROOT
from prism.whole_file import PLAIN_ERRORS, reason
from renders.drawing import HERE, folder
from renders.film import captions, video
from renders.film.runs import load_or_make, smollm2
from renders.film.runs.plan import runs
from renders.film.scenes import SCENES, Scene, title
from renders.film.script import TICKS, Timeline, play, rehearse
from renders.film.stage import Stage

NAME, LOOP, POSTER = "prism_explainer", "prism_loop.gif", "prism_poster.png"


def parser() -> Parser:
    """The command line."""
    p = Parser(prog="python -m renders.film", description=__doc__)
    p.add_argument("--out", type=folder, default=HERE, metavar="DIR", help="of the film")
    work = ROOT / "runs" / "film"
    p.add_argument("--work", type=folder, default=work, metavar="DIR", help="of runs and frames")
    p.add_argument("--seed", type=int, default=0, help="of every run")
    p.add_argument("--stills", action="store_true", help="frames in the work folder, no video")
    return p


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    start = time.monotonic()
    try:
        check_seed(args.seed)
        smollm2.check()
        if not args.stills:
            video.ffmpeg()
        torch.set_num_threads(1)
        data = {name: load_or_make(run, args.work, say) for name, run in runs(args.seed).items()}
        timeline = plan(data)
        if args.stills:
            stills(data, timeline, args.work / "stills")
        else:
            film(data, timeline, args.out, args.work)
    except PLAIN_ERRORS as error:
        p.error(reason(error))
    say(f"{timeline.ticks / TICKS:.0f} s of film in {time.monotonic() - start:.0f} s")
    return 0


def plan(data: dict[str, Any]) -> Timeline:
    """When everything is said."""
    timeline = Timeline()
    for scene in SCENES:
        timeline.add(scene.name, rehearse(scene.play(Stage(), of(scene, data))))
    return timeline


def of(scene: Scene, data: dict[str, Any]) -> Any:
    """The data that a scene takes: of its run, or of all."""
    return data if scene.run is None else data[scene.run]


def film(data: dict[str, Any], timeline: Timeline, out: Path, work: Path) -> None:
    """Draw all frames and write the files; the frames are removed."""
    frames = work / "frames"
    shutil.rmtree(frames, ignore_errors=True)
    frames.mkdir(parents=True)
    out.mkdir(parents=True, exist_ok=True)
    shots: list[video.Shot] = []
    for index, scene in enumerate(SCENES):
        stage = Stage(timeline.chapter(index))
        for frame in play(stage, scene.play(stage, of(scene, data))):
            shots.append(video.shoot(frames, len(shots), frame))
        say(f"{scene.name}: {len(shots):,} frames so far")
        if index == 0:
            poster = Image.fromarray(title.poster(stage))
    video.mp4(shots, timeline.chapters, out / f"{NAME}.mp4", work)
    video.gif(shots, out / LOOP, work)
    whole_file.write(out / f"{NAME}.srt", captions.srt(timeline.captions))
    whole_file.write(out / f"{NAME}.vtt", captions.vtt(timeline.captions))
    with whole_file.replacing(out / POSTER) as beside:
        poster.quantize(128).save(beside, "PNG", optimize=True)
    shutil.rmtree(frames)
    for name in (f"{NAME}.mp4", LOOP, POSTER):
        say(f"{out / name}: {(out / name).stat().st_size:,} bytes")


def stills(data: dict[str, Any], timeline: Timeline, where: Path) -> None:
    """The last frame of every beat, in a folder."""
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    for index, scene in enumerate(SCENES):
        stage = Stage(timeline.chapter(index))
        for number, beat in enumerate(scene.play(stage, of(scene, data))):
            stage.caption(beat.caption)
            if beat.draw is not None:
                for i in range(beat.steps):
                    beat.draw(i)
            Image.fromarray(stage.frame()).save(where / f"{index}-{number}.png", compress_level=1)


if __name__ == "__main__":
    sys.exit(main())
