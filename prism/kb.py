"""``python -m prism.kb``: add, ask, correct, erase, import and export facts of a knowledge base;
save what a model has read of a document, and generate from it.

Exit codes: 0 done, 2 bad input, 3 an audit that found a tape other than its ledger, 4 no such fact,
5 another program holds the file, 130 stopped, 141 the output cannot be written.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prism.command import INCONSISTENT, Parser, command, quoted, say, say_json
from prism.holo.reading import STDIN
from prism.mind import Busy, Fact, KnowledgeBase
from prism.mind.capture import STATES, Said, arguments
from prism.mind.documents import (
    LEFT,
    check_export,
    export_table,
    exported,
    import_table,
    plain,
)
from prism.whole_file import reason

NOT_FOUND, BUSY = 4, 5
SHOWN = 20  # bad rows that are printed one by one
EXAMPLES = """\
examples:
  python -m prism.kb --kb mind.db add Freedonia capital Fredville --source atlas
  python -m prism.kb --kb mind.db get Freedonia capital
  python -m prism.kb --kb mind.db import countries.csv --subject name --relation capital
  python -m prism.kb --kb mind.db get Freedonia capital --at 2026-11-01
  python -m prism.kb --kb mind.db undo
  python -m prism.kb --kb mind.db export - | python -m prism.kb --kb other.db import -
  python -m prism.kb capture notes.txt --checkpoint runs/model --out notes.state
  python -m prism.kb continue notes.state --checkpoint runs/model --prompt "It says that"
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(prog="python -m prism.kb", description=__doc__, epilog=EXAMPLES)
    p.add_argument("--kb", type=Path, metavar="FILE", help="made if it is not there")
    p.add_argument("--tenant", default="default", metavar="NAME", help="whose facts")
    p.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    deeds = p.add_subparsers(dest="deed", required=True, metavar="DEED")
    add = deeds.add_parser("add", help="state a fact")
    _names(add, "subject", "relation", "object")
    add.add_argument("--many", action="store_true", help="the relation takes several objects")
    add.add_argument("--source", metavar="NAME", help="who says so")
    get = deeds.add_parser("get", help="the objects that hold")
    _names(get, "subject", "relation")
    get.add_argument("--at", type=_moment, metavar="TIME", help="as believed then; ISO 8601")
    _names(deeds.add_parser("history", help="all that was believed"), "subject", "relation")
    what = "facts that hold, without the sentences kept in their own words, which export has too"
    listing = deeds.add_parser("list", help=what, description=what)
    listing.add_argument("--subject", metavar="NAME", help="of one subject")
    listing.add_argument("--limit", type=int, metavar="N", help="at most N")
    retract = deeds.add_parser("retract", help="stop believing a fact; its history stays")
    retract.add_argument("fact", type=int, metavar="FACT", help="its number")
    erase = deeds.add_parser("erase", help="remove facts with their history, to the last byte")
    which = erase.add_mutually_exclusive_group(required=True)
    which.add_argument("--subject", metavar="NAME", help="all about a subject")
    which.add_argument("--fact", type=int, metavar="FACT", help="one fact and its earlier values")
    undo = deeds.add_parser("undo", help="take back an operation")
    undo.add_argument("operation", type=int, nargs="?", help="its number; default the last")
    deeds.add_parser("pending", help="statements that wait, as a user has said otherwise")
    for deed, text in (("accept", "let a waiting statement win"), ("reject", "drop one")):
        deeds.add_parser(deed, help=text).add_argument("pending", type=int, metavar="NUMBER")
    what = "add the facts of a table; sources and times in it, as in an export, are not taken over"
    load = deeds.add_parser("import", help=what, description=what)
    what = ".csv, .tsv or .jsonl, also .gz; - = the standard input"
    load.add_argument("file", type=Path, metavar="FILE", help=what)
    load.add_argument("--subject", metavar="COL", help="a wide table: the column of subjects")
    load.add_argument(
        "--relation", action="append", default=[], metavar="COL", help="a wide table: a relation"
    )
    load.add_argument("--many", action="store_true", help="relations take several objects")
    load.add_argument("--delimiter", metavar="CHAR", help='default "," or, in .tsv, tab')
    load.add_argument("--bad", choices=("skip", "stop"), default="stop", help="rows without a fact")
    what = "write all facts that hold as JSON lines, kept sentences too, which list leaves out"
    export = deeds.add_parser("export", help=what, description=what)
    export.add_argument(
        "file", type=Path, metavar="FILE", help="a new .jsonl; - = the standard output"
    )
    export.add_argument("--force", action="store_true", help="replace a file that is there")
    deeds.add_parser("audit", help="compare the tape with the ledger, byte for byte")
    arguments(deeds)
    return p


