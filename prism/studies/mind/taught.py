"""Pairs taught once: exact inputs, reworded ones, and texts that ask for none of them.

The set's pairs are taught beside made-up ones until there are as many as wanted. Unrelated texts
are the set's questions about a world. Controls: no pairs, pairs whose outputs are exchanged, and
the pairs as earlier turns of the chat, read by the model:

    <user> input 1 <assistant> output 1 ... <user> input n <assistant> output n <user> text

As many as fit into the model's context; those left out cannot be answered. Then a text is answered
right if the reply holds the output of its pair, and an unrelated one is unchanged if the reply is
the one that the model gives without the pairs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import torch

from prism.mind.oneshot import OneShot
from prism.mind.respond import CHAT
from prism.model.generation.sampling import Sampling
from prism.model.generation.text import stream_text
from prism.studies.mind.names import listed
from prism.studies.mind.sets import SentenceSet, asked
from prism.studies.mind.world import made

Pair = tuple[str, str]  # input and output

SIZES = (10, 100, 1_000)
ARMS = ("taught", "words alone", "no pairs", "exchanged")
UNRELATED = 1_000
PROMPTED = "pairs in the prompt"
PROMPTED_SIZES = (10, 100)  # of a thousand, all but one in twenty would be left out
CONTEXT = 2_048  # tokens that SmolLM2 was trained on
ROOM = 128  # of these, for the question and its reply
TURN = CHAT + "{output}<|im_end|>\n"
WORDS = 24  # tokens of a reply
WAYS = (
    "how do I {v} the {n}", "what is the best way to {v} a {n}", "when should I {v} the {n}",
    "who can {v} my {n}", "is it safe to {v} the {n}", "where do you {v} {n}s",
)  # fmt: skip
VERBS = listed("""
    clean repair replace paint store open close fold move sell weigh measure label pack ship
    return rent insure inspect polish
    """)
NOUNS = listed("""
    kettle bicycle ladder curtain drawer lamp piano mattress tent umbrella wardrobe toaster
    violin wheelbarrow microscope hammock candle bookshelf carpet fishing rod
    """)


def measured_pairs(
    chosen: SentenceSet, size: int, seed: int, arm: str, say: Callable[[str], None]
) -> dict[str, Any]:
    """One row: shares of exact and reworded inputs answered with their output, and of unrelated
    texts that were left alone."""
    own, pairs = taught_pairs(chosen, size, seed, arm)
    outputs = [output for _, output in pairs]
    if arm == "exchanged":
        outputs = outputs[1:] + outputs[:1]
    learner = OneShot(encoder=False if arm == "words alone" else None)
    if arm != "no pairs":
        for (text, _), output in zip(pairs, outputs, strict=True):
            learner.add(text, output)
    exact = [_answer(learner, text) == output for text, output in pairs]
    reworded = [_answer(learner, row["reworded"]) for row in own]
    good = sum(a == row["output"] for a, row in zip(reworded, own, strict=True))
    wrong = sum(a not in (None, row["output"]) for a, row in zip(reworded, own, strict=True))
    texts = unrelated(chosen, seed)
    alone = [_answer(learner, text) is None for text in texts]
    row = {"set": chosen.name, "pairs": size, "seed": seed, "arm": arm}
    row |= {"exact": sum(exact) / len(exact), "reworded": good / len(own)}
    row |= {"reworded wrong": wrong / len(own), "reworded asked": len(own)}
    row |= {"unrelated unchanged": sum(alone) / len(alone), "unrelated asked": len(alone)}
    say(
        f"  {size} pairs, {arm}: exact {row['exact']:.3f}, reworded {row['reworded']:.3f} "
        f"(wrong {row['reworded wrong']:.3f}), unrelated unchanged {row['unrelated unchanged']:.4f}"
    )
    return row


def taught_pairs(
    chosen: SentenceSet, size: int, seed: int, arm: str
) -> tuple[list[dict[str, str]], list[Pair]]:
    """Rows of the set, at most ``size``, and ``size`` pairs: theirs, then made-up ones."""
    draw = random.Random(f"{arm} {size} {seed}")
    rows = chosen.part("one_shot")
    own = draw.sample(rows, min(len(rows), size))
    pairs = [(row["input"], row["output"]) for row in own]
    return own, pairs + made_up(size - len(own), draw)


def _answer(learner: OneShot, text: str) -> str | None:
    found = learner.match(text)
    return None if found is None else found.output


def made_up(count: int, draw: random.Random) -> list[Pair]:
    """Made-up pairs."""
    texts = [w.format(v=v, n=n) for w in WAYS for v in VERBS for n in NOUNS]
    chosen = draw.sample(texts, max(0, count))
    return [(text, f"see page {i + 2}") for i, text in enumerate(chosen)]


def unrelated(chosen: SentenceSet, seed: int) -> list[str]:
    """Questions about a world, which no pair is about."""
    texts = [q.text for q in asked(made(1_000, seed), chosen, seed, each=8)]
    return texts[:UNRELATED]


class Prompted:
    """A model that has read pairs as earlier turns.

    Args:
        model: a causal model and its tokenizer.
        pairs: as many as fit are read, in order.

    Attributes:
        read: number of pairs that fitted.
    """

    def __init__(self, model: tuple[Any, Any], pairs: Sequence[Pair]) -> None:
        self.model, self.tokenizer = model
        self.read, tokens, self.state = 0, [], None
        for text, output in pairs:
            turn = self.tokenizer.encode(TURN.format(question=text, output=output))
            if len(tokens) + len(turn) > CONTEXT - ROOM:
                break
            tokens, self.read = tokens + turn, self.read + 1
        if tokens:
            with torch.no_grad():
                self.state = self.model(torch.tensor([tokens])).state

    def reply(self, text: str) -> str:
        """The likeliest reply to a text, up to the end of the turn."""

        def step(tokens: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any, bool]:
            with torch.no_grad():
                out = self.model(tokens, state=self.state if state is None else state)
            return out.logits[:, -1], out.state, False

        said = ""
        prompt = CHAT.format(question=text)
        for piece, _, _ in stream_text(step, self.tokenizer, prompt, WORDS, Sampling(0.0)):
            said += piece
            if "<|im_end|>" in said:
                break
        return said.partition("<|im_end|>")[0].strip()


def measured_in_prompt(
    chosen: SentenceSet,
    size: int,
    seed: int,
    model: tuple[Any, Any],
    limit: int,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """One row, as :func:`measured_pairs`, on at most ``limit`` texts of
    each kind."""
    own, pairs = taught_pairs(chosen, size, seed, PROMPTED)
    draw = random.Random(seed)
    order = draw.sample(pairs, len(pairs))
    taught, bare = Prompted(model, order), Prompted(model, ())
    exact = [output in taught.reply(text) for text, output in order[:limit]]
    asked = draw.sample(own, min(limit, len(own)))
    good = [row["output"] in taught.reply(row["reworded"]) for row in asked]
    texts = draw.sample(unrelated(chosen, seed), limit)
    alone = [taught.reply(text) == bare.reply(text) for text in texts]
    row = {"set": chosen.name, "pairs": size, "seed": seed, "arm": PROMPTED, "read": taught.read}
    row |= {"exact": sum(exact) / len(exact), "reworded": sum(good) / len(good)}
    row |= {"reworded asked": len(good)}
    row |= {"unrelated unchanged": sum(alone) / len(alone), "unrelated asked": len(alone)}
    say(
        f"  {size} pairs, {PROMPTED} ({taught.read} fit): exact {row['exact']:.3f}, reworded "
        f"{row['reworded']:.3f}, unrelated unchanged {row['unrelated unchanged']:.3f}"
    )
    return row
