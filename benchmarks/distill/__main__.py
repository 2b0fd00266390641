"""``python -m benchmarks.distill``: what a teacher's distribution costs, and whether it leaks.

Two texts that the codecs were not fitted on, the first of the same kind as the text that they were.
Every part is written as soon as it is measured; parts that are in the file are not measured again,
and stores that are in ``--work`` are gone on with.

    codecs    bytes a token, KL and first token of each codec, on both texts
    columns   top 50 as raw JSON lines, packed, in fixed bits, as columns
    leak      bits per byte of teacher and targets, for bytes and nested vocabularies, both texts
    speed     capture, expansion and projection, seconds of CPU a token, one thread
"""

from __future__ import annotations

import gzip
import importlib
import json
import lzma
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.page.command import parse, parser, provenance, write_json
from prism.data.bpe.nested import cut
from prism.data.mix import parse_mix
from prism.data.tokens import ByteTokenizer, FileTokenizer, Tokenizer
from prism.distill.capture import LEAD, Job, capture
from prism.distill.codec import ByteCodec, Codec, HalfCodec, measure
from prism.distill.columns import encoded, fixed, summary
from prism.distill.commands import exported, tell
from prism.distill.fisher import fit
from prism.distill.marginal import UNKNOWN, Marginaliser, student_pieces
from prism.distill.records import written
from prism.distill.store import Store
from prism.distill.teacher import Teacher, open_teacher
from prism.record import now

PROGRAM = "benchmarks.distill"
SIZES = (752, 2052, 4075)  # of nested vocabularies
CHUNK = 256


@dataclass
class Bench:
    """The things that are measured on.

    Attributes:
        teacher: in fp32.
        texts: names and mixes of the two texts.
        work: folder of the stores.
        calibration: tokens of the first text that codecs are fitted on.
        tokens: of each text that is measured on.
        max_kl: nats, of the Fisher codec.
    """

    teacher: Teacher
    texts: dict[str, str]
    work: Path
    calibration: int
    tokens: int
    max_kl: float

    @cached_property
    def stores(self) -> dict[str, Store]:
        """A store of each text; the first begins with what codecs are fitted on."""
        found = {}
        for i, (name, data) in enumerate(self.texts.items()):
            tokens = self.tokens + (0 if i else self.calibration)
            capture(Job(parse_mix(data), data, "fp16", tokens, 1024), self.teacher,
                    self.work / name, tell)  # fmt: skip
            found[name] = Store(self.work / name)
        return found

    @cached_property
    def split(self) -> int:
        """Documents of the first store that are fitted on."""
        store, read = next(iter(self.stores.values())), 0
        for i in range(len(store)):
            read += len(store.ids(i))
            if read >= self.calibration:
                return i + 1
        return len(store)

    def unseen(self, name: str) -> range:
        """Documents of a text that nothing was fitted on."""
        first = next(iter(self.texts)) == name
        return range(self.split if first else 0, len(self.stores[name]))

    def states(self, name: str, documents: range) -> np.ndarray[Any, Any]:
        """Their states, ``[n, D]`` fp32."""
        return np.concatenate([self.stores[name].states(i).numpy() for i in documents])


def codecs(b: Bench) -> list[dict[str, Any]]:
    """A row per codec and text. fp16 is measured on states that are computed again in fp32."""
    first = next(iter(b.texts))
    width = b.teacher.head.shape[1]
    sample = b.states(first, range(b.split))[: b.calibration]
    every: list[Codec] = [HalfCodec(width), ByteCodec(width), fit(sample, b.teacher.head, b.max_kl)]
    rows = []
    for name in b.texts:
        documents = b.unseen(name)
        exact = b.states(name, documents)[: b.tokens]
        for codec in every:
            states = exact
            if codec.name == "fp16":
                ids = b.stores[name].ids(documents[0]).tolist()[:-1][:CHUNK]
                states = b.teacher.hidden(ids, 1024).numpy()
            raw = codec.encode(states)
            error = _errors(states, codec.decode(raw, len(states)), b.teacher.head)
            rows.append({"codec": codec.name, "text": name, "positions": len(states),
                         "bytes": len(raw) / len(states), "tables": len(codec.tables()),
                         **error})  # fmt: skip
            tell(f"{rows[-1]}")
    return rows


