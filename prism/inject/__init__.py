"""Facts of a tape in a language model: calibrate, trigger, read, mix; no parameter is changed.

lm = attach(model, tokenizer, tape)                    # any language model, frozen
logits = prism(tokens, facts=facts_for(tape, tokenizer, vocab_size)).logits     # with holo_mode
"""

from prism.inject.addresses import AnswerAccumulator
from prism.inject.attached import AttachedLM, attach
from prism.inject.sync import Skipped
from prism.inject.token_facts import StoreFacts, TokenFacts, facts_for
from prism.inject.trigger import Injection

__all__ = [
    "AnswerAccumulator",
    "AttachedLM",
    "Injection",
    "Skipped",
    "StoreFacts",
    "TokenFacts",
    "attach",
    "facts_for",
]
