"""A model that speaks, measured in this process: its logits where nothing is recalled, its start.

bare     chat of many tokens is read by the model alone and by the speaker whose register holds the
         answer to another question: logits that are the same to the bit, and the weights' hash
start    seconds from the start of ``python -m prism.chat`` with the model on a new base until a
         fact is noted, and until it answers; nothing is calibrated between
"""

from __future__ import annotations

import math
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

from prism.holo.algebra.codes import hash_keys
from prism.mind.respond import CHAT, Speaker
from prism.record import weights_hash

STARTS = 5
PIECE, CONTEXT = 64, 512  # tokens read at once, and after which a new chat begins
TURNS = (
    *("How do I keep basil alive in winter?", "Tell me about the lighthouse on the north shore."),
    *("What is the colour of stone {}?", "Write two lines about rain.", "Why do cats purr?"),
)


def bare(pair: tuple[Any, Any], tokens: int) -> dict[str, Any]:
    """Compare ``tokens`` tokens of chat, in pieces."""
    speaker = Speaker(*pair)
    before = weights_hash(speaker.model.state_dict())
    told = CHAT.format(question="What is the capital of Freedonia?")
    speaker.register.bind(hash_keys([told])[0], speaker.tokenizer.encode("Fredville"))
    text, turn = "", 0
    while len(ids := speaker.tokenizer.encode(text)) < tokens:
        for _ in range(50):
            text += CHAT.format(question=TURNS[turn % len(TURNS)].format(turn)) + "I see.\n"
            turn += 1
    read = equal = spoke = 0
    for start in range(0, tokens, CONTEXT):
        chat = torch.tensor([ids[start : min(tokens, start + CONTEXT)]])
        root, state, alone = hash_keys([f"chat {start}"])[0], None, None
        for at in range(0, chat.shape[1], PIECE):
            piece = chat[:, at : at + PIECE]
            logits, state, fact = speaker.step(piece, state, root, at)
            with torch.no_grad():
                out = speaker.model(piece, state=alone)
            alone = out.state
            read += 1
            equal += torch.equal(logits, out.logits[:, -1])
            spoke += fact
    return {
        "tokens": tokens,
        "pieces": read,
        "differing": read - equal,
        "pieces_in_which_the_register_spoke": spoke,
        "parameters_unchanged": weights_hash(speaker.model.state_dict()) == before,
    }


def start(folder: Path, model: str, times: int = STARTS) -> dict[str, Any]:
    """Start the chat some times, each with a new file; medians."""
    runs = [_started(folder / f"start{number}.db", model) for number in range(times)]
    medians = {name: median(run[name] for run in runs) for name in runs[0] if name != "answered"}
    return {"starts": times, **medians, "answered": sum(run["answered"] for run in runs)}


def _started(kb: Path, model: str) -> dict[str, Any]:
    """Start the chat, teach and ask at once: seconds until the fact is noted, and answered."""
    command = [sys.executable, "-u", "-m", "prism.chat", "--kb", str(kb)]
    begin = time.perf_counter()
    with subprocess.Popen(
        [*command, "--model", model], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write("The capital of Freedonia is Fredville.\n")
        process.stdin.flush()
        line = process.stdout.readline()
        first = time.perf_counter() - begin
        process.stdin.write("What is the capital of Freedonia?\n")
        process.stdin.close()
        rest = process.stdout.read()
        seconds = time.perf_counter() - begin
    return {
        "seconds_to_the_first_line": first if line else math.inf,
        "seconds_to_the_first_answer": seconds,
        "answered": "Fredville" in rest,
    }
