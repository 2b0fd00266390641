"""Frames to video: PNG files with durations, and the ffmpeg that a package ships.

A frame is encoded once and stands as long as it is to be seen: the mp4 has a variable frame rate.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from prism.whole_file import replacing
from renders.film.script import TICKS, Frame

INSTALL = "the film needs an optional package: pip install 'prism-lm[film]'"
MP4_LIMIT, GIF_LIMIT = 8_000_000, 2_000_000  # bytes
CLOCK = 300  # times are kept in this part of a second: of 1/12 and of the hundredths of a gif
LOOP_SECONDS, LOOP_WIDTH, LOOP_COLOURS = 20, 800, 64


@dataclass(frozen=True)
class Shot:
    """A frame on the disk and the ticks that it stands."""

    path: Path
    ticks: int
    loop: bool


def ffmpeg() -> str:
    """The path of the program.

    Raises:
        ImportError: the package that ships it is missing; says how to install it.
    """
    try:
        import imageio_ffmpeg
    except ImportError:
        raise ImportError(INSTALL) from None
    return imageio_ffmpeg.get_ffmpeg_exe()


def shoot(folder: Path, number: int, frame: Frame) -> Shot:
    """Write a frame; quickly, since it is read once."""
    path = folder / f"{number:05}.png"
    Image.fromarray(frame.pixels).save(path, compress_level=1)
    return Shot(path, frame.ticks, frame.loop)


def mp4(shots: list[Shot], chapters: list[tuple[str, int, int]], path: Path, work: Path) -> None:
    """Write the film, H.264 with chapter marks.

    Raises:
        OSError: ffmpeg failed; its last line says why.
        ValueError: the file is larger than ``MP4_LIMIT``; nothing is replaced.
    """
    listed = _listing(shots, [shot.ticks / TICKS for shot in shots], work)
    marks = work / "chapters.txt"
    marks.write_text(_metadata(chapters), "utf-8")
    starts = ",".join(f"{begin / TICKS:.3f}" for _, begin, _ in chapters)
    look = ["-c:v", "libx264", "-preset", "medium", "-crf", "21", "-tune", "animation"]
    # without B-frames: with them the length in the file ends before the last frame does
    look += ["-bf", "0", "-pix_fmt", "yuv420p", "-g", "240", "-force_key_frames", starts]
    source = ["-f", "concat", "-safe", "0", "-i", str(listed), "-i", str(marks)]
    ends = ["-map_metadata", "1", "-fps_mode", "vfr", "-movflags", "+faststart", "-f", "mp4"]
    with replacing(path) as beside:
        _run([*source, "-map", "0:v", *look, *ends, str(beside)])
        _check_size(path, beside, MP4_LIMIT)


def gif(shots: list[Shot], path: Path, work: Path) -> None:
    """Write the loop: the shots that belong to it, their durations scaled to ``LOOP_SECONDS``.

    Raises:
        OSError, ValueError: as :func:`mp4`, with ``GIF_LIMIT``.
    """
    shots = thinned([shot for shot in shots if shot.loop])
    scale = LOOP_SECONDS / sum(shot.ticks for shot in shots)
    listed = _listing(shots, [shot.ticks * scale for shot in shots], work)
    palette = f"palettegen=max_colors={LOOP_COLOURS}:stats_mode=full"
    steps = f"scale={LOOP_WIDTH}:-1:flags=lanczos,split[a][b];[a]{palette}[p];"
    steps += "[b][p]paletteuse=dither=none:diff_mode=rectangle"
    source = ["-f", "concat", "-safe", "0", "-i", str(listed), "-filter_complex", steps]
    with replacing(path) as beside:
        ends = ["-fps_mode", "vfr", "-loop", "0", "-final_delay", "1", "-f", "gif"]
        _run([*source, *ends, str(beside)])
        _check_size(path, beside, GIF_LIMIT)


def thinned(shots: list[Shot], most: int = 130) -> list[Shot]:
    """At most about ``most`` shots: neighbours become one that stands as long as both."""
    every = -(-len(shots) // most)
    groups = [shots[i : i + every] for i in range(0, len(shots), every)]
    return [Shot(group[-1].path, sum(s.ticks for s in group), True) for group in groups]


def _listing(shots: list[Shot], seconds: list[float], work: Path) -> Path:
    """The file that ffmpeg's concat demuxer reads. The last frame stands twice in it: a duration
    only counts before another frame."""
    lines = ["ffconcat version 1.0"]
    for shot, length in zip(shots, seconds, strict=True):
        lines += [_file(shot, work), f"duration {length:.6f}"]
    lines.append(_file(shots[-1], work))
    path = work / "frames.txt"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def _file(shot: Shot, work: Path) -> str:
    """Lines that name a frame, seen from the listing, so that no folder's name can break them."""
    return f"file '{shot.path.relative_to(work).as_posix()}'\noption framerate {CLOCK}"


def _metadata(chapters: list[tuple[str, int, int]]) -> str:
    """Chapter marks as ffmpeg reads them."""
    lines = [";FFMETADATA1", "title=PRISM"]
    for name, begin, end in chapters:
        lines += ["[CHAPTER]", f"TIMEBASE=1/{TICKS}", f"START={begin}", f"END={end}"]
        lines.append(f"title={name}")
    return "\n".join(lines) + "\n"


def _run(options: list[str]) -> None:
    command = [ffmpeg(), "-y", "-nostdin", "-loglevel", "error", "-threads", "1", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise OSError(f"ffmpeg: {lines[-1]}")


def _check_size(path: Path, beside: Path, limit: int) -> None:
    size = beside.stat().st_size
    if size > limit:
        raise ValueError(f"{path}: {size:,} bytes: must be at most {limit:,}")
