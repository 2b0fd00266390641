"""The part of RESULTS.md about training on real English: the curve, the rates, the samples."""

from __future__ import annotations

from typing import Any

from benchmarks.page.markdown import table


def sections(content: dict[str, Any]) -> list[str]:
    """Paragraphs and tables, from the content of real_text.json."""
    meta, settings, runs = content["meta"], content["settings"], content["runs"]
    text = " and ".join(f"{s['name']} ({s['share']:.0%})" for s in content["text"])
    best = min(runs, key=lambda row: row["held_out"][-1]["bits_per_byte"])
    return [
        "![Held-out bits per byte](benchmarks/results/real_text.png)",
        f"`prism.run_scale` on real English: {text}; {settings['vocabulary']:,} BPE ids, "
        f"`--preset {settings['--preset']} --set {settings['--set']}`, {settings['--steps']:,} "
        f"steps of {settings['--global-batch-size']} × {settings['--seq-len']} tokens, the same "
        f"rows in the same order for every model. {meta['cpu']}, torch {meta['torch']}, "
        f"{meta['threads']} thread, one seed, so differences of a hundredth may be chance. Lowest: "
        f"{best['model']}.",
        _runs(runs),
        f"Rates by the held-out loss (nats) of {settings['sweep steps']} steps each, fully "
        "decayed; the lowest was taken:",
        _sweep(content["sweep"]),
        "Samples at temperature 0.7, seed 0:",
        _samples(runs),
    ]


def _runs(runs: list[dict[str, Any]]) -> str:
    prism = next((row for row in runs if row["model"] == "prism"), None)
    lines = []
    for row in runs:
        last = row["held_out"][-1]
        lines.append(
            [
                row["model"],
                f"{row['parameters']:,}",
                f"{last['tokens']:,}",
                f"{row['lr']:g}",
                f"{last['bits_per_byte']:.3f}",
                f"{last['loss']:.3f}",
                "–" if prism is None else f"{last['bits_per_byte'] - _bits(prism):+.3f}",
                f"{row['seconds'] / 60:.0f}",
            ]
        )
    head = ["model", "parameters", "tokens", "rate", "held-out bits/byte", "nats per token"]
    return table([*head, "minus prism", "minutes"], lines)


def _bits(row: dict[str, Any]) -> float:
    bits: float = row["held_out"][-1]["bits_per_byte"]
    return bits


def _sweep(rows: list[dict[str, Any]]) -> str:
    rates = sorted({row["lr"] for row in rows})
    found = {(row["model"], row["lr"]): row["held_out_loss"] for row in rows}
    models = list(dict.fromkeys(row["model"] for row in rows))
    lines = [
        [m, *(f"{found[m, r]:.3f}" if (m, r) in found else "–" for r in rates)] for m in models
    ]
    return table(["model", *(f"{rate:g}" for rate in rates)], lines)


def _samples(runs: list[dict[str, Any]]) -> str:
    lines = [
        [row["model"], f"**{_cell(sample['prompt'])}**{_cell(sample['text'])}"]
        for row in runs
        for sample in row["samples"]
    ]
    return table(["model", "text"], lines, left=2)


def _cell(text: str) -> str:
    """``text`` as it can stand in a cell of a table."""
    flat = " ".join(text.split(" ")).replace("\n", " ⏎ ")
    for character in "\\`*_|<>[]":
        flat = flat.replace(character, "\\" + character)
    return "".join(c if c.isprintable() else "�" for c in flat)