def _errors(exact: Any, decoded: Any, head: torch.Tensor) -> dict[str, float]:
    parts = [measure(exact[i : i + CHUNK], decoded[i : i + CHUNK], head)
             for i in range(0, len(exact), CHUNK)]  # fmt: skip
    kl = torch.cat([p.kl for p in parts])
    same = torch.cat([p.agrees for p in parts]).double()
    leads = torch.cat([p.lead for p in parts]) > LEAD
    return {"kl": float(kl.mean()), "kl_max": float(kl.max()), "top1": float(same.mean()),
            "top1_lead": float(same[leads].mean())}  # fmt: skip


def columns(b: Bench) -> dict[str, Any]:
    """Bytes a token of the top 50 of the first text, all of its store, by form."""
    name = next(iter(b.texts))
    store, records, tokens = b.stores[name], [], 0
    for i in range(len(store)):
        records.append(exported(store, b.teacher, i, 50))
        tokens += len(records[-1]["token_logprobs"])
    raw = b"".join(map(written, records))
    compact = b"".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")).encode()
                       for r in records)  # fmt: skip
    header, sections = encoded(records)
    sizes = {
        "JSON lines": len(raw),
        "JSON lines without spaces": len(compact),
        "gzip -9": len(gzip.compress(raw, 9)),
        "xz -9e": len(lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME)),
        "fixed, 18 bits an id": len(fixed(records, 248_320)),
        "columns": sum(map(len, sections.values())),
    }
    try:
        zstd = importlib.import_module("zstandard")
        sizes["zstd -19"] = len(zstd.ZstdCompressor(level=19).compress(raw))
    except ImportError:
        tell("zstd -19 is left out: pip install zstandard")
    parts = {k: len(v) / tokens for k, v in sections.items()}
    each = {form: size / tokens for form, size in sizes.items()}
    return {**summary(records), "bytes": each, "columns": parts, "header": header}


def leak(b: Bench) -> list[dict[str, Any]]:
    """Bits per byte, a row per vocabulary and text."""
    larger = b.teacher.tokenizer
    assert isinstance(larger, FileTokenizer)
    students: list[Tokenizer] = [ByteTokenizer()]
    for size in SIZES:
        smaller = json.dumps(cut(larger.description(), size, larger.path.name))
        students.append(FileTokenizer(f"{size}", smaller.encode()))
    rows = []
    for student in students:
        pieces = student_pieces(larger, student)
        m = Marginaliser(pieces, student.vocab_size, b.teacher.head)
        for name in b.texts:
            row = _bits(b, m, student, name)
            rows.append({"vocab_size": student.vocab_size, "text": name, **row})
            tell(f"{rows[-1]}")
    return rows


def _bits(b: Bench, m: Marginaliser, student: Tokenizer, name: str) -> dict[str, float]:
    """Bits per byte of the teacher, of the targets, and of naive ones. Where a position has no
    target, as too much mass is missing, the targets' part is that of the mass that is there."""
    teacher = targets = naive = 0.0
    size = positions = without = read = 0
    for d in b.unseen(name):
        ids = b.stores[name].ids(d).tolist()
        sums = m.sums(b.stores[name].states(d))
        sums = np.concatenate([sums[:1], sums])
        following = torch.tensor([x for v in ids[1:] for x in m.pieces[v]])
        t, missing = m.targets(ids, sums, True)
        pairs = [m.targets(ids[i - 1 : i + 1], sums[i - 1 : i + 1], True)
                 for i in range(1, len(ids))]  # fmt: skip
        n, lost = (torch.cat(x) for x in zip(*pairs, strict=True))
        teacher -= sum(np.log2(m.own(ids[i], sums[i])) for i in range(1, len(ids)))
        targets += _spent(t, missing, following)
        naive += _spent(n, lost, following)
        size += int(student.byte_lengths[following].sum())
        positions, without = positions + len(t), without + int((missing > UNKNOWN).sum())
        read += len(ids)
        if read >= b.tokens:
            break
    return {"tokens": read, "bytes": size, "teacher": float(teacher) / size,
            "targets": targets / size,
            "naive": naive / size, "without": without / positions}  # fmt: skip


