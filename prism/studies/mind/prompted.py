"""Control of pairs taught once: the same pairs as earlier turns of the chat, read by the model.

    <user> input 1 <assistant> output 1 ... <user> input n <assistant> output n <user> text

As many pairs as fit into the model's context; those left out cannot be answered. A text is
answered right if the reply holds the output of its pair. An unrelated text is unchanged if the
reply is the one that the model gives without the pairs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import torch

from prism.mind.respond import CHAT
from prism.model.generation.sampling import Sampling
from prism.model.generation.text import stream_text
from prism.studies.mind.sets import SentenceSet
from prism.studies.mind.taught import Pair, taught_pairs, unrelated

ARM = "pairs in the prompt"
SIZES = (10, 100)  # of a thousand, all but one in twenty would be left out
CONTEXT = 2_048  # tokens that SmolLM2 was trained on
ROOM = 128  # of these, for the question and its reply
TURN = CHAT + "{output}<|im_end|>\n"
WORDS = 24  # tokens of a reply


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
    """One row, as :func:`prism.studies.mind.taught.measured_pairs`, on at most ``limit`` texts of
    each kind."""
    own, pairs = taught_pairs(chosen, size, seed, ARM)
    draw = random.Random(seed)
    order = draw.sample(pairs, len(pairs))
    taught, bare = Prompted(model, order), Prompted(model, ())
    exact = [output in taught.reply(text) for text, output in order[:limit]]
    asked = draw.sample(own, min(limit, len(own)))
    good = [row["output"] in taught.reply(row["reworded"]) for row in asked]
    texts = draw.sample(unrelated(chosen, seed), limit)
    alone = [taught.reply(text) == bare.reply(text) for text in texts]
    row = {"set": chosen.name, "pairs": size, "seed": seed, "arm": ARM, "read": taught.read}
    row |= {"exact": sum(exact) / len(exact), "reworded": sum(good) / len(good)}
    row |= {"reworded asked": len(good)}
    row |= {"unrelated unchanged": sum(alone) / len(alone), "unrelated asked": len(alone)}
    say(
        f"  {size} pairs, {ARM} ({taught.read} fit): exact {row['exact']:.3f}, reworded "
        f"{row['reworded']:.3f}, unrelated unchanged {row['unrelated unchanged']:.3f}"
    )
    return row
