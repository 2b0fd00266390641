"""The picture of the demo: loss along the first axis, answers along the second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

INK, GREY = "#222222", "#9a9a94"
FIRST, GROWN = "#2b5c8a", "#3f7f56"
ANSWERS = (("right", "#3f7f56"), ("unknown", "#d9d7cf"), ("wrong", "#b8322a"))


def draw(scaled: dict[str, Any], taught: dict[str, Any], path: Path) -> None:
    """Write a PNG of what the two axes returned."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    with plt.rc_context({"font.family": "DejaVu Sans", "font.size": 9}):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.9))
        _scaled(left, scaled)
        _taught(right, taught)
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
        figure.tight_layout(w_pad=3)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
        plt.close(figure)


def _scaled(axes: Any, scaled: dict[str, Any]) -> None:
    first, grown = scaled["losses"], scaled["grown_losses"]
    axes.plot(range(1, len(first) + 1), first, color=FIRST, lw=1.4)
    axes.plot(range(len(first) + 1, len(first) + len(grown) + 1), grown, color=GROWN, lw=1.4)
    axes.axvline(len(first) + 0.5, color=GREY, lw=0.8, ls=(0, (4, 3)))
    top = max(first + grown)
    axes.set_ylim(0, 1.08 * top)
    middle = len(first) + 0.5
    label = f"{scaled['small']:,}\nparameters"
    axes.text(0.96 * middle, 0, label + "\n", ha="right", va="bottom", color=FIRST)
    moved = f"by\nmore than {scaled['changed']:.0e}" if scaled["changed"] else "at all"
    label = f"grown to {scaled['large']:,};\nno output moved {moved}"
    axes.text(1.06 * middle, top, label, ha="left", va="top", color=GROWN)
    _title(axes, "First axis: scaled by training")
    axes.set_xlabel("training step (fresh facts at every step)")
    axes.set_ylabel("training loss")


def _taught(axes: Any, taught: dict[str, Any]) -> None:
    stages = taught["stages"]
    bottom = [0] * len(stages)
    for name, colour in ANSWERS:
        heights = [stage[name] for stage in stages]
        axes.bar(range(len(stages)), heights, 0.72, bottom, color=colour, label=name)
        bottom = [b + h for b, h in zip(bottom, heights, strict=True)]
    for i, stage in enumerate(stages):
        if stage["right"]:
            axes.text(i, stage["right"] / 2, str(stage["right"]), ha="center", color="white")
    axes.set_xticks(range(len(stages)), [stage["bound"] for stage in stages])
    axes.set_xlabel(
        "facts bound; weights unchanged" if taught["weights_unchanged"] else "facts bound"
    )
    axes.set_ylabel(f"answers to the same {taught['facts']} questions")
    axes.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(-0.02, 0.98), fontsize=8)
    _title(axes, "Second axis: taught by binding")


def _title(axes: Any, words: str) -> None:
    axes.set_title(words, loc="left", color=INK, fontsize=10.5, pad=24)
