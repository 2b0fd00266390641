"""report.html: the tables and figures of a results folder in one page, without a network."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from prism import page, whole_file
from prism.compare import plots
from prism.compare.results import Results
from prism.compare.summary import (
    OURS,
    TaskSummary,
    cell,
    label,
    lines,
    model_names,
    number,
    recipe_text,
    remarks,
    summarise,
    unit,
)

FILE = "report.html"
TITLE = "PRISM against its baselines"


def write_report(results: Results, all_arms: bool = False) -> Path:
    """Write the page of ``results``, with the better arm of every baseline or all; its path."""
    with page.plot_style():
        text = render(results, all_arms)
    path = results.folder / FILE
    whole_file.write(path, text)
    return path


def render(results: Results, all_arms: bool = False) -> str:
    """The page as HTML."""
    summaries = summarise(results.runs, all_arms)
    examples = []
    for summary in summaries:
        runs = summary.models[OURS].good if OURS in summary.models else []
        kept = (example for run in runs if (example := results.example(run)) is not None)
        if (first := next(kept, None)) is not None:
            examples.append((summary, first))
    sections = [
        _results(summaries),
        _differences(summaries),
        *_curves(summaries),
        *_inside(examples),
        _cost(summaries),
        _provenance(results),
    ]
    sections = [section for section in sections if section]
    return page.page(TITLE, [_head(results.meta, summaries, sections), *sections])


def _head(meta: dict[str, Any], summaries: list[TaskSummary], sections: list[str]) -> str:
    links = [("results", "Results"), ("curves", "Learning curves"), ("lengths", "Length")]
    links += [
        ("inside", "Inside PRISM"),
        ("cost", "What it took"),
        ("provenance", "How it was made"),
    ]
    nav = "".join(
        f'<a href="#{key}">{text}</a>'
        for key, text in links
        if any(f'<h2 id="{key}">' in section for section in sections)
    )
    count = sum(len(m.runs) for s in summaries for m in s.models.values())
    lead = (
        f"{label(meta, summaries)} · models: {', '.join(model_names(summaries))} · runs: {count} · "
        "equal parameters, equal data, equal steps"
    )
    return f'<h1>{TITLE}</h1><p class="lead">{escape(lead)}</p><nav>{nav}</nav>'


def _results(summaries: list[TaskSummary]) -> str:
    models = model_names(summaries)
    rows, wins, starts = [], [], []
    for i, (summary, length) in enumerate(lines(summaries)):
        first = length == summary.headline_lengths[0]
        if first:
            starts.append(i)
        best = summary.winner(length)
        if best is not None:
            wins.append((i, 5 + models.index(best)))
        name, steps = (summary.title, str(summary.run["steps"])) if first else ("", "")
        cells = [cell(summary, model, length) for model in models]
        chance = f"{summary.run['chance']:.3g}"
        rows.append([name, str(length), steps, unit(summary.metric), chance, *cells])
    head = ["task", "length", "steps", "metric", "chance", *models]
    notes = "".join(f'<li class="note">{escape(line)}</li>' for line in remarks(summaries))
    return (
        '<h2 id="results">Results</h2><p>Score on the test set at the training length and at the '
        "longest length measured. Chance is the best blind guess.</p>"
        + page.table(head, rows, wins, starts)
        + f"<ul>{notes}</ul>"
    )


def _differences(summaries: list[TaskSummary]) -> str:
    others = [m for m in model_names(summaries) if m != OURS]
    rows, starts = [], []
    for i, (summary, length) in enumerate(lines(summaries)):
        first = length == summary.headline_lengths[0]
        if first:
            starts.append(i)
        differences = summary.differences(length)
        cells = [number(differences[m], sign="+") if m in differences else "–" for m in others]
        name = summary.title if first else ""
        rows.append([name, str(length), unit(summary.metric), *cells])
    if not others or not any(OURS in s.models for s in summaries):
        return ""
    head = ["task", "length", "metric", *(f"{OURS} − {m}" for m in others)]
    return (
        "<h3>PRISM minus baseline, seed by seed</h3>"
        '<p class="note">Runs with the same seed read the same data in the same order. An interval '
        "that excludes 0 is a difference that the seeds support, above 0 in PRISM's favour for "
        "accuracy, below 0 for bits per byte.</p>" + page.table(head, rows, starts=starts)
    )


def _cost(summaries: list[TaskSummary]) -> str:
    rows, starts = [], []
    for summary in summaries:
        starts.append(len(rows))
        for i, model in enumerate(summary.models.values()):
            run = model.first
            if run["parameters"] is None:
                continue
            speeds = [r["tokens_per_second"] for r in model.good] or [run["tokens_per_second"]]
            rows.append(
                [
                    summary.title if i == 0 else "",
                    model.model,
                    f"{run['parameters']:,}",
                    f"{run['state_bytes']:,}",
                    f"{sum(speeds) / len(speeds):,.0f}",
                    recipe_text(run),
                ]
            )
    head = ["task", "model", "parameters", "state (bytes)", "training tokens/s", "learning rate"]
    return (
        '<h2 id="cost">What it took</h2>'
        "<p>State: what one sequence carries while decoding, after the training "
        "length; a Transformer's grows with every token. Speed: training on this machine, "
        "while the other workers were busy too.</p>" + page.table(head, rows, starts=starts)
    )


def _curves(summaries: list[TaskSummary]) -> list[str]:
    """Learning curves and scores against length, those that there are."""
    drawn = (
        (
            "curves",
            "Learning curves",
            plots.learning_curves(summaries),
            "Validation score while training. Steep early is quick to learn; dotted grey is "
            "chance; bands are 95% intervals over seeds.",
        ),
        (
            "lengths",
            "Score against length",
            plots.length_curves(summaries),
            "Test score on sequences longer than the training ones, without retraining. A flat "
            "line has learned the rule, a falling one the length.",
        ),
    )
    return [
        f'<h2 id="{key}">{title}</h2>' + page.figure(figure, key, caption)
        for key, title, figure, caption in drawn
        if figure is not None
    ]


def _inside(examples: list[tuple[TaskSummary, dict[str, Any]]]) -> list[str]:
    if not examples:
        return []
    sections = [
        '<h2 id="inside">Inside PRISM</h2>'
        "<p>The inside of one trained PRISM on test sequences. <b>Routing</b>: how much of each "
        "token's computation the router gives to each kind of expert. <b>Bus gates</b>: how far "
        "each time scale is turned up (above 1) or down (below 1). <b>Tape load</b>: root mean "
        "square of what the content memory answers at each token; it rises as facts are written "
        "and asked for.</p>"
    ]
    for index, (summary, example) in enumerate(examples):
        key = f"inside{index}"
        caption = (
            "Routing of one sequence. Tokens below: grey = nothing is asked there, green = the "
            "next token is predicted right, red = wrong."
        )
        routing = page.figure(plots.routing_map(example), f"{key}-routing", caption)
        gates = page.figure(
            plots.bus_gates(example),
            f"{key}-gates",
            "Mean gate per half-life: which time scales the layers use.",
        )
        load = plots.tape_load(example)
        tape = (
            ""
            if load is None
            else page.figure(
                load,
                f"{key}-tape",
                "Tape load by token: how strongly the memory answers, mean over test sequences.",
            )
        )
        sections.append(
            f'<h3>{escape(summary.title)}</h3>{routing}<div class="pair">{gates}{tape}</div>'
        )
    return sections


def _provenance(results: Results) -> str:
    meta = {name: "–" if value is None else value for name, value in results.meta.items()}
    return (
        '<h2 id="provenance">How it was made</h2>'
        "<p>All numbers and figures come from results.json beside this page; "
        "<code>python -m prism.train --report DIR</code> draws them again.</p>" + page.facts(meta)
    )
