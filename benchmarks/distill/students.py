"""Gain of a small student from its teacher's whole distribution, beside that of fresh text.

All arms train the same model, from the same seeds, and are scored on the same unseen documents.

    ce      cross-entropy on the text of the store
    full    half of it the divergence from the teacher's whole distribution (``--distill full``)
    rs      the same from 50 draws, new ones at every step
    topk    the same over the 50 likeliest tokens and a bucket

Each has a rate and a number of epochs of its own: a climb on validation that ends where a rate and
a length to every side are worse, on a seed that no result is from. Then each is trained on the
seeds of the study at what the climb found. Cross-entropy on fresh text of the same kind is beside
them,

    fresh tokens     for as many steps as ``full``
    fresh student    for as many processor seconds as the training command of ``full`` took
    fresh total      for as many as that and the teacher's reading took together

each at the rate that a climb finds at the first of these lengths.
"""

from __future__ import annotations

import hashlib
import math
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from benchmarks.page.scale import Timed, trained
from prism import whole_file
from prism.command import say
from prism.data.bpe.nested import cut
from prism.data.document import Document, count_bytes, encode
from prism.data.mix import parse_mix
from prism.data.order import stored
from prism.data.tokens import FileTokenizer
from prism.distill.capture import Job, capture
from prism.distill.store import Store
from prism.distill.teacher import Teacher, open_teacher
from prism.engine.loop.loss import token_losses
from prism.record import ResultsFile, write_json

ARMS: dict[str, list[str]] = {
    "ce": [],
    "full": ["--distill", "full"],
    "rs": ["--distill", "rs"],
    "topk": ["--distill", "topk"],
}
TUNING_SEED = 100
STEP = 10**0.25  # between neighbouring rates
APART = 20  # one document in so many is for validation, one for the test
BETWEEN = "\n<|endoftext|>\n"
CLIMB = 12  # moves
Row = dict[str, Any]


@dataclass
class Study:
    """Texts, store, sizes and results that the arms share.

    Attributes:
        teacher: name.
        work: folder of texts, store and runs; what is there is gone on with.
        sizes: see :func:`benchmarks.distill.study.sizes_of`.
        results: where every run is kept.
    """

    teacher: str
    work: Path
    sizes: Row
    results: ResultsFile

    @cached_property
    def tokenizer(self) -> Path:
        """The student's, cut from the teacher's."""
        path = self.work / "student.json"
        whole = self.opened.tokenizer
        assert isinstance(whole, FileTokenizer)
        smaller = cut(whole.description(), self.sizes["vocab_size"], whole.path.name)
        write_json(path, smaller)
        return path

    @cached_property
    def opened(self) -> Teacher:
        """The teacher itself."""
        return open_teacher(self.teacher)

    @cached_property
    def texts(self) -> dict[str, Path]:
        """Files of the training, validation and test documents, in an order of chance."""
        found: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
        for weighted in parse_mix(self.sizes["data"]).sources:
            for document in stored(weighted.source):
                place = _chance(document.text) % APART
                found[("validation", "test")[place] if place < 2 else "train"].append(document.text)
        paths = {}
        for name, documents in found.items():
            paths[name] = self.work / f"{name}.txt"
            text = BETWEEN.join(sorted(documents, key=_chance))
            whole_file.write(paths[name], text.encode("utf-8", "replace"))
        return paths

    def store(self) -> Row:
        """The teacher's states of the first training documents; tokens, processor seconds."""

        def run() -> Row:
            data, begin = f"file:{self.texts['train']}", time.process_time()
            tokens, where = self.sizes["tokens"], self.work / "store"
            if where.is_dir():  # seconds of a capture in two parts would be of its second part
                shutil.rmtree(where)
            capture(Job(parse_mix(data), data, "fp16", tokens, 1024), self.opened, where)
            seconds, store = time.process_time() - begin, Store(where)
            spoken = FileTokenizer(self.tokenizer)
            ids = [encode(store.document(i), spoken)[0] for i in range(len(store))]
            return {"tokens": store.manifest["tokens"], "seconds": seconds,
                    "documents": len(store), "student_tokens": sum(map(len, ids))}  # fmt: skip

        return self.results.once({"phase": "store"}, run)

    def steps(self, epochs: float) -> int:
        """Steps that read the store so often."""
        per_step = self.sizes["rows"] * self.sizes["seq_len"]
        return max(8, round(epochs * self.store()["student_tokens"] / per_step))

    def run(self, arm: str, rate: float, steps: int, seed: int, more: Row | None = None) -> Row:
        """Train once; bits per byte on both unseen texts, seconds. A run that diverges has None."""
        fresh = arm.startswith("fresh")
        self.store()
        data = f"file:{self.texts['train']}" if fresh else f"store:{self.work / 'store'}"
        key = {**(more or {}), "arm": arm, "rate": rate, "steps": steps, "seed": seed}
        folder = self.work / "_".join(f"{v}" for v in key.values())
        flags = ["--data", data, "--tokenizer", str(self.tokenizer), *ARMS.get(arm, []),
                 "--lr", str(rate), "--steps", str(steps), "--seed", str(seed),
                 "--seq-len", str(self.sizes["seq_len"]), "--eval-every", "0",
                 "--global-batch-size", str(self.sizes["rows"]), "--eval-tokens", "256",
                 "--save-every", str(steps), "--keep", "1", "--device", "cpu",
                 "--set", *self.sizes["model"]]  # fmt: skip
        found = self.results.once(key, lambda: self._trained(folder, flags))
        say(f"{' '.join(map(str, key.values()))}: {found['validation']}")
        return found

    def _trained(self, folder: Path, flags: list[str]) -> Row:
        shutil.rmtree(folder, ignore_errors=True)
        timed = Timed(None, "timed")
        try:
            trained(folder, flags, [timed])
        except RuntimeError as error:
            say(f"{error}")
            return {"validation": None, "test": None, "seconds": None}
        each = statistics.median(b - a for a, b in zip(timed.began, timed.began[1:], strict=False))
        student = open_teacher(str(folder))
        found = {
            name: bits_per_byte(student, self.texts[name], self.sizes["unseen_bytes"])
            for name in ("validation", "test")
        }
        shutil.rmtree(folder)
        size = sum(p.numel() for p in student.model.parameters())
        return {**found, "seconds": each * len(timed.began), "parameters": size}