def _spent(t: torch.Tensor, missing: torch.Tensor, following: torch.Tensor) -> float:
    """Bits of the tokens that follow."""
    q = t[torch.arange(len(t)), following].double()
    q = torch.where(missing > UNKNOWN, q * (1 - missing.double()), q)
    return -float(q.log2().sum())


def speed(b: Bench) -> dict[str, float]:
    """Seconds of CPU, as the machine may be shared."""
    name = next(iter(b.texts))
    store = b.stores[name]
    ids = [i for d in range(len(store)) for i in store.ids(d).tolist()][:1024]
    found: dict[str, float] = {}
    for dtype in ("fp32", "bf16"):
        teacher = b.teacher if dtype == "fp32" else open_teacher(b.teacher.name, dtype)
        found[f"capture {dtype}, tokens/s"] = len(ids) / _cpu(lambda t=teacher: t.hidden(ids, 1024))
    document = max(range(len(store)), key=lambda d: len(store.ids(d)))
    states, own = store.states(document)[:CHUNK], store.ids(document).tolist()[: CHUNK + 1]
    expand = _cpu(lambda: torch.softmax(states @ b.teacher.head.T, dim=-1))
    found["expansion, ms/token"] = 1e3 * expand / len(states)
    for student in (ByteTokenizer(), FileTokenizer("2052", _cut(b.teacher.tokenizer, 2052))):
        pieces = student_pieces(b.teacher.tokenizer, student)
        m = Marginaliser(pieces, student.vocab_size, b.teacher.head)

        def project(m: Marginaliser = m) -> None:
            sums = m.sums(states)
            m.targets(own, np.concatenate([sums[:1], sums]), True)

        project()  # prefixes are found once
        seconds = _cpu(project)
        found[f"with projection to {student.vocab_size}, ms/token"] = 1e3 * seconds / len(states)
    return found


def _cut(tokenizer: Any, size: int) -> bytes:
    return json.dumps(cut(tokenizer.description(), size, "teacher")).encode()


def _cpu(work: Callable[[], Any], times: int = 2) -> float:
    """The least seconds of CPU of some runs."""
    found = []
    with torch.inference_mode():
        for _ in range(times):
            begin = time.process_time()
            work()
            found.append(time.process_time() - begin)
    return min(found)


PARTS: dict[str, Callable[[Bench], Any]] = {
    "leak": leak,
    "columns": columns,
    "speed": speed,
    "codecs": codecs,
}


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser(PROGRAM, __doc__)
    p.add_argument("--teacher", default="smollm2")
    p.add_argument("--text", nargs=2, required=True, metavar="MIX", help="two texts")
    p.add_argument("--work", type=Path, default=Path("runs/distill"), help="folder of stores")
    p.add_argument("--calibration", type=int, default=8192, help="tokens that codecs are fitted on")
    p.add_argument("--tokens", type=int, default=1000, help="of each text to measure on")
    p.add_argument("--max-kl", type=float, default=6.8e-4, help="nats, of the codec fisher")
    p.add_argument("--parts", nargs="+", choices=tuple(PARTS), default=list(PARTS))
    p.add_argument("--again", action="store_true", help="measure --parts that are in the file too")
    p.add_argument("--threads", type=int, default=1)
    args, given = parse(p, argv, counts=("tokens", "calibration"))
    meta = provenance(PROGRAM, given, args.quick)
    content: dict[str, Any] = {"meta": meta}
    if args.out.is_file():
        content = json.loads(args.out.read_text("utf-8"))
    if args.quick:
        args.calibration, args.tokens = min(args.calibration, 400), min(args.tokens, 100)
    texts = {Path(data.split(":")[-1]).stem: data for data in args.text}
    bench = None
    try:
        for part in (x for x in args.parts if args.again or x not in content):
            bench = bench or Bench(open_teacher(args.teacher), texts, args.work, args.calibration,
                                   args.tokens, args.max_kl)  # fmt: skip
            content[part] = PARTS[part](bench)
            content.setdefault("measured", {})[part] = {**meta, "finished": now()}
            write_json(args.out, content)
    except (ValueError, OSError, ImportError) as error:
        p.error(str(error))
    print(args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
