"""Sections of the page on a log, from its figures alone."""

from __future__ import annotations

import base64
from html import escape
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from prism.page import facts, figure, plot_style, table

# what earlier tools of the log book did, and what is done here
CORRECTIONS = (
    (
        "1.31c, canonical ULP",
        "took the next float32 of a bf16 number, 2^16 too close, so that every displacement was a "
        "whole number of steps",
        "ordinals of the format itself",
    ),
    (
        "1.13a, lattice-scale search",
        "asked for the same sign and exponent, and counted single coordinates without asking that "
        "the others agree",
        "all coordinates within one ordinal",
    ),
    (
        "03_topology",
        "subtracted raw bits: 32,768 too far where the sign changes",
        "ordinals, continuous through zero",
    ),
    (
        "1.17b, lattice-scale movements",
        "one threshold from the largest exponent, lengths in bf16, and rows that did not move "
        "counted as hops",
        "whole lattice steps; frozen is a class",
    ),
    (
        "log, 11-20",
        "mixed radii about the origin and about the centroid",
        "both, by name",
    ),
    (
        "dead tokens",
        "in no document of the corpus, though batches are samples",
        "in no batch that was really read, up to each step",
    ),
    (
        "1.16d, freezing of a row",
        "the last movement of a whole row: one rare burst decides it",
        "single numbers, censored where the log ends",
    ),
)


def sections(content: dict[str, Any], film: bytes) -> list[str]:
    """The page's body."""
    header, last = content["header"], content["last"]
    steps = last - content["first"]
    saved = content["raw_bytes"] / max(content["bytes"], 1)
    settings = ", ".join(f"{k} {v}" for k, v in header["settings"].items())
    parts = [
        f"<h1>What {escape(header['matrix'])} did</h1>",
        f"<p class='lead'>{steps:,} steps, recorded to the bit: {content['rows']:,} rows, "
        f"{content['dead']:,} of them never seen in a batch. {escape(settings)}.</p>",
        _film(film),
        "<h2>The questions</h2>",
        _answers(content),
        "<h2>Freezing</h2>",
        figure(_survival(content), "survival", "Share of the numbers of dead rows that still move "
               "after a step (Kaplan-Meier)."),
        _phases(content),
        "<h2>Motion</h2>",
        figure(_motion(content), "motion", "Movements by lattice steps, and the cloud in its own "
               "frame."),
        "<h2>The log</h2>",
        facts({
            "format": header["format"], "bytes": f"{content['bytes']:,}",
            "below raw": f"{saved:.1f} times", "whole": content["damage"] or "yes",
        }),
        "<h2>What earlier tools got wrong</h2>",
        table(("tool", "did", "here"), CORRECTIONS, text=True),
    ]  # fmt: skip
    if "tracers" in content:
        parts[6:6] = ["<h2>Causes</h2>", _tracers(content["tracers"])]
    return parts