def _names(p: argparse.ArgumentParser, *names: str) -> None:
    for name in names:
        p.add_argument(name, metavar=name.upper())


def _moment(text: str) -> float:
    """Seconds since 1970 of a date or time in ISO 8601; local time where no zone is given."""
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a date or time in ISO 8601") from None


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    try:
        _check(args)
        if args.deed in STATES:
            code, said, lines = STATES[args.deed](args, _model)
        else:
            with KnowledgeBase(args.kb, args.tenant) as kb:
                code, said, lines = DEEDS[args.deed](kb, args)
    except KeyError as error:
        say(f"prism.kb: {reason(error)}", "stderr")
        return NOT_FOUND
    except Busy as error:
        say(f"prism.kb: {error}", "stderr")
        return BUSY
    except (ValueError, OSError) as error:
        p.error(reason(error))
    if args.json:
        say_json(said)
    else:
        for line in lines:
            say(line)
    return code


def _check(args: argparse.Namespace) -> None:
    """Refuse, before a knowledge base is made, what needs one.

    Raises:
        ValueError: there is none to read from, or one is given where none is needed.
    """
    if args.deed in STATES:
        if args.kb is not None:
            raise ValueError(f"--kb {args.kb}: {args.deed} needs none")
        if getattr(args, "out", None) == STDIN:
            raise ValueError("--out -: must be a file; a state is no text for the standard output")
        return
    if args.kb is None:
        raise ValueError("--kb: is required")
    if args.deed == "export":
        _check_export(args)
    if args.deed not in ("add", "import") and not args.kb.exists():
        raise ValueError(f"--kb {args.kb}: there is no such file; add or import makes it")


def _check_export(args: argparse.Namespace) -> None:
    if args.file == STDIN:
        if args.json:
            raise ValueError("--json: must be left out of export -, whose lines are JSON")
        if args.force:
            raise ValueError("--force: must be left out of export -, which replaces no file")
        return
    try:
        check_export(args.file, args.force)
    except FileExistsError as error:
        raise ValueError(f"{error}, or --force be given") from error


def line_of(fact: Fact) -> str:
    """A fact as a line: number, statement, source, and what became of it."""
    text = f"{fact.id}  {quoted(fact.relation)} of {quoted(fact.subject)} = {quoted(fact.object)}"
    text += f"  ({quoted(str(fact.source))}, {_time(fact.recorded_at)})"
    if fact.retired_at is not None:
        by = "" if fact.superseded_by is None else f" by {fact.superseded_by}"
        text += f"  retired{by} {_time(fact.retired_at)}"
    return text


def _time(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds).isoformat(" ", "seconds")


def _facts(facts: list[Fact], none: str) -> Said:
    """Facts as they are printed; none of them is an exit code and a line of its own."""
    if not facts:
        say(f"prism.kb: {none}", "stderr")
    said = {"facts": [plain(fact) for fact in facts]}
    return (0 if facts else NOT_FOUND), said, [line_of(fact) for fact in facts]


def _get(kb: KnowledgeBase, args: argparse.Namespace) -> Said:
    when = "" if args.at is None else f" at {_time(args.at)}"
    what = f"{quoted(args.relation)} of {quoted(args.subject)}"
    return _facts(kb.get(args.subject, args.relation, args.at), f"{what}: nothing holds{when}")


def _history(kb: KnowledgeBase, args: argparse.Namespace) -> Said:
    what = f"{quoted(args.relation)} of {quoted(args.subject)}"
    return _facts(kb.history(args.subject, args.relation), f"{what}: nothing was ever added")


def _list(kb: KnowledgeBase, args: argparse.Namespace) -> Said:
    about = "" if args.subject is None else f" about {quoted(args.subject)}"
    facts = kb.facts(args.subject, args.limit)
    said = _facts(facts, "--limit 0 shows none" if args.limit == 0 else f"no facts{about}")
    if kept := len(kb.remarks(args.subject)):
        say(f"kept sentences that are not shown: {kept:,}; export - prints them", "stderr")
    return said


