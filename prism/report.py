"""``python -m prism.report runs/X``: draw a run into one self-contained page, X/report.html."""

from __future__ import annotations

import sys
from pathlib import Path

from prism import whole_file
from prism.command import Parser
from prism.engine.logs.report import render


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = Parser(prog="python -m prism.report", description=__doc__)
    p.add_argument("run", type=Path, metavar="DIR", help="folder of a run of prism.run_scale")
    p.add_argument("--out", type=Path, metavar="FILE", help="default DIR/report.html")
    args = p.parse_args(argv)
    try:
        text = render(args.run)
    except ValueError as error:
        p.error(str(error))
    target = args.out or args.run / "report.html"
    whole_file.write(target, text)
    print(f"report: {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
