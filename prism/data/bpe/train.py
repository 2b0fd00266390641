"""Training of a byte-level BPE from one's own text.

Byte pair encoding (https://arxiv.org/abs/1508.07909) over bytes, trained by the tokenizers library:
every text can be written, none needs an unknown token, and digits stay single, so that a number is
read from its digits. Documents that are held out from training a model are not seen either; the
compression is measured on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prism import whole_file
from prism.data.document import held_out
from prism.data.mix import KINDS, Mix, parse_mix
from prism.data.order import stored
from prism.data.tokens import END, FileTokenizer, tokenizers_library, well_formed

SMALLEST = 257  # the bytes and the end of a document
MEASURED = 1_000_000  # bytes


def train_tokenizer(files: list[str], vocab_size: int, out: Path) -> str:
    """Train on ``files``, write ``out``; a line that says how well the text is compressed, after
    those that say which files were passed over.

    Args:
        files: files, folders, patterns or mixes.
        vocab_size: number of ids, the bytes and the end token among them.
        out: the tokenizer.json to write.

    Raises:
        ValueError: a bad size, a file that cannot be read, or text too short for the size.
        OSError: ``out`` cannot be written.
    """
    if vocab_size < SMALLEST:
        raise ValueError(f"--vocab-size {vocab_size}: must be >= {SMALLEST}")
    library = tokenizers_library()
    mix = parse_mix(",".join(as_data(file) for file in files))
    bpe, split = library.Tokenizer(library.models.BPE()), library.pre_tokenizers
    bpe.pre_tokenizer = split.Sequence(
        [split.Digits(individual_digits=True), split.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = library.decoders.ByteLevel()
    trainer = library.trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END],
        initial_alphabet=sorted(split.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(texts(mix, validation=False), trainer)
    if bpe.get_vocab_size() < vocab_size:
        raise ValueError(
            f"--vocab-size {vocab_size}: the text gives {bpe.get_vocab_size()} ids only; must be "
            "at most that, or the text longer"
        )
    whole_file.write(out, bpe.to_str(pretty=True))
    return "\n".join([*mix.remarks(), _measure(FileTokenizer(out), mix)])


def as_data(file: str) -> str:
    """``file`` as a part of a mix; what is no data source by its name is a path."""
    known = file == "pydoc" or file.startswith((*(f"{kind}:" for kind in KINDS), "mix:"))
    return file if known and not Path(file).exists() else f"file:{file}"


def texts(mix: Mix, *, validation: bool) -> Iterator[str]:
    """Texts of all documents once, in stored order: the held-out ones, or the others."""
    for weighted in mix.sources:
        for document in stored(weighted.source):
            if held_out(document, mix.shares[weighted.source.name]) == validation:
                yield well_formed(document.text)


def _measure(tokenizer: FileTokenizer, mix: Mix) -> str:
    """Size of the vocabulary, and bytes per token on held-out text."""
    size = ids = 0
    for text in texts(mix, validation=True):
        size, ids = size + len(text.encode()), ids + len(tokenizer.encode(text))
        if size >= MEASURED:
            break
    wrote = f"{tokenizer.path}: {tokenizer.vocab_size:,} ids"
    if ids == 0:
        return f"{wrote}; no document is held out to measure it on"
    return f"{wrote}, {size / ids:.2f} bytes per token on {size:,} held-out bytes"
