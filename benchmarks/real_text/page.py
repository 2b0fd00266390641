"""Chapter on training on real English: the end of each run, the rates tried, samples."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from benchmarks.page.markdown import NONE, columns, listed, minus, pivot, table
from benchmarks.real_text.bootstrap import bits_per_byte, paired_bootstrap
from prism.baselines import family


def text_sections(content: dict[str, Any]) -> list[str]:
    """Paragraphs and tables, from the content of real_text.json or another text's file."""
    if "trigram" in content:
        return [*_about(content), *_documents(content), *_search(content), *_samples(content)]
    return one_seed_sections(content)


def _about(content: dict[str, Any]) -> list[str]:
    meta, settings = content["meta"], content["settings"]
    text = " and ".join(f"{s['name']} ({s['share']:.0%})" for s in content["text"])
    seeds = len({row["seed"] for row in content["runs"]})
    sizes = [d["bytes"] for d in content["documents"]]
    return [
        f"`prism.run_scale` on real English: {text}; {settings['vocabulary']:,} BPE ids, "
        f"`--preset {settings['--preset']} --set {settings['--set']}`, {settings['--steps']:,} "
        f"steps of {settings['--global-batch-size']} × {settings['--seq-len']} tokens, {seeds} "
        f"seeds, the same rows in the same order for every model. {meta['cpu']}, torch "
        f"{meta['torch']}, {meta['threads']} thread. Scored are {len(sizes)} held-out documents "
        f"({sum(sizes):,} bytes) that no choice of a recipe or an arm has seen, in pieces of "
        f"{settings['--seq-len']} tokens: with the state carried from piece to piece, and each "
        "piece alone. Differences are to prism, with 95% intervals of a paired bootstrap over the "
        "documents."
    ]


def by_model(content: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The long runs of PRISM and of the better arm of every baseline, by seed: the arm whose last
    validation loss is lowest, mean over seeds."""
    arms: dict[str, list[dict[str, Any]]] = {}
    for row in content["runs"]:
        arms.setdefault(row["model"], []).append(row)
    better: dict[str, list[dict[str, Any]]] = {}
    for name, rows in sorted(arms.items(), key=lambda arm: _validation(arm[1])):
        better.setdefault(family(name), rows)
    return better


def _validation(rows: list[dict[str, Any]]) -> float:
    return fmean(row["held_out"][-1]["bits_per_byte"] for row in rows)


def _documents(content: dict[str, Any]) -> list[str]:
    """Bits per byte of the documents, against PRISM and against the trigram."""
    sizes = [d["bytes"] for d in content["documents"]]
    counted = bits_per_byte(content["trigram"], sizes)
    better, ways = by_model(content), ("carried", "alone")
    ours = better.get("prism")
    rows, undertrained = [], []
    for name, runs in better.items():
        arm = runs[0]["model"]
        row = {"model": name if arm == name else f"{name} ({arm})", "seeds": str(len(runs))}
        for way in ways:
            scores = [run["documents"][way] for run in runs]
            bits = fmean(bits_per_byte(nats, sizes) for nats in scores)
            row[way] = f"{bits:.3f}"
            if way == "carried" and bits > counted:
                undertrained.append(name)
            if ours is None or name == "prism":
                row[f"minus prism, {way}"] = NONE
                continue
            gap = paired_bootstrap(scores, [run["documents"][way] for run in ours], sizes)
            text = f"{gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
            row[f"minus prism, {way}"] = minus(text)
        rows.append(row)
    head = ("model", "seeds", *ways, *(f"minus prism, {way}" for way in ways))
    above = (
        f"above it, so undertrained: {listed(undertrained)}" if undertrained else "all are below"
    )
    return [
        table(head, [[row[name] for name in head] for row in rows]),
        f"A trigram counted on the same training tokens gives {counted:.3f}; {above}. Of a "
        "baseline the arm is shown whose validation loss is lowest; every arm is in the file.",
    ]


def _search(content: dict[str, Any]) -> list[str]:
    tried = {row["model"]: [] for row in content["sweep"]}
    for row in content["sweep"]:
        tried[row["model"]].append(row)
    best = [
        {**min(rows, key=lambda r: r["held_out_loss"]), "n": len(rows)} for rows in tried.values()
    ]
    return [
        f"Recipes searched at {content['settings']['sweep steps']} steps, until no neighbour was "
        "better on validation:",
        columns(
            best,
            {
                "model": "{model}",
                "tried": "{n}",
                "rate": "{lr:g}",
                "warm-up": "{warm_up:g}",
                "dropout": "{dropout:g}",
                "nats per token": "{held_out_loss:.3f}",
            },
        ),
    ]


def _samples(content: dict[str, Any]) -> list[str]:
    first = min(row["seed"] for row in content["runs"])
    rows = [row for row in content["runs"] if row["seed"] == first]
    return [
        f"Samples at temperature 0.7, seed {first}:",
        columns(
            [{"model": row["model"], **sample} for row in rows for sample in row["samples"]],
            {
                "model": "{model}",
                "text": lambda row: f"**{escaped(row['prompt'])}**{escaped(row['text'])}",
            },
            left=2,
        ),
    ]


def one_seed_sections(content: dict[str, Any]) -> list[str]:
    """Paragraphs and tables of a file of earlier runs: one seed, no documents."""
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
