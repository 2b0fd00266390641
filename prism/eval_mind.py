"""``python -m prism.eval_mind``: the protocol of the talking knowledge base.

Statements and what is none, dialogues over a restart, changes, poisoned text, conversations,
questions of one to four hops and without an answer, pairs taught once: over sets of sentences that
were written without sight of the rules. Every part is kept as soon as it is
measured; the same command continues after a stop.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from prism.command import STOPPED, Parser, command, output, say
from prism.inject import second_opinion
from prism.mind import Mind
from prism.mind.perceive import parser as parsing
from prism.mind.reflect import trace
from prism.pretrained import smollm2
from prism.record import ResultsFile, Run, code_fingerprint, describe, write_json
from prism.studies.facts.tables import INSTALL, available
from prism.studies.mind import asking, consolidating, perceiving, poisoning, taught, told
from prism.studies.mind.dated import measured_changes
from prism.studies.mind.report import compared, judged
from prism.studies.mind.sets import SentenceSet, load_set

CODE = (  # what answers rest on; folders stand for their .py files
    *("prism/mind", "prism/holo", "prism/inject/second_opinion.py", "prism/studies/mind"),
    *("prism/mind/perceive/words.toml", "prism/mind/remarks/weights.json"),
    "prism/mind/rewordings/weights.json",
)
PARTS = (
    *("statements", "told", "poison", "conversations"),
    *("questions", "changes", "pairs", "model", "prompted"),
)
NEEDED = {  # parts of a set
    "statements": ("statements", "distractors"),
    "told": ("dialogues", "updates"),
    "poison": ("statements", "poison"),
    "conversations": ("statements", "distractors"),
}
EXAMPLES = """\
examples:
  python -m prism.eval_mind --sets one --facts 1000 --seeds 1       minutes
  python -m prism.eval_mind --sets one,two                          the whole protocol
  python -m prism.eval_mind --sets my.json --parts questions
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(prog="python -m prism.eval_mind", description=__doc__, epilog=EXAMPLES)
    p.add_argument(
        "--sets", required=True, metavar="SET,SET", help="of the package, or .json files"
    )
    p.add_argument("--parts", metavar="PART,PART", help=f"of {', '.join(PARTS)}; default all")
    p.add_argument("--facts", default="1000,10000,100000", metavar="N,N", help="sizes of the world")
    p.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds 0..N-1; default 3")
    p.add_argument(
        "--limit", type=int, default=40, metavar="N", help="texts that the model is asked"
    )
    p.add_argument(
        "--calibrate",
        action="store_true",
        help="write the shares of right answers by agreement into the package",
    )
    p.add_argument("--out", type=Path, default=Path("runs/mind"), metavar="DIR")
    return p


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    try:
        sets = [load_set(name) for name in args.sets.split(",")]
        parts = _parts(args.parts)
        sizes = _sizes(args.facts)
        if args.seeds < 1 or args.limit < 1:
            raise ValueError("--seeds, --limit: must be >= 1")
        if not available():
            raise ImportError(INSTALL)
        file = _file(args)
    except (ValueError, ImportError, OSError) as error:
        p.error(str(error))
    try:
        _measure(file, sets, parts, sizes, args)
    except KeyboardInterrupt:
        say(f"stopped; {len(file.runs)} parts are in {file.path}, the same command continues")
        return STOPPED
    except ValueError as error:
        p.error(str(error))
    console = output()
    console.print(compared(file.runs))
    console.print(judged(file.runs))
    if args.calibrate:
        say(f"confidence: {_calibrate(file)}")
    say(f"results: {file.path}")
    return 0


def _measure(
    file: ResultsFile,
    sets: list[SentenceSet],
    parts: list[str],
    sizes: list[int],
    args: argparse.Namespace,
) -> None:
    """Measure what the file does not have yet."""
    for chosen in sets:
        for part in ("statements", "told", "poison"):
            if part in parts:
                _said(file, chosen, part, 0)
        for seed in range(args.seeds):
            if "conversations" in parts:
                _said(file, chosen, "conversations", seed)
            for facts in sizes:
                say(f"set {chosen.name}, {facts:,} facts, seed {seed}")
                if "questions" in parts:
                    _questions(file, chosen, facts, seed)
                if "changes" in parts and facts == sizes[0]:
                    _changes(file, chosen, facts, seed)
            if "pairs" in parts and chosen.parts.get("one_shot"):
                for size in taught.SIZES:
                    _pairs(file, chosen, size, seed)
        if "model" in parts and smollm2.available():
            _model(file, chosen, sizes[0], args.limit)
        if "prompted" in parts and chosen.parts.get("one_shot") and smollm2.available():
            _prompted(file, chosen, args.limit)


