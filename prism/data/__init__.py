"""Text for training: sources, mixes, tokenizers and the row streams of the global batch.

mix, tokenizer = parse_mix("pydoc"), ByteTokenizer()
rows = RowStreams(mix, tokenizer, streams=8, mine=range(8), seq_len=256, seed=0)
batch = rows.next()        # RowBatch: tokens, targets, segment_ids [8, 256]
rows.load(rows.state())    # goes on exactly
"""

from prism.data.curriculum import Curriculum, Lengths, parse_curriculum
from prism.data.document import IGNORE, RowBatch, count_bytes
from prism.data.heldout import held_out_batches, held_out_documents
from prism.data.mix import Mix, parse_mix
from prism.data.row_streams import RowStreams
from prism.data.tokens import ByteTokenizer, Tokenizer, open_tokenizer

__all__ = [
    "IGNORE",
    "ByteTokenizer",
    "Curriculum",
    "Lengths",
    "Mix",
    "RowBatch",
    "RowStreams",
    "Tokenizer",
    "count_bytes",
    "held_out_batches",
    "held_out_documents",
    "open_tokenizer",
    "parse_curriculum",
    "parse_mix",
]
