"""Sentences that say who keeps what, and a model that is asked for it sentences later.

    mira keeps the lamp . the river was cold that night . ...      mira keeps the -> lamp

Names and things are drawn anew for every row, so nothing but what was read answers. The model is
trained on these rows and then reads one of the test rows token by token. Its tape is part of the
state that it returns, so it can be looked at, and taken away before the question.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from prism import Prism, PrismConfig, PrismState, TapeConfig
from prism.compare.training import TrainingPlan
from renders.film.runs import Data
from renders.film.runs.training import trained
from tasks.task import IGNORE, Batch, IntArray, Task

LEARNING_RATE = 3e-3
NAMES = [
    "mira",
    "otto",
    "lena",
    "hugo",
    "ida",
    "karl",
    "nora",
    "paul",
    "rosa",
    "emil",
    "vera",
    "finn",
]
THINGS = [
    "lamp",
    "key",
    "bell",
    "coin",
    "map",
    "rope",
    "cup",
    "ring",
    "boat",
    "flag",
    "stone",
    "clock",
]
FILLERS = [
    "the river was cold that night .",
    "it rained on the old roof .",
    "nobody came down the road .",
    "the fire burned until the morning .",
    "a dog slept under the table .",
    "the bread was warm and good .",
]
WORDS = sorted({*["keeps", "the", "."], *" ".join(FILLERS).split()}) + NAMES + THINGS
ID = {word: i for i, word in enumerate(WORDS)}
MANY = 1000  # rows that are looked through
FACTS, BETWEEN = 3, 3  # facts of a row; sentences between the last of them and the question


class Sentences(Task):
    """Rows of three facts, three other sentences, and a question for each fact; every answer, and
    nothing else, is scored."""

    name = "film_sentences"
    vocab_size = len(WORDS)
    metric = "accuracy"
    chance = 1 / len(THINGS)
    train_length = 50
    test_lengths = (50,)

    @property
    def lengths(self) -> range:
        return range(self.train_length, self.train_length + 1)

    def draw(
        self, rng: np.random.Generator, split: str, batch_size: int, length: int
    ) -> tuple[IntArray, IntArray]:
        rows = [_row(rng) for _ in range(batch_size)]
        tokens = np.zeros((batch_size, length + 1), np.int64)
        targets = np.full((batch_size, length), IGNORE)
        for i, (words, answers) in enumerate(rows):
            ids = [ID[word] for word in words][: length + 1]
            tokens[i, : len(ids)] = ids
            asked = [at for at in answers if at < length]
            targets[i, asked] = tokens[i, [at + 1 for at in asked]]
        return tokens[:, :-1].copy(), targets


def _row(rng: np.random.Generator) -> tuple[list[str], list[int]]:
    """Words of a row, and the places after which a thing is asked for."""
    names, things = rng.permutation(NAMES)[:FACTS], rng.permutation(THINGS)[:FACTS]
    words: list[str] = []
    for name, thing in zip(names, things, strict=True):
        words += [name, "keeps", "the", thing, "."]
    for i in rng.permutation(len(FILLERS))[:BETWEEN]:
        words += FILLERS[i].split()
    answers = []
    for i in rng.permutation(FACTS):
        words += [names[i], "keeps", "the", things[i], "."]
        answers.append(len(words) - 3)
    return [str(word) for word in words], answers


def make(folder: Path, seed: int, steps: int, batch: int, width: int) -> Data:
    """Train, and read the first test row whose first question is for its first fact."""
    task = Sentences()
    tape = TapeConfig(content_heads=1, position_heads=1, num_slots=16, d_mem=16)
    config = PrismConfig(
        vocab_size=task.vocab_size, d_model=width, num_layers=2, tape=tape, seed=seed
    )
    model = Prism(config)
    plan = TrainingPlan(steps=steps, batch_size=batch, lr=LEARNING_RATE, seed=seed, evaluation=64)
    result = trained("tape: the model", model, task, plan)
    model.eval().requires_grad_(False).save(folder)
    row = next(row for i in range(MANY) if _asks_first(row := task.batch("test", seed, i, 1)))
    asked = _first_question(row)
    words = [WORDS[i] for i in row.tokens[0].tolist()]
    return {
        "words": words[: asked + 1],
        "answer": WORDS[int(row.targets[0, asked])],
        "parameters": result.parameters,
        "steps": steps,
        "accuracy": result.test["accuracy"],
        "chance": task.chance,
        **reading(model, row.tokens[:, : asked + 1]),
    }


def _first_question(row: Batch) -> int:
    """The place after which the first thing is asked for."""
    return int((row.targets[0] != IGNORE).nonzero()[0, 0])


def _asks_first(row: Batch) -> bool:
    """True if the first question is for the name that stands first."""
    return bool(row.tokens[0, _first_question(row) - 2] == row.tokens[0, 0])


def reading(model: Prism, tokens: Tensor) -> Data:
    """The tape after every token of ``tokens [1, T]``, and the answer with it and without.

    The tape of a block is ``state.blocks[l].tape.fast_weights [B, H, S, M]``; that of the first
    block is shown. Without: all that was ever written is zero before the last token is read.
    """
    state: PrismState | None = None
    tapes, gates, before = [], [], None
    for t in range(tokens.shape[1]):
        before = state
        out = model(tokens[:, t : t + 1], state=state, routing=True)
        state = out.state
        tapes.append(state.blocks[0].tape.fast_weights[0, 0].tolist())
        gates.append([float(layer.write_gates[0, 0, 0]) for layer in out.routing])
    without = model(tokens[:, -1:], state=emptied(before)).logits[0, -1].softmax(-1)
    chances = out.logits[0, -1].softmax(-1)
    before_each = np.array([np.zeros_like(tapes[0]), *tapes])
    changes = np.linalg.norm(np.diff(before_each, axis=0), axis=(1, 2))
    ids = [ID[thing] for thing in THINGS]
    return {
        "tapes": tapes,
        "written": changes.tolist(),
        "gates": gates,
        "things": THINGS,
        "with_tape": chances[ids].tolist(),
        "without_tape": without[ids].tolist(),
    }


def emptied(state: PrismState) -> PrismState:
    """The state with nothing on the tape: neither in its associations nor in its ring."""
    blocks = []
    for block in state.blocks:
        tape = dataclasses.replace(
            block.tape,
            fast_weights=torch.zeros_like(block.tape.fast_weights),
            ring=torch.zeros_like(block.tape.ring),
        )
        blocks.append(dataclasses.replace(block, tape=tape))
    return dataclasses.replace(state, blocks=tuple(blocks))
