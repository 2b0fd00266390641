"""Students that begin as the public model that their teacher was tuned from.

The teacher is a copy of the base, tuned on texts of its own; of it, only answers are seen. A
student is the base tuned on the first of these answers: all of its weights, or LoRA (arXiv
2106.09685, by the package ``peft``). Rate by a climb, epochs by the unseen answers that choose, at
every size. The base as it is stands in the table too: much of the likeness is there before any
training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.distill.replication import Asked, prompts_of
from benchmarks.distill.students import Row, Study, climbed
from prism.command import say
from prism.distill.generate import prompt_ids
from prism.distill.records import Record
from prism.distill.replicate import text_of
from prism.distill.teacher import Teacher, open_teacher

RATES = {"all weights": 3e-5, "LoRA": 3e-4}  # where the climb begins
STEP = 10**0.5
RANK, BATCH, EPOCHS, WARM = 16, 4, 6, 0.1
LESSON_CHARACTERS = 400  # of a text that the teacher is tuned on


def base(study: Study) -> None:
    """Every run of the part that is not in the file."""
    asked = Asked(study, lambda: _closed(study), "closed")
    once = study.results.once
    once({"student": "the teacher itself", "answers": 0, "seed": 0},
         lambda: asked.compared(asked.teacher))  # fmt: skip
    once({"student": "the base as it is", "answers": 0, "seed": 0},
         lambda: asked.compared(study.opened))  # fmt: skip
    for tokens in study.sizes["answers"]:
        for arm in RATES:
            rate = _rate(study, asked, arm, tokens)
            for seed in range(study.sizes["seeds"]):
                key = {"student": arm, "answers": tokens, "seed": seed}
                once(key, lambda a=arm, t=tokens, r=rate, s=seed:
                     _student(study, asked, a, t, r, s, report=True))  # fmt: skip
                say(f"{arm}, {tokens:,} tokens of answers, seed {seed}")


def _closed(study: Study) -> Teacher:
    """The teacher: the base, tuned once on what documents say of their first lines."""
    path, teacher = study.work / "closed.pt", open_teacher(study.teacher)
    if not path.is_file():
        lesson = lessons(study, teacher)
        tune(teacher, lesson, lesson[:8], "all weights", RATES["all weights"], 0, 1)
        torch.save(teacher.model.state_dict(), path)
    teacher.model.load_state_dict(torch.load(path, weights_only=True))
    head = getattr(teacher.model, "head", None) or teacher.model.embedding
    return replace(teacher, name="closed", head=head.weight.detach().float().clone())


def lessons(study: Study, teacher: Teacher) -> list[Record]:
    """Validation documents as answers about their first lines, up to the tokens of the lesson."""
    found, read = [], 0
    documents = study.texts["validation"].read_text("utf-8").split("\n<|endoftext|>\n")
    for turns, text in zip(prompts_of(study.texts["validation"], None),
                           filter(str.strip, documents), strict=True):  # fmt: skip
        said = text.strip().partition("\n")[2][:LESSON_CHARACTERS]
        if said and read < study.sizes["lesson"]:
            found.append({"messages": [*turns, {"role": "assistant", "content": said}]})
            read += len(teacher.tokenizer.encode(said))
    return found


def _rate(study: Study, asked: Asked, arm: str, tokens: int) -> float:
    def at(place: int) -> float:
        return float(f"{RATES[arm] * STEP**place:.3g}")

    def score(place: tuple[int]) -> float:
        rate = at(place[0])
        key = {"student": arm, "answers": tokens, "seed": -1, "rate": rate}
        found = study.results.once(key, lambda: _student(study, asked, arm, tokens, rate, 100))
        return math.inf if found["validation"] is None else found["validation"]

    return at(climbed((0,), score)[0])


def _student(
    study: Study, asked: Asked, arm: str, tokens: int, rate: float, seed: int, report: bool = False
) -> Row:
    student = open_teacher(study.teacher)
    found = tune(student, asked.training(tokens), asked.unseen[0], arm, rate, seed, EPOCHS)
    if not report:
        return found
    return {**found, "rate": rate, **asked.compared(student), "copied": asked.overlap(tokens)}


def tune(
    student: Teacher, records: Sequence[Record], choose: Sequence[Record], arm: str, rate: float,
    seed: int, epochs: int,
) -> Row:  # fmt: skip
    """Tune the model in place on answers, epoch by epoch, until ``choose`` gets worse; the weights
    of the best epoch stay. Its number, and nats per token of ``choose``."""
    torch.manual_seed(seed)
    trainable = _opened(student.model, arm)
    optimizer = torch.optim.AdamW(trainable, lr=rate, betas=(0.9, 0.95), weight_decay=0.0)
    best, kept, at = math.inf, [p.detach().clone() for p in trainable], 0
    steps = 0
    for epoch in range(1, epochs + 1):
        order = torch.randperm(len(records)).tolist()
        for begin in range(0, len(order), BATCH):
            steps += 1
            warm = max(1, round(WARM * len(order) / BATCH))
            for group in optimizer.param_groups:
                group["lr"] = rate * min(1.0, steps / warm)
            _step(student, [records[i] for i in order[begin : begin + BATCH]], optimizer, trainable)
        spent = nats(student, choose)
        if not spent < best:
            break
        best, kept, at = spent, [p.detach().clone() for p in trainable], epoch
    for p, value in zip(trainable, kept, strict=True):
        p.data.copy_(value)
    student.model.requires_grad_(False)
    size = sum(p.numel() for p in trainable)
    return {"validation": best if at else None, "epochs": at, "trainable": size}


def _opened(model: nn.Module, arm: str) -> list[nn.Parameter]:
    """The parameters that are trained; LoRA puts its own beside every matrix of the blocks."""
    model.requires_grad_(arm == "all weights")
    if arm != "all weights":
        try:
            from peft import LoraConfig, inject_adapter_in_model
        except ImportError as error:
            raise ImportError("LoRA needs peft: pip install 'prism-lm[peft]'") from error
        names = [
            n for n, m in model.named_modules() if isinstance(m, nn.Linear) and "head" not in n
        ]
        inject_adapter_in_model(
            LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=names), model
        )
    return [p for p in model.parameters() if p.requires_grad]


def _step(student: Teacher, records: Sequence[Record], optimizer: Any, trainable: Any) -> None:
    optimizer.zero_grad()
    parts = [_loss(student, r) for r in records]
    count = sum(n for _, n in parts)
    total = torch.stack([x for x, _ in parts]).sum() / max(count, 1)
    total.backward()
    nn.utils.clip_grad_norm_(trainable, 1.0)
    optimizer.step()


def _loss(student: Teacher, record: Record) -> tuple[Tensor, int]:
    """Sum of nats over the answer and its end, and how many tokens that is."""
    asked, ends = prompt_ids(student, record["messages"][:-1])
    ids = torch.tensor([*asked, *student.tokenizer.encode(text_of(record)), ends[0]])
    logits = student.model(ids[None, :-1]).logits[0, len(asked) - 1 :]
    return F.cross_entropy(logits.float(), ids[len(asked) :], reduction="sum"), len(logits)


def nats(student: Teacher, records: Sequence[Record]) -> float:
    """Nats per token of answers."""
    with torch.no_grad():
        parts = [_loss(student, r) for r in records]
    return sum(float(x) for x, _ in parts) / max(sum(n for _, n in parts), 1)
