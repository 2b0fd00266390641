"""Page of a run: numbers in words, figures, text that it wrote, the settings that were chosen."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from prism import page
from prism.engine.flags import flag_name
from prism.engine.logs.log import read
from prism.engine.logs.panels import Records, draw, in_words, spent
from prism.engine.logs.terminal import passes_text
from prism.engine.settings import WHAT, Settings
from prism.engine.store.folder import read_json


@dataclass(frozen=True)
class Samples:
    """Text that the model wrote.

    Attributes:
        prompt: the beginning that it was given.
        texts: continuations.
        note: how they were drawn, or why there are none.
    """

    prompt: str = ""
    texts: Sequence[str] = ()
    note: str = ""


def render(run: Path, samples: Samples | None = None) -> str:
    """The page of a run, self-contained HTML.

    Args:
        samples: to be shown; None = no such section.

    Raises:
        ValueError: the folder holds no run, or nothing was logged yet.
    """
    settings, records = read_json(run / "settings.json"), read(run)
    if not records:
        raise ValueError(f"{run}: nothing has been logged yet")
    with page.plot_style():
        figure = page.figure(draw(records), "run", _caption(records))
    title = f"{settings['model']} {settings['preset']}: {run.name}"
    sections = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="lead">{escape(_lead(settings, records))}</p>',
        page.facts(numbers(records)),
        figure,
    ]
    if samples is not None:
        sections += ["<h2>Text that it writes</h2>", *_written(samples)]
    sections += ["<h2>Settings</h2>", _settings(settings)]
    return page.page(title, sections)


def numbers(records: Records) -> dict[str, str]:
    """The last of every number, by a name in words; what was never logged is left out."""
    last: dict[str, Any] = {}
    for record in records:
        last |= record
    skipped = sum(record.get("skipped", 0) for record in records)
    seconds = sum(spent(records).values())
    held_out = [r["held_out_bits_per_byte"] for r in records if "held_out_bits_per_byte" in r]
    shown: dict[str, str] = {}
    if held_out:
        shown["held-out text"] = f"{held_out[-1]:.4f} bits per byte"
        if held_out[-1] > min(held_out):
            shown["held-out text, at its best"] = f"{min(held_out):.4f} bits per byte"
    if "bits_per_byte" in last:
        shown["training text"] = f"{last['bits_per_byte']:.4f} bits per byte"
    if "loss" in last:
        shown["training loss"] = f"{last['loss']:.4f} nats per token"
    if "passes" in last:
        shown["data read"] = passes_text(last["passes"].values())
    if "tokens_per_second" in last:
        shown["speed"] = f"{last['tokens_per_second']:,.0f} tokens per second"
    if "mfu" in last:
        shown["share of the GPU's peak (MFU)"] = f"{last['mfu']:.1%}"
    if seconds:
        shown["time"] = in_words(seconds)
    if last.get("eta_seconds", 0.0) >= 1 and not _finished(records):
        shown["time to go"] = in_words(last["eta_seconds"])
    if "memory_mib" in last:
        shown["most memory"] = f"{last['memory_mib']:,.0f} MiB"
    if skipped:
        shown["steps skipped as outliers"] = f"{skipped:,}"
    return shown


def _finished(records: Records) -> bool:
    return "wall_seconds" in records[-1] and "loss" not in records[-1]  # the closing record


def _lead(settings: Mapping[str, Any], records: Records) -> str:
    steps = f"{records[-1]['step']:,} of {settings.get('steps', records[-1]['step']):,} steps"
    tokens = [record["tokens"] for record in records if "tokens" in record]
    read = f", {tokens[-1]:,} tokens" if tokens else ""
    usual = "mix:instruct" if settings.get("phase") == "instruct" else "pydoc"
    return f"{steps}{read}, on {settings.get('data') or usual}."


def _caption(records: Records) -> str:
    text = "Half-lives: at the first and the last validation, 1 is their mean. Time: of the run."
    if any("loads" in r for r in records) and not any(
        abs(share - 1.0) > 1e-6 for r in records for share in r.get("loads", {}).values()
    ):
        text += " Every kind of expert runs on every token."
    return text


def _written(samples: Samples) -> list[str]:
    parts = [f'<p class="note">{escape(samples.note)}</p>']
    opening = f'<pre class="sample"><b>{escape(samples.prompt)}</b>'
    parts += [f"{opening}{escape(_printable(text))}</pre>" for text in samples.texts]
    return parts


def _printable(text: str) -> str:
    """``text`` without control characters, which have no place in HTML."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def _settings(settings: Mapping[str, Any]) -> str:
    """Flags that differ from their default, with their meaning."""
    fields = {f.name: f for f in dataclasses.fields(Settings)}
    rows = []
    for name, value in settings.items():
        field = fields.get(name)
        if field is not None and field.metadata["group"] == WHAT and name != "init_from":
            continue
        default = [] if field is None or field.default is dataclasses.MISSING else field.default
        if value != default and value is not None:
            shown = " ".join(map(str, value)) if isinstance(value, list) else str(value)
            meaning = "" if field is None else field.metadata["help"]
            rows.append((flag_name(name), shown, meaning))
    table = page.table(("flag", "value", "meaning"), rows, text=True) if rows else ""
    note = "All others are at their default; settings.json in the run's folder has every one."
    return f'{table}<p class="note">{note}</p>'
