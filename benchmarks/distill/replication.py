"""Likeness of a student to its teacher by the answers that it was trained on.

The teacher answers prompts about the first lines of documents. Students of each size are trained on
the first of its answers, so many tokens of them, from nothing (part ``replicate``), or from the
public model that the teacher itself was tuned from (part ``base``, :mod:`benchmarks.distill.base`).
Half of the unseen prompts choose how long a student is trained, the other half are reported:
agreement, Jensen-Shannon divergence and the classifier's accuracy, with the teacher against itself,
drawn with another seed, as the control.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from benchmarks.distill.students import Row, Study, climbed, cost
from benchmarks.page.scale import trained
from prism.command import say
from prism.data.document import Document
from prism.data.formats import Messages
from prism.distill.generate import Sampling, Turns, answer
from prism.distill.records import Record, written
from prism.distill.replicate import closeness, copied, text_of, two_samples
from prism.distill.teacher import Teacher, open_teacher
from prism.record import write_json

SUBJECT = 60  # characters of a first line


class Asked:
    """A teacher's answers, in files that are gone on with.

    Args:
        study: texts, sizes, folder.
        teacher: who answers.
        name: of the files.
    """

    def __init__(self, study: Study, teacher: Callable[[], Teacher], name: str) -> None:
        self.study, self._teacher, self.name = study, teacher, name

    @cached_property
    def teacher(self) -> Teacher:
        """The teacher, opened when first asked."""
        return self._teacher()

    def sampling(self, seed: int) -> Sampling:
        """Rule by which answers are drawn."""
        return Sampling(1, 1.0, 1.0, self.study.sizes["answer_tokens"], seed)

    @cached_property
    def unseen(self) -> tuple[list[Record], list[Record]]:
        """Answers that choose, and answers that are reported."""
        prompts = prompts_of(self.study.texts["test"], self.study.sizes["prompts"])
        found = self._answered("unseen", prompts, None)
        return found[::2], found[1::2]

    def training(self, tokens: int) -> list[Record]:
        """The first answers of so many tokens."""
        prompts = prompts_of(self.study.texts["train"], None)
        return self._answered("training", prompts, tokens)

    def _answered(self, part: str, prompts: Sequence[Turns], tokens: int | None) -> list[Record]:
        path = self.study.work / f"{self.name}-{part}.jsonl"
        kept = _whole_lines(path)
        read, found = 0, []
        with path.open("ab") as file:
            for number, turns in enumerate(prompts):
                if tokens is not None and read >= tokens:
                    break
                if number >= len(kept):
                    kept.append(answer(self.teacher, turns, self.sampling(0), number))
                    file.write(written(kept[-1]))
                    file.flush()
                found.append(kept[number])
                read += found[-1]["response_tokens"]
        return found

    def texts(self, who: Teacher, seed: int) -> list[str]:
        """Answers of another to the prompts that are reported."""
        turns = [record["messages"][:-1] for record in self.unseen[1]]
        return [text_of(answer(who, t, self.sampling(seed), i)) for i, t in enumerate(turns)]

    def compared(self, who: Teacher, seed: int = 1) -> Row:
        """The report on one that is to be like the teacher."""
        theirs = [text_of(record) for record in self.unseen[1]]
        with torch.inference_mode():
            found = closeness(self.teacher, who, self.unseen[1])
        return {**found, **two_samples(theirs, self.texts(who, seed))}

    def overlap(self, tokens: int) -> Row:
        """Share of the reported answers that stands in the training answers."""
        return copied(self.unseen[1], self.training(tokens))


def _whole_lines(path: Path) -> list[Record]:
    """Records of a file; what a killed run has left of a line is cut off."""
    raw = path.read_bytes() if path.is_file() else b""
    whole = raw[: raw.rfind(b"\n") + 1]
    if whole != raw:
        path.write_bytes(whole)
    return [json.loads(line) for line in whole.splitlines()]


def prompts_of(path: Path, count: int | None) -> list[Turns]:
    """A question about the first line of each document of a file."""
    found: list[Turns] = []
    for text in path.read_text("utf-8").split("\n<|endoftext|>\n"):
        subject = text.strip().split("\n")[0][:SUBJECT]
        if subject:
            found.append([{"role": "user", "content": f"Tell me about {subject}."}])
        if len(found) == count:
            return found
    return found


def replicate(study: Study) -> None:
    """Every run of the part that is not in the file."""
    asked = Asked(study, lambda: study.opened, "answers")
    study.results.once({"student": "the teacher itself", "answers": 0, "seed": 0},
                       lambda: asked.compared(asked.teacher))  # fmt: skip
    for tokens in study.sizes["answers"]:
        for model in study.sizes["models"]:
            epochs = _epochs(study, asked, model, tokens)
            for seed in range(study.sizes["seeds"]):
                key = {"student": model, "answers": tokens, "seed": seed}
                study.results.once(key, lambda m=model, t=tokens, e=epochs, s=seed: {
                    **_student(study, asked, m, t, e, s, report=True),
                    "copied": asked.overlap(t)})  # fmt: skip
                say(f"{model}, {tokens:,} tokens of answers, seed {seed}")


def _epochs(study: Study, asked: Asked, model: str, tokens: int) -> float:
    """Passes over the answers from which a climb by doubling finds no better number."""

    def score(place: tuple[int]) -> float:
        epochs = study.sizes["answer_epochs"] * 2.0 ** place[0]
        key = {"student": model, "answers": tokens, "seed": -1, "epochs": epochs}
        found = study.results.once(key, lambda: _student(study, asked, model, tokens, epochs, 100))
        return found["validation"]

    return study.sizes["answer_epochs"] * 2.0 ** climbed((0,), score)[0]


def _student(
    study: Study, asked: Asked, model: str, tokens: int, epochs: float, seed: int,
    report: bool = False,
) -> Row:  # fmt: skip
    """Train on the first answers; bits per byte of the answers that choose, and the report."""
    records, folder = asked.training(tokens), study.work / "replica"
    shutil.rmtree(folder, ignore_errors=True)
    rows = [{"messages": r["messages"]} for r in records]
    path = study.work / f"answers-{tokens}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    mix = study.work / f"answers-{tokens}.json"
    write_json(mix, {"sources": [{"kind": "file", "path": path.name, "messages": "messages"}]})
    size = sum(len(study.opened.tokenizer.encode(p)) for r in rows for p, _ in _parts(r))
    per_step = study.sizes["rows"] * study.sizes["seq_len"]
    steps = max(4, round(1.4 * epochs * size / per_step))  # the student's tokens are shorter
    trained(folder, ["--data", f"mix:{mix}", "--tokenizer", str(study.tokenizer),
                     "--lr", str(study.sizes["rate"]), "--steps", str(steps), "--seed", str(seed),
                     "--seq-len", str(study.sizes["seq_len"]), "--eval-every", "0",
                     "--global-batch-size", str(study.sizes["rows"]), "--eval-tokens", "256",
                     "--save-every", str(steps), "--keep", "1", "--device", "cpu",
                     "--set", *model.split()])  # fmt: skip
    student = open_teacher(str(folder))
    size = sum(p.numel() for p in student.model.parameters())
    found: Row = {"validation": bits(student, asked.unseen[0]), "steps": steps, "parameters": size,
                  "epochs": epochs}  # fmt: skip
    return {**found, **asked.compared(student)} if report else found


def bits(student: Teacher, records: Sequence[Record]) -> float:
    """Bits per byte of answers in the form that students are trained on."""
    costs = [cost(student, Document(_parts(r), "answer")) for r in records if text_of(r)]
    return sum(x for x, _ in costs) / math.log(2) / max(sum(n for _, n in costs), 1)


def _parts(record: dict[str, Any]) -> tuple[tuple[str, bool], ...]:
    return Messages().parts(record)
