"""Captions as files beside the film: SubRip (.srt) and WebVTT (.vtt)."""

from __future__ import annotations

from renders.film.script import TICKS, Caption
from renders.film.stage import caption_lines


def srt(captions: list[Caption]) -> str:
    """The text of a SubRip file."""
    parts = []
    for number, caption in enumerate(captions, 1):
        times = f"{clock(caption.begin, ',')} --> {clock(caption.end, ',')}"
        parts.append("\n".join([str(number), times, *caption_lines(caption.words)]) + "\n")
    return "\n".join(parts)


def vtt(captions: list[Caption]) -> str:
    """The text of a WebVTT file."""
    parts = ["WEBVTT\n"]
    for caption in captions:
        times = f"{clock(caption.begin, '.')} --> {clock(caption.end, '.')}"
        words = [line.replace("&", "&amp;") for line in caption_lines(caption.words)]
        words = [line.replace("<", "&lt;").replace(">", "&gt;") for line in words]
        parts.append("\n".join([times, *words]) + "\n")
    return "\n".join(parts)


def clock(ticks: int, point: str) -> str:
    """Hours, minutes, seconds and thousandths, as ``00:01:02,500``."""
    thousandths = round(ticks * 1000 / TICKS)
    seconds, thousandths = divmod(thousandths, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{thousandths:03}"
