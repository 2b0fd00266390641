"""``python -m benchmarks.parts.page``: docs/PARTS.md, what each part of PRISM is worth."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.page.command import RESULTS, ROOT
from benchmarks.parts.variants import VARIANTS, WHOLE
from prism import whole_file
from prism.compare.statistics import Estimate, paired_difference
from prism.compare.training import HIGHER_IS_BETTER
from prism.record import Run, read_runs

HEAD = """# What each part is worth

Made by `python -m benchmarks.parts.page` from `benchmarks/results/parts.json`; no number below is
typed in. Every variant has one part less or one more than the default model and its size; what a
part costs in parameters went to, or came from, the width of the neural experts. All variants of a
setting saw the same data in the same order. A difference is variant minus whole, over the seeds
that both have, with its 95% interval where there are several; on text *positive* means that the
variant is worse (bits per byte), on other tasks *negative* does (accuracy). CPU seconds are of one
run of both on the machine that the file names, and were not measured on a quiet machine.
"""
SETTING = ("task", "corpus", "steps", "lr", "dropout", "code")


def page(runs: list[Run]) -> str:
    """The page as Markdown."""
    settings = list(dict.fromkeys(tuple(run[name] for name in SETTING) for run in runs))
    return HEAD + "".join(_chapter(s, runs) for s in settings)


def _chapter(setting: tuple[Any, ...], runs: list[Run]) -> str:
    mine = [r for r in runs if tuple(r[n] for n in SETTING) == setting and r["error"] is None]
    task, corpus, steps, lr, dropout, code = setting
    lengths = list(mine[0]["test"]["by_length"])
    text = f"\n## {task}, {steps} steps\n\n"
    text += f"Rate {lr:g}, dropout {dropout:g}, corpus {corpus or 'built in'}, code `{code}`.\n\n"
    text += f"| model | seeds | {' | '.join(f'T = {n}' for n in lengths)} | CPU s |\n"
    text += "|---|---|" + "---|" * (len(lengths) + 1) + "\n"
    for part in VARIANTS:
        rows = {run["seed"]: run for run in mine if run["part"] == part}
        if rows:
            cells = " | ".join(_cell(part, rows, mine, length) for length in lengths)
            seconds = sum(run["cpu_seconds"] for run in rows.values()) / len(rows)
            text += f"| {part} | {len(rows)} | {cells} | {seconds:.0f} |\n"
    better = "higher" if HIGHER_IS_BETTER[mine[0]["metric"]] else "lower"
    return text + f"\n{mine[0]['metric'].replace('_', ' ')}: {better} is better.\n"


def _cell(part: str, rows: dict[int, Run], runs: list[Run], length: str) -> str:
    mean = sum(run["test"]["by_length"][length] for run in rows.values()) / len(rows)
    if part == WHOLE:
        return f"{mean:.4f}"
    whole = {r["seed"]: r["test"]["by_length"][length] for r in runs if r["part"] == WHOLE}
    mine = {seed: run["test"]["by_length"][length] for seed, run in rows.items()}
    return f"{mean:.4f} ({_difference(paired_difference(mine, whole))})"


def _difference(found: Estimate | None) -> str:
    if found is None:
        return "no pair"
    if found.half_width is None:
        return f"{found.mean:+.4f}"
    return f"{found.mean:+.4f} ± {found.half_width:.4f}"


def main(source: Path = RESULTS / "parts.json", target: Path = ROOT / "docs" / "PARTS.md") -> int:
    """Write the page; the exit code."""
    whole_file.write(target, page(read_runs(source)["runs"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
