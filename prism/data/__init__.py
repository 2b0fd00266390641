"""Text for training: sources, mixes, tokenizers and the lanes of the global batch.

lanes = Lanes(parse_mix("pydoc"), ByteTokenizer(), lanes=8, mine=range(8), seq_len=256, seed=0)
batch = lanes.next()                  # LaneBatch: tokens, targets, segment_ids [8, 256]
lanes.load(lanes.state())             # goes on exactly
"""

from prism.data.curriculum import Curriculum, Lengths
from prism.data.curriculum_text import parse_curriculum
from prism.data.heldout import held_out_batches
from prism.data.lanes import Lanes
from prism.data.mix import Mix, parse_mix
from prism.data.pack import LaneBatch, count_bytes
from prism.data.tokens import ByteTokenizer, Tokenizer, open_tokenizer

__all__ = [
    "ByteTokenizer",
    "Curriculum",
    "LaneBatch",
    "Lanes",
    "Lengths",
    "Mix",
    "Tokenizer",
    "count_bytes",
    "held_out_batches",
    "open_tokenizer",
    "parse_curriculum",
    "parse_mix",
]
