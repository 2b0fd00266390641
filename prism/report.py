"""``python -m prism.report runs/X``: draw a run into one self-contained page, X/report.html."""

from __future__ import annotations

import html
import sys
from pathlib import Path
from typing import Any

from prism.command import Parser
from prism.engine.logs.curves import draw, svg
from prism.engine.logs.log import read
from prism.engine.store.folder import read_json

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 15px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
svg {{ max-width: 100%; height: auto }}
td {{ padding: 0 1.5rem 0 0; vertical-align: top }}
</style></head><body>
<h1>{title}</h1>
<table>{last}</table>
{figure}
<h2>Settings</h2>
<table>{settings}</table>
</body></html>
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = Parser(prog="python -m prism.report", description=__doc__)
    p.add_argument("run", type=Path, metavar="DIR", help="folder of a run of prism.run_scale")
    p.add_argument("--out", type=Path, metavar="FILE", help="default DIR/report.html")
    args = p.parse_args(argv)
    try:
        page = render(args.run)
    except ValueError as error:
        p.error(str(error))
    target = args.out or args.run / "report.html"
    target.write_text(page, "utf-8")
    print(f"report: {target}")
    return 0


def render(run: Path) -> str:
    """The page of a run.

    Raises:
        ValueError: the folder holds no run, or nothing was logged yet.
    """
    settings, records = read_json(run / "settings.json"), read(run)
    if not records:
        raise ValueError(f"{run}: nothing has been logged yet")
    last: dict[str, Any] = {}
    for record in records:
        last |= record
    numbers = {k: v for k, v in last.items() if not isinstance(v, dict)}
    return PAGE.format(
        title=html.escape(f"{settings['model']} {settings['preset']}: {run.name}"),
        last=_rows(numbers),
        figure=svg(draw(records)),
        settings=_rows(settings),
    )


def _rows(values: dict[str, Any]) -> str:
    def show(value: Any) -> str:
        return html.escape(f"{value:.5g}" if isinstance(value, float) else str(value))

    rows = (f"<tr><td>{html.escape(k)}</td><td>{show(v)}</td></tr>" for k, v in values.items())
    return "".join(rows)


if __name__ == "__main__":
    sys.exit(main())
