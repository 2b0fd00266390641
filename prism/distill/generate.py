"""Answers of a teacher, with the k likeliest tokens of every position, as JSON lines.

The schema is that of :mod:`prism.distill.records`.

Every prompt has a seed of its own, and every answer is one line, so a run that was killed goes on
after its last whole line and ends with the same bytes. Log-probabilities are of the model itself,
before temperature and top-p, rounded to bf16. Beside the file, ``FILE.about.json`` says what the
schema does not: teacher, tokenizer, template, how it was sampled.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from prism.data.formats import Messages
from prism.data.order import mix64
from prism.data.tokens import FileTokenizer
from prism.distill.records import Record, written
from prism.distill.teacher import Teacher
from prism.record import write_json

TURN, TURN_END = "<|im_start|>", "<|im_end|>"  # of ChatML, which SmolLM2 was trained on
Turns = Sequence[dict[str, str]]


@dataclass(frozen=True)
class Sampling:
    """Settings of the draw of answers.

    Attributes:
        top_k: entries of every position.
        temperature: of the draw; 0 = the likeliest token.
        top_p: drawn among the fewest tokens of at least that probability.
        max_tokens: of an answer.
        seed: of all draws.
    """

    top_k: int = 50
    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 256
    seed: int = 0

    def check(self, vocab_size: int | None = None) -> None:
        """Raises:
        ValueError: a value that is not allowed."""
        for name, right, allowed in (
            ("top_k", 1 <= self.top_k < 65_535, "in 1 .. 65,534"),
            ("temperature", 0 <= self.temperature <= 100, "in 0 .. 100"),
            ("top_p", 0 < self.top_p <= 1, "above 0, at most 1"),
            ("max_tokens", self.max_tokens >= 1, ">= 1"),
            ("seed", 0 <= self.seed < 2**32, ">= 0 and below 2**32"),
        ):
            if not right:
                flag, value = name.replace("_", "-"), getattr(self, name)
                raise ValueError(f"--{flag} {value}: must be {allowed}")
        if vocab_size is not None and self.top_k > vocab_size:
            raise ValueError(f"--top-k {self.top_k}: must be at most {vocab_size}, the ids")


def read_prompts(path: Path) -> list[Turns]:
    """Prompts from a file: a line each, or JSON lines with ``messages`` or ``prompt``.

    Raises:
        ValueError: a line that is no prompt; names file and line.
    """
    found: list[Turns] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip():
            continue
        if path.suffix != ".jsonl":
            found.append([{"role": "user", "content": line}])
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{path}:{number}: not JSON ({error})") from error
        found.append(_turns(row, f"{path}:{number}"))
    if not found:
        raise ValueError(f"{path}: holds no prompt; must have at least one")
    return found


def _turns(row: Any, where: str) -> Turns:
    if isinstance(row, dict) and isinstance(row.get("prompt"), str):
        return [{"role": "user", "content": row["prompt"]}]
    turns = row.get("messages") if isinstance(row, dict) else None
    if isinstance(turns, list) and all(
        isinstance(t, dict) and isinstance(t.get("role"), str) and isinstance(t.get("content"), str)
        for t in turns
    ):
        while turns and turns[-1]["role"] == "assistant":
            turns = turns[:-1]
        if turns:
            return turns
    raise ValueError(f"{where}: must have a prompt, or messages with a turn of the user")


def prompt_ids(teacher: Teacher, turns: Turns) -> tuple[list[int], tuple[int, ...]]:
    """Ids of a prompt up to where the answer begins, and the ids that end an answer: ChatML where
    the tokenizer has it, else the plain turns of :mod:`prism.data.formats`."""
    tokenizer = teacher.tokenizer
    marks = (None, None)
    if isinstance(tokenizer, FileTokenizer):
        marks = tokenizer.special(TURN), tokenizer.special(TURN_END)
    begin, end = marks
    if begin is None or end is None:
        parts = Messages().parts({"messages": [*turns, {"role": "assistant", "content": ""}]})
        return [i for text, _ in parts[:-1] for i in tokenizer.encode(text)], (tokenizer.end,)
    ids: list[int] = []
    for turn in turns:
        ids += [begin, *tokenizer.encode(f"{turn['role']}\n{turn['content']}"), end]
        ids += tokenizer.encode("\n")
    return [*ids, begin, *tokenizer.encode("assistant\n")], (end, tokenizer.end)


def answer(teacher: Teacher, turns: Turns, sampling: Sampling, number: int) -> Record:
    """The record of one prompt.

    Args:
        number: of the prompt, which with the seed decides the draws.
    """
    ids, ends = prompt_ids(teacher, turns)
    generator = torch.Generator().manual_seed(mix64(sampling.seed, number))
    tokens: list[Record] = []
    drawn: list[int] = []
    state, feed = None, torch.tensor([ids])
    with torch.inference_mode():
        while len(drawn) < sampling.max_tokens and not (drawn and drawn[-1] in ends):
            output = teacher.model(feed, state)
            state = output.state
            log_p = torch.log_softmax(output.logits[0, -1, : len(teacher.head)].float(), dim=-1)
            token = _draw(log_p, sampling, generator)
            tokens.append(_entry(teacher, log_p, token, len(drawn), sampling.top_k))
            drawn.append(token)
            feed = torch.tensor([[token]])
    spoken = drawn[:-1] if drawn[-1] in ends else drawn
    content = b"".join(teacher.tokenizer.piece(i) for i in spoken).decode("utf-8", "replace")
    said = {"role": "assistant", "content": content}
    return {"messages": [*turns, said], "response_tokens": len(tokens), "token_logprobs": tokens}


def _draw(log_p: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    if sampling.temperature == 0:
        return int(log_p.argmax())
    p = torch.softmax(log_p / sampling.temperature, dim=-1).sort(descending=True)
    before = p.values.cumsum(dim=0) - p.values
    kept = torch.where(before < sampling.top_p, p.values, 0.0)
    return int(p.indices[torch.multinomial(kept, 1, generator=generator)])


def _entry(teacher: Teacher, log_p: Tensor, token: int, position: int, k: int) -> Record:
    rounded = log_p.bfloat16().double() + 0.0  # no negative zero
    best = log_p.topk(k)

    def named(i: int) -> str:
        return teacher.tokenizer.piece(i).decode("utf-8", "replace")

    return {
        "position": position,
        "generated_token_id": token,
        "generated_token": named(token),
        "logprob": float(rounded[token]),
        "top_k": [
            {"token_id": i, "token": named(i), "logprob": float(rounded[i])}
            for i in best.indices.tolist()
        ],
    }


def generate(
    teacher: Teacher,
    prompts: Sequence[Turns],
    sampling: Sampling,
    out: Path,
    say: Callable[[str], None],
) -> int:
    """Answer ``prompts`` into ``out``, after the whole lines that are there; how many were left.

    Raises:
        ValueError: the file was begun with other prompts, another teacher or sampling.
        OSError: the disk.
    """
    sampling.check(len(teacher.head))
    asked = json.dumps(prompts, sort_keys=True).encode()
    digest = hashlib.blake2b(asked, digest_size=16).hexdigest()
    about = {"teacher": teacher.identity, "dtype": teacher.dtype, "prompts": digest,
             "sampling": asdict(sampling)}  # fmt: skip
    beside = out.with_name(out.name + ".about.json")
    done = 0
    if out.exists():
        if not beside.is_file() or json.loads(beside.read_text("utf-8")) != about:
            raise ValueError(f"--out {out}: is there, of other prompts, teacher or sampling; must "
                             f"be what {beside.name} says to go on, or another file")  # fmt: skip
        done = _whole_lines(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_json(beside, about)
    with out.open("ab") as file:
        for number in range(done, len(prompts)):
            record = answer(teacher, prompts[number], sampling, number)
            file.write(written(record))
            file.flush()
            say(f"{number + 1:,} of {len(prompts):,} prompts, {file.tell():,} bytes")
        os.fsync(file.fileno())
    return len(prompts) - done


def _whole_lines(path: Path) -> int:
    """Cut what a killed run has left of a line; the number of lines."""
    raw = path.read_bytes()
    keep = raw.rfind(b"\n") + 1
    if keep < len(raw):
        os.truncate(path, keep)
    return raw[:keep].count(b"\n")