def _said(file: ResultsFile, chosen: SentenceSet, part: str, seed: int) -> None:
    """Measure a part of the writing side."""
    if not all(chosen.parts.get(name) for name in NEEDED[part]):
        say(f"set {chosen.name}: has not all of {', '.join(NEEDED[part])}; {part} left out")
        return

    def measured() -> Run:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if part == "statements":
                return perceiving.measure(chosen.parts)
            if part == "told":
                return told.measure(chosen.parts, folder, lambda kb: Mind(kb).ask)
            if part == "poison":
                return poisoning.measure(chosen.parts, folder)
            return consolidating.measure(chosen.parts, folder, seed)

    key = {"part": part, "set": chosen.name, "seed": seed}
    if file.find(key) is None:
        row = measured()
        file.add(key | row)
        shown = {k: v for k, v in row.items() if isinstance(v, int | float)}
        say(f"set {chosen.name}, {part}: " + ", ".join(f"{k} {v:.4g}" for k, v in shown.items()))


def _questions(file: ResultsFile, chosen: SentenceSet, facts: int, seed: int) -> None:
    key = {"part": "questions", "set": chosen.name, "facts": facts, "seed": seed}
    missing = [arm for arm in asking.ARMS if file.find(key | {"arm": arm}) is None]
    with tempfile.TemporaryDirectory() as folder:
        for row in asking.measured(chosen, facts, seed, missing, Path(folder), say):
            file.add(key | row)


def _changes(file: ResultsFile, chosen: SentenceSet, facts: int, seed: int) -> None:
    key = {"part": "changes", "set": chosen.name, "facts": facts, "seed": seed}
    with tempfile.TemporaryDirectory() as folder:
        file.once(key, lambda: measured_changes(chosen, facts, seed, Path(folder), say))


def _pairs(file: ResultsFile, chosen: SentenceSet, size: int, seed: int) -> None:
    for arm in taught.ARMS:
        key = {"part": "pairs", "set": chosen.name, "pairs": size, "seed": seed, "arm": arm}
        if file.find(key) is None:
            file.add(key | taught.measured_pairs(chosen, size, seed, arm, say))


def _model(file: ResultsFile, chosen: SentenceSet, facts: int, limit: int) -> None:
    key = {"part": "questions", "set": chosen.name, "facts": facts, "seed": 0}
    if file.find(key | {"arm": "facts in the prompt"}) is None:
        model = smollm2.load_smollm2()
        for row in asking.spoken(chosen, facts, 0, model, limit, say):
            file.add(key | row)


def _prompted(file: ResultsFile, chosen: SentenceSet, limit: int) -> None:
    key = {"part": "pairs", "set": chosen.name, "seed": 0, "arm": taught.PROMPTED}
    missing = [n for n in taught.PROMPTED_SIZES if file.find(key | {"pairs": n}) is None]
    model = smollm2.load_smollm2() if missing else None
    for size in missing:
        file.add(key | taught.measured_in_prompt(chosen, size, 0, model, limit, say))


def _calibrate(file: ResultsFile) -> Path:
    """Write right and all answers by number of agreeing readings; the file."""
    answers: dict[str, list[int]] = {}
    for run in file.runs:
        if run.get("arm") == "tape":
            for agree, (right, total) in run["by agreement"].items():
                seen = answers.setdefault(agree, [0, 0])
                answers[agree] = [seen[0] + right, seen[1] + total]
    meta = {name: file.meta[name] for name in ("command", "commit", "started", "settings")}
    write_json(trace.AGREEMENT, {"meta": meta, "answers": dict(sorted(answers.items()))})
    return trace.AGREEMENT


def _file(args: argparse.Namespace) -> ResultsFile:
    """The results file, which depends on the code and on what is installed."""
    settings = {
        "code": code_fingerprint(CODE),
        "encoder": second_opinion.available(),
        "parser": parsing.available(),
    }
    flags = f"--sets {args.sets} --facts {args.facts} --seeds {args.seeds}"
    flags += f" --parts {args.parts}" if args.parts else ""
    flags += " --calibrate" * args.calibrate
    meta = describe(f"python -m prism.eval_mind {flags}", "full")
    args.out.mkdir(parents=True, exist_ok=True)
    return ResultsFile(args.out / "mind.json", meta, settings, fields=("set", "seed"))


def _parts(text: str | None) -> list[str]:
    parts = list(PARTS) if text is None else text.split(",")
    wrong = [part for part in parts if part not in PARTS]
    if wrong:
        raise ValueError(f"--parts {wrong[0]}: must be of {', '.join(PARTS)}")
    return parts


def _sizes(text: str) -> list[int]:
    try:
        sizes = [int(x) for x in text.split(",")]
    except ValueError:
        raise ValueError(f"--facts {text}: must be whole numbers, as 1000,10000") from None
    for size in sizes:
        if not 200 <= size <= 200_000:
            raise ValueError(f"--facts {size}: must be in 200..200000")
    return sizes


if __name__ == "__main__":
    sys.exit(main())
