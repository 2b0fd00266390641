"""A small teacher with a tokenizer of its own, and a store that it was captured into, once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from prism import Prism, PrismConfig
from prism import tokenizer as tokenizer_command
from prism.data.tokens import FileTokenizer
from prism.distill.__main__ import main
from prism.distill.teacher import Teacher, open_teacher

VOCAB, CUT = 380, 300
SEED = 0  # of the teacher
PROMPTS = 60  # a tenth of the short answers is whole text
TEXT = (
    "The rain in Freedonia falls on 12 plains; the plains, they say, are mainly the king's.\n",
    "A café in Zürich serves 3 kinds of tea, and nobody there knows the thirteenth.\n",
    "They then gathered there: together, the theatre's thespians theorised.\n",
    "What the teacher reads twice, the student reads once, and reads 100 times in the end.\n",
)


@dataclass(frozen=True)
class World:
    """Where the things of these tests lie."""

    root: Path

    @property
    def text(self) -> Path:
        return self.root / "text.txt"

    @property
    def teacher(self) -> Path:
        return self.root / "teacher"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def student_tokens(self) -> Path:
        return self.root / "student.json"

    def open(self) -> Teacher:
        return open_teacher(str(self.teacher))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    w = World(tmp_path_factory.mktemp("distill"))
    documents = [
        " ".join(TEXT[(i + j * (i + 1)) % len(TEXT)] for j in range(1 + i % 5)) for i in range(24)
    ]
    numbered = [f"{i}. {text}" for i, text in enumerate(documents)]
    w.text.write_text("\n<|endoftext|>\n".join(numbered), "utf-8")
    config = PrismConfig(vocab_size=VOCAB, d_model=32, num_layers=1, num_rates=4)
    torch.manual_seed(SEED)
    model = Prism(config)
    file = str(w.teacher / "tokenizer.json")
    w.teacher.mkdir()
    args = ["train", str(w.text), "--vocab-size", str(VOCAB), "--out", file]
    assert tokenizer_command.main(args) == 0
    with torch.no_grad():  # far from uniform, so that its distribution says something
        model.head.weight.mul_(parts_of_characters_rarely(file)[:, None])
    model.save(w.teacher)
    cut = ["cut", "--teacher", file, "--vocab-size", str(CUT), "--out", str(w.student_tokens)]
    assert tokenizer_command.main(cut) == 0
    assert main(capture_flags(w, w.store)) == 0
    return w


def parts_of_characters_rarely(file: str) -> torch.Tensor:
    """``[V]`` factors of the rows of the head, small for tokens that are part of a character: some
    answers must be text."""
    tokenizer = FileTokenizer(file)
    texts = [tokenizer.piece(i).decode("utf-8", "replace") for i in range(VOCAB)]
    return torch.tensor([0.5 if "\ufffd" in text else 6.0 for text in texts])


def capture_flags(w: World, out: Path, *more: str) -> list[str]:
    """The command line of a capture of the text."""
    flags = ["capture", "--teacher", str(w.teacher), "--data", f"file:{w.text}", "--out", str(out)]
    return [*flags, "--context", "64", *more]


@pytest.fixture(scope="session")
def answers(world: World) -> Path:
    """Answers of the teacher with its top 20, as JSON lines."""
    prompts = world.root / "prompts.txt"
    prompts.write_text("".join(f"What about {i} of the plains?\n" for i in range(PROMPTS)), "utf-8")
    out = world.root / "answers.jsonl"
    assert main(generate_flags(world, out)) == 0
    return out


def generate_flags(w: World, out: Path) -> list[str]:
    """The command line of generation."""
    flags = ["generate", "--teacher", str(w.teacher), "--prompts", str(w.root / "prompts.txt")]
    return [*flags, "--out", str(out), "--top-k", "20", "--max-tokens", "8", "--temperature", "4"]