def _film(film: bytes) -> str:
    data = base64.b64encode(film).decode()
    caption = "Dead rows in their own frame; moments spread over the logarithm of the step."
    return (
        f'<figure><img alt="film of the cloud" src="data:image/gif;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _answers(content: dict[str, Any]) -> str:
    """The questions of the log book, each with figures or with why it has none here."""
    start, end = content["crystal"]["start"], content["crystal"]["end"]
    freezing, phase = content["freezing"], content["phases"]
    low, high = (_step(x) for x in freezing["interval"])
    made = (
        f"{start['rows'] - start['distinct']:,} dead rows were equal to another at the start and "
        f"{end['rows'] - end['distinct']:,} at the end; {end['neighbours']:,} pairs were one "
        f"lattice step apart, in {end['components']:,} components."
    )
    half = (
        "Fewer than half of the numbers had moved for the last time when the log ends"
        if freezing["median"] is None
        else f"Half of the numbers had moved for the last time by step {freezing['median']:,} "
        f"(95% [{low}, {high}])"
    )
    frozen = (
        f"{half}; {freezing['frozen']:.1%} froze in this run. {_taken_over(phase['takeover'])}; "
        f"the last jump of a row was at step {_step(phase['no_jumps'])}, of {content['last']:,}."
    )
    drift = content["antiparallel"]
    rows = [
        ("What made the spongecrystal?", f"{made} One run shows whether this start and this "
         "training make one; starts are compared by tracers (sigma) and seeds."),
        ("When does the cloud go from gas to frozen solid?", frozen),
        ("Does it drift?", "No drift was recorded." if drift is None else
         f"The mean of the dead rows moves against the mean hidden state: cosine {drift:.3f} at "
         "the median step."),
        ("What is a control?", "Labels without information, or wrong ones only: the same command "
         "with --labels shuffled, --labels wrong. Not in this run unless it says so above."),
        ("What made that of the large model?", "Not answerable at this size: the history of a "
         "model of width 2,560 is not recorded anywhere."),
    ]  # fmt: skip
    return table(("question", "answer"), rows, text=True)


def _taken_over(step: int | None) -> str:
    if step is None:
        return "Movements by more than one step were the most to the end"
    return f"Single steps are most movements from step {step:,} on"


def _step(x: int | None) -> str:
    return "never" if x is None else f"{x:,}"


def _phases(content: dict[str, Any]) -> str:
    phase = content["phases"]
    return facts({
        "single steps take over": _step(phase["takeover"]),
        "last jump of a row": _step(phase["no_jumps"]),
        "last movement by more than one": _step(phase["no_local"]),
        "last movement": _step(phase["still"]),
        "movements": f"{phase['moves']:,}, {phase['single_share']:.1%} by one step",
    })  # fmt: skip


def _tracers(tracers: dict[str, Any]) -> str:
    """The variants of the optimizer, by the median freezing time of the same rows."""
    if not tracers["equal_to_the_bit"]:
        step = tracers["first_unequal_step"]
        return f"<p>Void: the live copy differed from the run at step {step:,}.</p>"
    rows = []
    for name, found in tracers["variants"].items():
        freezing, shares = found["freezing"], at_the_end(found)
        low, high = (_step(x) for x in freezing["interval"])
        rows.append((
            name, _step(freezing["median"]), f"[{low}, {high}]", f"{freezing['frozen']:.1%}",
            *(f"{shares[c]:.1%}" if c in shares else "–" for c in
              ("moved", "no_gradient", "below_half", "latched")),
            f"{found['crystal']['distinct']:,}", f"{found['crystal']['components']:,}",
        ))  # fmt: skip
    head = ("optimizer", "frozen by", "95%", "froze", "move at the end", "no gradient",
            "below half", "v latched", "distinct rows", "components")  # fmt: skip
    error = tracers["gradient_error"]
    note = (
        f"{len(tracers['rows'])} dead rows, {tracers['step'] - tracers['first']:,} steps. The copy "
        "with the optimizer of the run was its rows to the bit at every step; the formula for "
        f"their gradient was off by at most {error:.2g} of its size."
    )
    return f"<p>{escape(note)}</p>{table(head, rows)}"


def at_the_end(found: dict[str, Any]) -> dict[str, float]:
    """Shares of the numbers of a variant by cause, over the last window that has noted steps; none
    in a run too short for one."""
    causes, numbers = found["causes"], found["freezing"]["numbers"]
    noted = [i for i, n in enumerate(causes["noted"]) if n]
    if not noted:
        return {}
    total = causes["noted"][noted[-1]] * numbers
    return {name: x[noted[-1]] / total for name, x in causes.items() if name != "noted"}


def _survival(content: dict[str, Any]) -> Figure:
    with plot_style():
        drawing = Figure(figsize=(7, 3), layout="constrained")
        ax = drawing.subplots()
        ax.step(content["survival"]["t"], content["survival"]["share"], where="post", color="#222",
                label="this run")  # fmt: skip
        tracers = content.get("tracers")
        if tracers and tracers["equal_to_the_bit"]:
            for name, found in list(tracers["variants"].items())[1:9]:
                ax.plot(tracers["times"], found["curve"], lw=1, label=name)
        ax.set(xlabel="step", ylabel="still moving", ylim=(-0.02, 1.02))
        ax.legend(fontsize=7)
    return drawing


def _motion(content: dict[str, Any]) -> Figure:
    lattice, motion = content["lattice"], content["comoving"]
    with plot_style():
        drawing = Figure(figsize=(10, 3), layout="constrained")
        axes = drawing.subplots(1, 3)
        for name, label in (("more", "by more"), ("single", "by one step")):
            axes[0].plot(lattice["step"], lattice[name], label=label)
        axes[0].set_yscale("symlog", linthresh=1)
        axes[0].set_title("Numbers that move")
        for name in ("radius", "radius_origin", "bulk"):
            label = {"radius_origin": "radius about 0", "bulk": "drift"}.get(name, name)
            axes[1].plot(motion["step"], motion[name], label=label)
        axes[1].set_title("Size and drift")
        for name in ("coherence", "antiparallel"):
            values = [np.nan if x is None else x for x in motion[name]]
            axes[2].plot(motion["step"], values, label=name)
        axes[2].set_title("Directions")
        for ax in axes:
            ax.set_xscale("log")
            ax.set_xlabel("step")
            ax.legend(fontsize=7)
    return drawing
