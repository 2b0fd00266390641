"""Chapter on training on real English: the end of each run, the rates tried, samples."""

from __future__ import annotations

from typing import Any

from benchmarks.page.markdown import NONE, columns, pivot


def text_sections(content: dict[str, Any]) -> list[str]:
    """Paragraphs and tables, from the content of real_text.json."""
    meta, settings = content["meta"], content["settings"]
    text = " and ".join(f"{s['name']} ({s['share']:.0%})" for s in content["text"])
    runs = [{**row, "end": row["held_out"][-1]} for row in content["runs"]]
    bits = {row["model"]: row["end"]["bits_per_byte"] for row in runs}

    def minus_prism(row: dict[str, Any]) -> str:
        return f"{bits[row['model']] - bits['prism']:+.3f}" if "prism" in bits else NONE

    return [
        "![Held-out bits per byte](benchmarks/results/real_text.png)",
        f"`prism.run_scale` on real English: {text}; {settings['vocabulary']:,} BPE ids, "
        f"`--preset {settings['--preset']} --set {settings['--set']}`, {settings['--steps']:,} "
        f"steps of {settings['--global-batch-size']} × {settings['--seq-len']} tokens, the same "
        f"rows in the same order for every model. {meta['cpu']}, torch {meta['torch']}, "
        f"{meta['threads']} thread, one seed, so differences of a hundredth may be chance. Lowest: "
        f"{min(bits, key=bits.__getitem__)}.",
        columns(
            runs,
            {
                "model": "{model}",
                "parameters": "{parameters:,}",
                "tokens": "{end[tokens]:,}",
                "rate": "{lr:g}",
                "held-out bits/byte": "{end[bits_per_byte]:.3f}",
                "nats per token": "{end[loss]:.3f}",
                "minus prism": minus_prism,
                "minutes": lambda row: f"{row['seconds'] / 60:.0f}",
            },
        ),
        f"Rates by the held-out loss (nats) of {settings['sweep steps']} steps each, fully "
        "decayed; the lowest was taken:",
        pivot(
            content["sweep"],
            "{model}",
            "{lr:g}",
            lambda rows: f"{rows[0]['held_out_loss']:.3f}",
            "model",
            order=lambda row: row["lr"],
        ),
        "Samples at temperature 0.7, seed 0:",
        columns(
            [{"model": row["model"], **sample} for row in runs for sample in row["samples"]],
            {
                "model": "{model}",
                "text": lambda row: f"**{escaped(row['prompt'])}**{escaped(row['text'])}",
            },
            left=2,
        ),
    ]


def escaped(text: str) -> str:
    """``text`` as it can stand in a cell of a table."""
    flat = " ".join(text.split(" ")).replace("\n", " ⏎ ")
    for character in "\\`*_|<>[]":
        flat = flat.replace(character, "\\" + character)
    return "".join(c if c.isprintable() else "�" for c in flat)
