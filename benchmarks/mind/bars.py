"""Acceptance bars of the knowledge base, a line each, for docs/MIND.md: what is met and what not.

From mind.json (the judged set), mind-ledger.json and mind-serving.json; what was not measured is
named.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.page.markdown import table
from prism.studies.mind.report import verdicts

# bar, what, file, path of the figure, comparison, limit
FIGURES: tuple[tuple[str, str, str, str, str, float], ...] = (
    ("M6", "200 writers killed: acknowledged writes lost", "ledger", "killed.lost", "<=", 0),
    ("M6", "the tape equals the rows after it", "ledger", "killed.tape_agrees", ">=", 1),
    ("M6", "50 restarts, 1,000 changes: lost", "ledger", "restarts.lost", "<=", 0),
    ("M7", "4 × 2,500 operations: lost", "ledger", "together.lost", "<=", 0),
    ("M7", "doubled", "ledger", "together.doubled", "<=", 0),
    ("M7", "refused as locked", "ledger", "together.refused", "<=", 0),
    ("M7", "longest wait, s", "ledger", "together.longest_wait", "<=", 5),
    ("M7", "transactions a second", "ledger", "together.per_second", ">=", 250),
    ("M8", "100,000 facts built anew, s", "ledger", "size.0.rebuild_seconds", "<=", 3),
    ("M8", "opened and read, s", "ledger", "size.0.open_and_read_seconds", "<=", 0.2),
    ("M9", "erased: files that hold it", "ledger", "erasure.files_while_open", "<=", 0),
    ("M9", "after a restart", "ledger", "erasure.files_after_a_restart", "<=", 0),
    ("M9", "live objects that hold it", "ledger", "erasure.texts_in_memory", "<=", 0),
    ("M11", "100 tenants, 10,000 cross reads: leaks", "serving", "tenants.leaks", "<=", 0),
    ("M13", "reply opens with the answer", "serving", "spoken.open_with_the_answer", ">=", 0.98),
    ("M13", "replies with words of another fact", "serving",
     "spoken.other_words_from_the_register", "<=", 0),
    ("M14", "pieces of 10,000 tokens with other logits", "serving", "spoken.logits.differing",
     "<=", 0),
    ("M14", "parameters unchanged", "serving", "spoken.logits.parameters_unchanged", ">=", 1),
    ("M15", "seconds until the first statement is noted", "serving",
     "start.seconds_to_the_first_line", "<=", 10),
    ("M16", "of 20 parallel streams right", "serving", "streams.right", ">=", 20),
    ("M16", "a client gone: seconds until free", "serving",
     "spoken.disconnect.seconds_until_free.max", "<=", 1),
)  # fmt: skip


ABOUT = {
    "M1": "questions over several facts", "M2": "silence where there is no answer",
    "M3": "facts from statements", "M4": "said, asked after a restart", "M5": "updates",
    "M6": "kills and restarts", "M7": "writers at once", "M8": "100,000 facts", "M9": "erasure",
    "M10": "poisoned text", "M11": "tenants", "M12": "time of a question and a statement",
    "M13": "the spoken answer", "M14": "the model where nothing is recalled", "M15": "the start",
    "M16": "streams of the official client", "M17": "tape against dict",
    "M18": "pairs taught once", "M19": "conversations",
}  # fmt: skip


def bars_table(files: Mapping[str, dict[str, Any] | None]) -> str:
    """The table.

    Args:
        files: contents of the JSON files by "mind", "ledger" and "serving"; None = there is
            none.
    """
    runs = (files["mind"] or {}).get("runs", [])
    rows = [
        (bar, f"{metric}, {size}" if size else metric, value, wanted, met)
        for bar, _, size, metric, value, wanted, met in verdicts(runs)
    ]
    rows += [_row(files, *figure) for figure in FIGURES]
    lines = []
    for bar, about in ABOUT.items():
        mine = [row for row in rows if row[0] == bar]
        missed = [f"{what}: {value} ({want})" for _, what, value, want, met in mine if met == "NO"]
        open_ = [what for _, what, _, _, met in mine if met == "-"]
        missed += [f"not measured: {', '.join(open_)}"] if open_ else []
        missed += [] if mine else ["not measured"]
        met = f"{sum(row[4] == 'yes' for row in mine)} of {len(mine)}"
        lines.append((bar, about, met, "; ".join(missed)))
    return table(["bar", "about", "met", "missed: measured (wanted)"], lines, left=4)


def _row(
    files: Mapping[str, dict[str, Any] | None],
    bar: str,
    what: str,
    file: str,
    path: str,
    sign: str,
    limit: float,
) -> tuple[str, str, str, str, str]:
    value: Any = files[file]
    for name in path.split("."):
        value = value[int(name)] if isinstance(value, list) else (value or {}).get(name)
    wanted = f"{sign} {limit:g}"
    if value is None:
        return bar, what, "not measured", wanted, "-"
    number = float(len(value) if isinstance(value, list) else value)
    met = number >= limit if sign == ">=" else number <= limit
    shown = ("yes" if value else "no") if isinstance(value, bool) else f"{number:.4g}"
    return bar, what, shown, wanted, "yes" if met else "NO"
