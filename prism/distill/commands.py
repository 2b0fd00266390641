"""Deeds of ``python -m prism.distill``: from parsed flags to an exit code."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from prism import whole_file
from prism.command import INCONSISTENT, say, say_json
from prism.data.mix import parse_mix
from prism.distill.capture import Job, capture, check_job
from prism.distill.codec import log_probabilities
from prism.distill.columns import read_columns, summary, write_columns
from prism.distill.generate import Sampling, answer, generate, read_prompts
from prism.distill.records import Record, Validator, validated, written
from prism.distill.replicate import closeness, copied, text_of, two_samples
from prism.distill.store import Store
from prism.distill.teacher import Teacher, check_head, open_teacher
from prism.record import describe, write_json

COLUMNS, LINES = ".columns", ".jsonl"


def tell(line: str) -> None:
    """Print a line of progress."""
    say(line, "stderr")


def run_capture(args: argparse.Namespace) -> int:
    """Capture into a store."""
    check_job(args.tokens, args.context, args.calibration, args.max_kl)
    mix = parse_mix(args.data)
    job = Job(mix, args.data, args.codec, args.tokens, args.context,
              max_kl=args.max_kl, calibration=args.calibration)  # fmt: skip
    capture(job, open_teacher(args.teacher, args.dtype), args.out, tell)
    for line in Store(args.out).describe():
        say(line)
    return 0


def run_generate(args: argparse.Namespace) -> int:
    """Answer prompts."""
    sampling = sampling_of(args, args.top_k)
    prompts = read_prompts(args.prompts)
    made = generate(open_teacher(args.teacher, args.dtype), prompts, sampling, args.out, tell)
    say(f"{args.out}: {len(prompts):,} answers, {made:,} of them new")
    return 0


def sampling_of(args: argparse.Namespace, top_k: int) -> Sampling:
    """The flags of sampling.

    Raises:
        ValueError: a value that is not allowed.
    """
    sampling = Sampling(top_k, args.temperature, args.top_p, args.max_tokens, args.seed)
    sampling.check()
    return sampling


def run_validate(args: argparse.Namespace) -> int:
    """Name every defect of a file; write the lines without one."""
    for name in ("top_k", "vocab_size"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise ValueError(f"--{name.replace('_', '-')} {getattr(args, name)}: must be >= 1")
    if args.keep_good is not None and whole_file.resolved(args.keep_good) == whole_file.resolved(
        args.file
    ):
        raise ValueError(f"--keep-good {args.keep_good}: must be another file than the one read")
    validator = Validator(args.top_k, args.vocab_size)
    good = bad = 0

    def lines() -> Iterator[bytes]:
        nonlocal good, bad
        for raw, record, defects in validated(args.file, validator):
            for defect in defects:
                say(defect.at(args.file))
            good, bad = good + (record is not None), bad + (record is None)
            if record is not None:
                yield raw if raw.endswith(b"\n") else raw + b"\n"

    if args.keep_good is None:
        for _ in lines():
            pass
    else:
        with whole_file.replacing(args.keep_good) as beside, beside.open("wb") as file:
            file.writelines(lines())
    tell(f"{args.file}: {good:,} records without a defect, {bad:,} with")
    return INCONSISTENT if bad else 0


def records_of(path: Path) -> Iterator[Record]:
    """The records of JSON lines or columns.

    Raises:
        ValueError: a record has a defect; names file, line and position.
    """
    if path.suffix == COLUMNS:
        yield from read_columns(path)
        return
    if path.suffix != LINES:
        raise ValueError(f"{path}: must end in {LINES} or {COLUMNS}")
    for _, record, defects in validated(path, Validator()):
        if record is None:
            raise ValueError(f"{defects[0].at(path)}; prism.distill validate names all defects, "
                             "--keep-good leaves such records out")  # fmt: skip
        yield record


def write_records(path: Path, records: Iterable[Record]) -> dict[str, int]:
    """Write records as JSON lines or columns; how many, tokens, bytes."""
    if path.suffix == COLUMNS:
        return write_columns(path, records)
    if path.suffix != LINES:
        raise ValueError(f"{path}: must end in {LINES} or {COLUMNS}")
    totals = {"records": 0, "tokens": 0, "bytes": 0}
    with whole_file.replacing(path) as beside, beside.open("wb") as file:
        for record in records:
            totals["bytes"] += file.write(written(record))
            totals["records"] += 1
            totals["tokens"] += len(record["token_logprobs"])
    return totals


def _wrote(path: Path, totals: dict[str, int]) -> str:
    each = totals["bytes"] / max(totals["tokens"], 1)
    return (f"{path}: {totals['records']:,} records, {totals['tokens']:,} tokens, "
            f"{totals['bytes']:,} bytes, {each:,.1f} a token")  # fmt: skip


def run_convert(args: argparse.Namespace) -> int:
    """JSON lines to columns or back."""
    if args.file.suffix == args.out.suffix:
        raise ValueError(f"{args.out}: must end in the other of {LINES} and {COLUMNS}")
    say(_wrote(args.out, write_records(args.out, records_of(args.file))))
    return 0


def run_inspect(args: argparse.Namespace) -> int:
    """Say what a store or a file of records holds."""
    if args.file.is_dir():
        store = Store(args.file)
        said, lines = store.manifest, store.describe()
    else:
        said = summary(records_of(args.file)) | {"bytes": args.file.stat().st_size}
        lines = [_wrote(args.file, said), (f"top {said['k']}: probability {said['mass']:.3f}, "
                 f"the generated token outside of {said['outside']:.1%}, ties of neighbours "
                 f"{said['ties']:.1%}")]  # fmt: skip
    if args.json:
        say_json(said)
        return 0
    for line in lines:
        say(line)
    return 0


def run_export(args: argparse.Namespace) -> int:
    """The top k of a store."""
    store = Store(args.file)
    sampling = Sampling(args.top_k)
    sampling.check(store.teacher["vocab_size"])
    teacher = open_teacher(store.teacher["name"])
    check_head(teacher.head, store.teacher)
    records = (exported(store, teacher, i, args.top_k) for i in range(len(store)))
    say(_wrote(args.out, write_records(args.out, records)))
    return 0


def exported(store: Store, teacher: Teacher, number: int, k: int) -> Record:
    """A document of a store as a record: its first token is what the user says, as nothing is known
    of its distribution."""
    ids = store.ids(number)
    log_p = log_probabilities(store.states(number), teacher.head).bfloat16().double() + 0.0
    best = log_p.topk(k, dim=-1)

    def named(i: int) -> str:
        return teacher.tokenizer.piece(i).decode("utf-8", "replace")

    tokens = [
        {
            "position": i,
            "generated_token_id": own,
            "generated_token": named(own),
            "logprob": float(log_p[i, own]),
            "top_k": [
                {"token_id": v, "token": named(v), "logprob": x}
                for v, x in zip(best.indices[i].tolist(), best.values[i].tolist(), strict=True)
            ],
        }
        for i, own in enumerate(ids[1:].tolist())
    ]
    first, rest = ids[:1].tolist(), ids[1:-1].tolist()
    turns = [
        {"role": role, "content": b"".join(map(teacher.tokenizer.piece, part)).decode("utf-8",
         "replace")} for role, part in (("user", first), ("assistant", rest))
    ]  # fmt: skip
    return {"messages": turns, "response_tokens": len(tokens), "token_logprobs": tokens}


def run_replicate(args: argparse.Namespace) -> int:
    """Compare students with the teacher."""
    sampling = sampling_of(args, 1)
    answers = list(records_of(args.answers))
    trained = None if args.trained is None else list(records_of(args.trained))
    teacher = open_teacher(args.teacher)
    students = {name: open_teacher(name) for name in args.student}
    other = Sampling(1, args.temperature, args.top_p, args.max_tokens, args.seed + 1)
    theirs = [text_of(record) for record in answers]

    def texts(who: Teacher, how: Sampling) -> list[str]:
        turns = [record["messages"][:-1] for record in answers]
        return [text_of(answer(who, t, how, i)) for i, t in enumerate(turns)]

    with torch.inference_mode():
        control = closeness(teacher, teacher, answers)
    rows: list[dict[str, Any]] = [
        {"student": f"{args.teacher} itself", **control,
         **two_samples(theirs, texts(teacher, other))}
    ]  # fmt: skip
    for name, student in students.items():
        found = two_samples(theirs, texts(student, sampling))
        rows.append({"student": name, **closeness(teacher, student, answers), **found})
    report: dict[str, Any] = {"meta": describe("python -m prism.distill replicate", "full")}
    report |= {"rows": rows, "copied": None if trained is None else copied(answers, trained)}
    if args.out is not None:
        write_json(args.out, report)
    for row in rows:
        say(f"{row['student']}: agreement {_interval(row['agreement'])}, JS {_interval(row['js'])} "
            f"nats, told apart {_interval(row['accuracy'])}")  # fmt: skip
    if trained is not None:
        c = report["copied"]
        say(f"copied: {c['share']:.2%} of {c['grams']:,} word 8-grams, {c['prompts']} prompts")
    return 0


def _interval(values: list[float]) -> str:
    low, high = np.array(values[1:])
    return f"{values[0]:.3f} [{low:.3f}, {high:.3f}]"


DEEDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "capture": run_capture,
    "generate": run_generate,
    "validate": run_validate,
    "convert": run_convert,
    "inspect": run_inspect,
    "export": run_export,
    "replicate": run_replicate,
}
