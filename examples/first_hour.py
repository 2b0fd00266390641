"""The first hour with PRISM, in a minute or two: train, generate, bind a fact, ask, forget.

    python examples/first_hour.py

A small model learns a made-up language of 105 words, in which sentences ask for facts. It learns to
ask, and no fact: those of its training are drawn anew at every step. The facts of this page are
bound to a tape afterwards, as text, and the weights are never touched again.
"""

from __future__ import annotations

import argparse
import sys
import time

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

import prism
from prism import HoloTape, Prism, PrismConfig, TapeConfig
from prism.inject import TokenFacts
from prism.recipe import StepLoss, adamw, cosine, own_loss, train_step
from tasks.retrieval import ID, STOP, SYLLABLES, WORDS, Episode, Retrieval, text


class Words:
    """The tokenizer of the made-up language: a word, or the syllables of a name."""

    def encode(self, text: str) -> list[int]:
        """Token ids; raises ValueError for a word that is neither known nor made of syllables."""
        ids = []
        for word in text.lower().split():
            pairs = [word[i : i + 2] for i in range(0, len(word), 2)]
            if word not in ID and not set(pairs) <= set(SYLLABLES):
                raise ValueError(f"word {word!r}: must be a known one, or a name as 'Balo'")
            ids += [ID[word]] if word in ID else [ID[pair] for pair in pairs]
        return ids


def loss_of(model: Prism, episode: Episode) -> StepLoss:
    """Next word, part of each word (subject, relation, none), and where the answer is a fact's."""
    facts = TokenFacts(len(WORDS), stop=STOP, dim=4096)
    facts.bind_many(episode.facts)
    out = model(episode.tokens, facts=facts)

    def following(logits: Tensor) -> Tensor:
        return cross_entropy(logits.flatten(0, 1), episode.following.flatten())

    words = following(out.logits)
    own = own_loss(out, following)  # of the symbolic machines' own answers
    parts = cross_entropy(out.holo.part_logits.flatten(0, 1), episode.parts.flatten())
    asks = binary_cross_entropy_with_logits(out.holo.query_logit, episode.asks.float())
    return StepLoss(words + own + parts + asks + out.aux_loss, words.detach(), out.loads)


def train(steps: int) -> Prism:
    """A model of some 150 thousand parameters that has learned to ask."""
    config = PrismConfig(
        vocab_size=len(WORDS),
        d_model=64,
        num_layers=2,
        tape=TapeConfig(content_heads=1, position_heads=1, num_slots=16, d_mem=16),
        half_life_max=64.0,
        holo_mode=True,
    )
    model, task = Prism(config), Retrieval()
    optimizer = adamw(model, rate=3e-3)
    print(f"1. A PRISM of {model.num_parameters():,} parameters trains for {steps} steps.")
    start = time.perf_counter()
    for step in range(steps):
        episode = task.episode("train", seed=0, index=step, batch_size=16)
        rate = cosine(step, steps, peak=3e-3)
        loss = train_step(model, optimizer, lambda e=episode: loss_of(model, e), rate)
        if step % 100 == 0 or step == steps - 1:
            seconds = time.perf_counter() - start
            print(f"   step {step + 1:4}  loss {loss:.3f} nats per word  {seconds:3.0f} s")
    return model.eval().requires_grad_(False)


@torch.no_grad()
def ask(model: Prism, prompt: str, facts: prism.inject.StoreFacts) -> str:
    """The words after ``prompt`` up to the full stop, the likeliest each time."""
    step, state, reply = torch.tensor([Words().encode(prompt)]), None, []
    while len(reply) < 6 and STOP not in reply:
        out = model(step, state=state, facts=facts)
        state, step = out.state, out.logits[:, -1:].argmax(-1)
        reply.append(int(step))
    return text(reply).removesuffix(".").strip()


def main(argv: list[str] | None = None) -> int:
    """Run the tour; 0 if the model answered as it should."""
    p = argparse.ArgumentParser(prog="python examples/first_hour.py", description=__doc__)
    p.add_argument("--steps", type=int, default=200, help="of training")
    steps = p.parse_args(argv).steps
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = train(steps)

    print("2. It generates:")
    prompt = torch.tensor(Words().encode("the old king"))
    print(f"   {text(model.generate(prompt, max_new_tokens=20, temperature=0.7, seed=1))}")

    print("3. Two facts are bound to a tape, as text; no weight changes.")
    tape = HoloTape.plan(facts=100)
    tape.bind("old king of Balo", "Ruti", source="first hour")
    tape.bind("river of Sibo", "Meka", source="first hour")
    facts = prism.facts_for(tape, Words(), len(WORDS))
    print(f"   {tape.recall('river of Sibo')}")

    print("4. The model is asked:")
    answers = {}
    for question in ("the old king of Balo is", "as for Sibo , not Balo , the river is"):
        answers[question] = ask(model, question, facts)
        print(f'   "{question} ..."  ->  "{answers[question]}"')

    print("5. One fact is forgotten, and the other stays.")
    tape.forget("old king of Balo")
    for question in list(answers):
        answers[f"{question}, afterwards"] = ask(model, question, facts)
        print(f'   "{question} ..."  ->  "{answers[f"{question}, afterwards"]}"')
    good = list(answers.values()) == ["Ruti", "Meka", "unknown", "Meka"]
    print("That is all." if good else "Too few steps: an answer is not what it should be.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