def _add(kb: KnowledgeBase, args: argparse.Namespace) -> Said:
    added = kb.add(args.subject, args.relation, args.object, source=args.source, many=args.many)
    said: dict[str, Any] = {"outcome": added.outcome, "fact": plain(added.fact)}
    said |= {"operation": added.operation, "pending": added.pending}
    lines = [f"{added.outcome}: {line_of(added.fact)}"]
    if added.before is not None:
        lines.append(f"before: {line_of(added.before)}")
    if added.pending is not None:
        lines.append(f"waits as {added.pending}: a more trusted source says otherwise")
    return 0, said, lines


def _retract(kb: KnowledgeBase, args: argparse.Namespace) -> Said:
    operation = kb.retract(args.fact)
    return 0, {"operation": operation}, [f"retracted; undo {operation} takes it back"]


def _erase(kb: KnowledgeBase, args: argparse.Namespace) -> Said:
    removed = kb.erase(subject=args.subject, fact=args.fact)
    return (0 if removed else NOT_FOUND), {"erased": removed}, [f"{removed:,} rows erased"]


def _undo(kb: KnowledgeBase, args: argparse.Namespace) -> Said:
    back = kb.undo(args.operation)
    return 0, {"again": [plain(f) for f in back]}, ["undone", *(line_of(f) for f in back)]


def _pending(kb: KnowledgeBase, args: argparse.Namespace) -> Said:
    waiting = kb.pending()
    said = [
        {"id": i, "subject": s.subject, "relation": s.relation, "object": s.object}
        | {"source": str(s.source)}
        for i, s in waiting
    ]
    lines = [
        f"{i}  {quoted(s.relation)} of {quoted(s.subject)} = {quoted(s.object)}  "
        f"({quoted(str(s.source))})"
        for i, s in waiting
    ]
    return 0, {"pending": said}, lines


def _accept(kb: KnowledgeBase, args: argparse.Namespace) -> Said:
    fact = kb.accept(args.pending).fact
    return 0, {"fact": plain(fact)}, [f"accepted: {line_of(fact)}"]


def _reject(kb: KnowledgeBase, args: argparse.Namespace) -> Said:
    kb.reject(args.pending)
    return 0, {"rejected": args.pending}, [f"rejected: {args.pending}"]


def _import(kb: KnowledgeBase, args: argparse.Namespace) -> Said:
    try:
        done = import_table(
            kb, args.file, args.subject, args.relation, args.delimiter, args.many, args.bad
        )
    except ValueError as error:
        raise ValueError(f"{args.file}: {error}") from error
    for row in done.bad[:SHOWN]:
        say(f"{args.file}: line {row.line}: {row.why}; skipped", "stderr")
    names = ("added", "known", "superseded", "pending")
    counts = {name: getattr(done, name) for name in names} | {"bad": len(done.bad)}
    text = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    lines = [f"{quoted(str(args.file))}: {text}"] + [LEFT] * done.left
    said: dict[str, Any] = {
        "operations": list(done.operations),
        "sources_and_times_left": done.left,
    }
    return 0, counts | said, lines


def _export(kb: KnowledgeBase, args: argparse.Namespace) -> Said:
    if args.file == STDIN:  # "-": the facts are all that is printed
        facts = exported(kb)
        for fact in facts:
            say_json(plain(fact))
        say(f"{len(facts):,} facts", "stderr")
        return 0, {}, []
    number = export_table(kb, args.file, args.force)
    return 0, {"exported": number}, [f"{quoted(str(args.file))}: {number:,} facts"]


def _audit(kb: KnowledgeBase, args: argparse.Namespace) -> Said:
    agrees = kb.view.agrees()
    text = "equals" if agrees else "DOES NOT EQUAL"
    line = f"{len(kb):,} facts; the tape {text} one built from them"
    return (0 if agrees else INCONSISTENT), {"facts": len(kb), "consistent": agrees}, [line]


def _model(name: str, tokenizer: str | None) -> tuple[Any, Any]:
    from prism.loading import load_with_tokenizer  # after the checks of the arguments

    return load_with_tokenizer(name, tokenizer)


DEEDS: dict[str, Callable[[KnowledgeBase, argparse.Namespace], Said]] = {
    "add": _add,
    "get": _get,
    "history": _history,
    "list": _list,
    "retract": _retract,
    "erase": _erase,
    "undo": _undo,
    "pending": _pending,
    "accept": _accept,
    "reject": _reject,
    "import": _import,
    "export": _export,
    "audit": _audit,
}

if __name__ == "__main__":
    sys.exit(main())
