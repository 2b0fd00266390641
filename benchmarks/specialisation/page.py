"""Chapter on specialisation: wins, harm and ratio by task and kind."""

from __future__ import annotations

from typing import Any

from benchmarks.page.markdown import NONE, columns, minus
from benchmarks.specialisation.criteria import harms


def specialisation_sections(content: dict[str, Any]) -> list[str]:
    """Paragraphs and tables, from the content of specialisation.json."""
    groups = harms(content)
    scored = {(h.task, h.kind): h for h in groups if h.where == "scored"}
    trained = [
        f"- {run['task']}, seed {run['seed']}: {run['steps']:,} steps at {run['lr']:g}, "
        + (f"failed: {run['error']}" if run["error"] else f"{run['metric']} {run['test']:.3f}")
        for run in content["runs"]
    ]
    rows = [{"h": h, "scored": scored[h.task, h.kind]} for h in groups if h.where == "all"]
    return [
        "A decision is one token in one layer; the likeliest kind wins it. Equally many decisions "
        "are drawn among those that a kind wins and among the others, and its weight is set to 0 "
        "there: harm is what the loss gains in nats per decision, ratio is harm where it wins over "
        "harm elsewhere. Harms below a millionth of a nat are rounding and count as 0.",
        columns(
            rows,
            {
                "task": "{h.task}",
                "kind": "{h.kind}",
                "wins": "{h.wins:.0%}",
                "harm where it wins": lambda row: _nats(row["h"].won),
                "harm elsewhere": lambda row: _nats(row["h"].others),
                "ratio": "{h.text}",
                "ratio, scored tokens only": "{scored.text}",
                "seeds": "{h.seeds} of {h.runs}",
            },
            left=2,
        ),
        "\n".join(trained),
    ]


def _nats(value: float | None) -> str:
    return NONE if value is None else minus(f"{value:.2g}")