def students(study: Study) -> None:
    """Every run of the study that is not in the file."""
    best = {}
    for arm in study.sizes["arms"]:
        best[arm] = tuned(study, arm)
        for seed in range(study.sizes["seeds"]):
            rate, epochs = best[arm]
            study.run(arm, rate, study.steps(epochs), seed, {"phase": "final"})
    if "full" in best:
        for name, steps in _lengths(study, *best["full"]).items():
            rate = tuned_rate(study, study.steps(best["full"][1]))
            for seed in range(study.sizes["seeds"]):
                study.run(f"fresh {name}", rate, steps, seed, {"phase": "final"})


def tuned(study: Study, arm: str) -> tuple[float, float]:
    """Rate and epochs from which a climb finds no better neighbour."""

    def score(place: tuple[int, int]) -> float:
        if place[1] < 0:
            return math.inf
        rate, epochs = _rate(study, place[0]), study.sizes["epochs"] * 2.0 ** place[1]
        found = study.run(arm, rate, study.steps(epochs), TUNING_SEED, {"phase": "tuning"})
        return math.inf if found["validation"] is None else found["validation"]

    place = climbed((0, 0), score)
    return _rate(study, place[0]), study.sizes["epochs"] * 2.0 ** place[1]


def tuned_rate(study: Study, steps: int) -> float:
    """The rate of cross-entropy on fresh text."""

    def score(place: tuple[int]) -> float:
        found = study.run("fresh", _rate(study, place[0]), steps, TUNING_SEED, {"phase": "tuning"})
        return math.inf if found["validation"] is None else found["validation"]

    return _rate(study, climbed((0,), score)[0])


def _rate(study: Study, place: int) -> float:
    return float(f"{study.sizes['rate'] * STEP**place:.3g}")


def climbed(place: Any, score: Callable[[Any], float]) -> Any:
    """A place in a grid of whole numbers with no better neighbour in any direction.

    Raises:
        ValueError: none was found in :data:`CLIMB` moves.
    """
    for _ in range(CLIMB):
        near = [tuple(x + d * (i == k) for i, x in enumerate(place))
                for k in range(len(place)) for d in (-1, 1)]  # fmt: skip
        better = min([place, *near], key=score)
        if better == place:
            return place
        place = better
    raise ValueError(f"the climb has no end after {CLIMB} moves; must begin nearer to the best")


def _lengths(study: Study, rate: float, epochs: float) -> Row:
    """Steps of cross-entropy on fresh text by what they are equal in; kept, as seconds vary."""

    def run() -> Row:
        runs = [r for r in study.results.runs if r["phase"] == "final"]
        full = statistics.mean(r["seconds"] for r in runs if r["arm"] == "full")
        plain = statistics.mean(r["seconds"] / r["steps"] for r in runs if r["arm"] == "ce")
        total = full + study.store()["seconds"]
        return {"steps": {"tokens": study.steps(epochs), "student": round(full / plain),
                          "total": round(total / plain)}}  # fmt: skip

    return study.results.once({"phase": "lengths", "rate": rate, "epochs": epochs}, run)["steps"]


def bits_per_byte(student: Teacher, path: Path, limit: int) -> float:
    """Of the documents of a file, each from its start, up to ``limit`` bytes of targets."""
    nats, size = 0.0, 0
    for weighted in parse_mix(f"file:{path}").sources:
        for document in stored(weighted.source):
            spent, read = cost(student, document)
            nats, size = nats + spent, size + read
            if size >= limit:
                return nats / math.log(2) / size
    return nats / math.log(2) / size


def cost(student: Teacher, document: Document) -> tuple[float, int]:
    """Nats of the targets of a document, and the bytes that they stand for."""
    tokens, targets = encode(document, student.tokenizer)
    with torch.inference_mode():
        logits = student.model(tokens[None]).logits
    nats = token_losses(logits, targets[None]).double().sum()
    lengths = torch.as_tensor(student.tokenizer.byte_lengths)
    return float(nats), int(count_bytes(targets[None], lengths).sum())


def _chance(text: str) -> int:
    """A number that is not the one by which a run holds documents out."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:8], "big")


def models_of(words: Sequence[str]) -> list[str]:
    """Fields of the model as ``--set`` takes them.

    Raises:
        ValueError: a word without ``=``.
    """
    for word in words:
        if "=" not in word:
            raise ValueError(f"--model {word}: must be FIELD=VALUE")
    return list(words)
