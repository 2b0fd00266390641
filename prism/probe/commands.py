"""The command line of the probe.

A log is what ``python -m prism.run_scale --probe embedding`` writes into the folder of its run.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prism import whole_file
from prism.command import Parser, command, say, say_json
from prism.data import open_tokenizer
from prism.data.bpe.characters import used_ids
from prism.data.bpe.train import as_data
from prism.data.mix import parse_mix
from prism.probe.dead import add_dead
from prism.probe.pages.report import write_report
from prism.probe.readings.census import census
from prism.probe.readings.crystal import crystal
from prism.probe.readings.history import sightings, unseen
from prism.probe.readings.motion import comoving, lattice, phases
from prism.probe.readings.survival import lifetimes, summary
from prism.probe.store.log import Log
from prism.probe.texts import write_text
from prism.whole_file import reason

EXAMPLES = """\
examples:
  python -m prism.probe text --out texts                  English and Thai, out of packages
  python -m prism.probe replay LOG --step 200 --out w.npy the matrix after 200 steps, exactly
  python -m prism.probe census LOG --tokenizer t.json     which ids the batches held
  python -m prism.probe survival LOG                      when dead tokens freeze
  python -m prism.probe crystal LOG --step 1000           identical rows, rows one step apart
  python -m prism.probe comoving LOG                      motion against the cloud's own drift
  python -m prism.probe lattice LOG                       single steps apart from larger ones
  python -m prism.probe report LOG                        a page, its figures, a film
  python -m prism.probe dead runs/scale --top 50          tokens that were never trained
"""


def parser() -> Parser:
    """The command line."""
    p = Parser(prog="python -m prism.probe", description=__doc__, epilog=EXAMPLES)
    commands = p.add_subparsers(dest="command", required=True, metavar="COMMAND")
    text = commands.add_parser("text", help="write English and Thai text for the flannel model")
    text.add_argument("--out", type=Path, default=Path("texts"), metavar="DIR", help="folder")
    for language in ("english", "thai"):
        text.add_argument(f"--{language}", metavar="MIX", help="source, in place of a package")
        text.add_argument(f"--{language}-bytes", type=int, metavar="N", help="at most so many")
    text.set_defaults(run=_text)
    for name, run, what in (
        ("replay", _replay, "the matrix after a step, to the bit"),
        ("census", _census, "which ids the batches held up to a step"),
        ("survival", _survival, "when the numbers of dead tokens freeze"),
        ("crystal", _crystal, "identical rows and lattice neighbours"),
        ("comoving", _comoving, "motion against the cloud's own drift"),
        ("lattice", _lattice, "moves of one lattice step apart from larger ones"),
        ("report", _report, "a page, its figures as JSON, and a film of the cloud"),
    ):
        part = commands.add_parser(name, help=what)
        part.add_argument("log", type=Path, metavar="LOG", help="NAME.probe in the run's folder")
        if name not in ("survival", "report"):
            part.add_argument("--step", type=int, help="steps done; default the last of the log")
        if name == "replay":
            part.add_argument("--out", type=Path, metavar="FILE", help="bits as a .npy file")
        elif name == "report":
            part.add_argument("--out", type=Path, metavar="DIR", help="default the log's folder")
        elif name == "census":
            part.add_argument("--tokenizer", metavar="FILE", help="that the ids are of")
            part.add_argument("--text", metavar="MIX", help="text that may have them")
        else:
            part.add_argument(
                "--rows", choices=("unseen", "all"), default="unseen", help="default unseen"
            )
        part.set_defaults(run=run)
    add_dead(commands)
    return p


def _text(args: argparse.Namespace) -> None:
    for language in ("english", "thai"):
        source, limit = getattr(args, language), getattr(args, f"{language}_bytes")
        say(write_text(args.out / f"{language}.txt", source, language, limit))


def _opened(args: argparse.Namespace) -> tuple[Log, int]:
    """The log and the step; says if the log is cut."""
    log = Log(args.log)
    if log.damage is not None:
        say(log.damage, "stderr")
    step = log.last if getattr(args, "step", None) is None else args.step
    log.check(step)
    return log, step


def _rows(args: argparse.Namespace, log: Log, step: int) -> NDArray[np.int64]:
    return unseen(log, step) if args.rows == "unseen" else np.arange(len(log.rows))


def _replay(args: argparse.Namespace) -> None:
    log, step = _opened(args)
    bits = log.bits(step)
    if args.out is not None:
        with whole_file.replacing(args.out, bits.nbytes) as beside, beside.open("wb") as file:
            np.save(file, bits)
        say(f"{args.out}: {log.header['matrix']} after step {step}, bits of {log.format.name}")
        return
    say_json({"step": step, "shape": list(bits.shape), "format": log.format.name,
              "sha256": _digest(bits)})  # fmt: skip


def _digest(bits: NDArray[Any]) -> str:
    return hashlib.sha256(bits.tobytes()).hexdigest()


def _census(args: argparse.Namespace) -> None:
    log, step = _opened(args)
    if args.text is not None and args.tokenizer is None:
        raise ValueError(f"--text {args.text}: needs --tokenizer, which gives its ids")
    tokenizer = None if args.tokenizer is None else open_tokenizer(args.tokenizer)
    if tokenizer is not None and tokenizer.fingerprint() != log.header["tokenizer"]:
        raise ValueError(f"--tokenizer {args.tokenizer}: is not the one that the run was made with")
    used = None
    if tokenizer is not None and args.text is not None:
        used = used_ids(tokenizer, parse_mix(as_data(args.text)))
    say_json({"step": step, **census(sightings(log, step), tokenizer, used)})


def _survival(args: argparse.Namespace) -> None:
    log, step = _opened(args)
    say_json(summary(lifetimes(log, _rows(args, log, step))))


def _crystal(args: argparse.Namespace) -> None:
    log, step = _opened(args)
    say_json({"step": step, **crystal(log.bits(step)[_rows(args, log, step)]).summary()})


def _comoving(args: argparse.Namespace) -> None:
    log, step = _opened(args)
    _table(comoving(log, _rows(args, log, step), step))


def _lattice(args: argparse.Namespace) -> None:
    log, step = _opened(args)
    series = lattice(log, _rows(args, log, step), step)
    _table(series)
    say_json(phases(series))


def _report(args: argparse.Namespace) -> None:
    log, _ = _opened(args)
    for path in write_report(log, args.out or args.log.parent):
        say(str(path))


def _table(series: dict[str, NDArray[np.float64]]) -> None:
    """At most 21 steps, evenly spread over a logarithmic scale."""
    say("  ".join(f"{name:>13}" for name in series))
    count = len(series["step"])
    shown = np.unique(np.geomspace(1, max(count, 1), 21).astype(int)) - 1
    for i in shown[shown < count]:
        say("  ".join(f"{x[i]:>13.6g}" for x in series.values()))


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    try:
        args.run(args)
    except (ValueError, OSError) as error:
        p.error(reason(error))
    return 0
