"""Training of a BPE over characters, whose tokens are readable in every script.

Byte pair encoding as in :mod:`prism.data.bpe.train`, but merges join characters: a token is a piece
of Unicode text, never part of a character. Every character of the training text is a token; any
other one is written as its UTF-8 bytes (``<0x00>`` ... ``<0xFF>``, 256 ids of the vocabulary), so
every text can be written and comes back. Merges stay inside a run of letters (with the space before
it), of digits (which stay single), of other signs, or of spaces.

Texts may be given shares of the training bytes. A text that a model will not read leaves the tokens
of its script without use: the table at the end says how many of each script the first text uses.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from prism import whole_file
from prism.data.bpe.train import MEASURED, as_data, texts
from prism.data.mix import Mix, parse_mix
from prism.data.tokens import (
    BYTE_PIECE,
    END,
    OVER_CHARACTERS,
    FileTokenizer,
    Tokenizer,
    tokenizers_library,
)

BYTES = [f"<0x{b:02X}>" for b in range(256)]
SMALLEST = 258  # the end of a document, the bytes, one character
WORDS = r" ?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+|\s+"


def train_char_tokenizer(
    files: Sequence[str], vocab_size: int, out: Path, shares: Sequence[float] | None = None
) -> str:
    """Train on ``files``, write ``out``; lines that say what was read, how well held-out text is
    compressed, and which scripts the tokens that the first file uses, and does not use, are of.

    Args:
        files: files, folders, patterns or mixes; the first is what a model will read.
        vocab_size: number of ids: the characters, merges, 256 bytes and the end token.
        out: the tokenizer.json to write.
        shares: of the training bytes, one of each file, in any unit; None = all that there is.

    Raises:
        ValueError: a bad size or share, a file that cannot be read, or text too short for the size.
        OSError: ``out`` cannot be written.
    """
    if vocab_size < SMALLEST:
        raise ValueError(f"--vocab-size {vocab_size}: must be >= {SMALLEST}")
    library = tokenizers_library()
    mixes = [parse_mix(as_data(file)) for file in files]
    budgets = _budgets(mixes, files, shares)
    bpe = library.Tokenizer(library.models.BPE())
    words = library.Regex(WORDS)
    bpe.pre_tokenizer = library.pre_tokenizers.Split(words, "isolated")
    trainer = library.trainers.BpeTrainer(vocab_size=vocab_size - len(BYTES) - 1)
    trainer.show_progress = False
    read = (t for mix, n in zip(mixes, budgets, strict=True) for t in _first(mix, n))
    bpe.train_from_iterator(read, trainer)
    size = bpe.get_vocab_size() + len(BYTES) + 1
    if size != vocab_size:
        raise ValueError(
            f"--vocab-size {vocab_size}: the text gives {size} ids; must be "
            + ("at most that, or the text longer" if size < vocab_size else "at least that")
        )
    whole_file.write(out, _with_bytes(json.loads(bpe.to_str())))
    tokenizer = FileTokenizer(out)
    lines = [line for mix in mixes for line in mix.remarks()]
    if shares is not None:
        used = ", ".join(f"{n:,} of {f}" for n, f in zip(budgets, files, strict=True))
        lines.append(f"training bytes: {used}")
    return "\n".join([*lines, *_measures(tokenizer, mixes, files)])


def _budgets(
    mixes: Sequence[Mix], files: Sequence[str], shares: Sequence[float] | None
) -> list[int]:
    """Training bytes of each mix: as many as ``shares`` allow."""
    sizes = [sum(len(t.encode()) for t in texts(mix, validation=False)) for mix in mixes]
    for file, size in zip(files, sizes, strict=True):
        if size == 0:
            raise ValueError(f"{file}: holds no text to train on")
    if shares is None:
        return sizes
    if len(shares) != len(files):
        raise ValueError(
            f"--share {' '.join(f'{x:g}' for x in shares)}: must be one number for each of the "
            f"{len(files)} files"
        )
    for share in shares:
        if not 0 < share < float("inf"):
            raise ValueError(f"--share {share:g}: must be > 0")
    whole = min(size * sum(shares) / share for size, share in zip(sizes, shares, strict=True))
    return [int(whole * share / sum(shares)) for share in shares]


def _first(mix: Mix, budget: int) -> Iterator[str]:
    """Texts of a mix up to ``budget`` bytes; the last one is cut between characters."""
    for text in texts(mix, validation=False):
        raw = text.encode()
        if len(raw) >= budget:
            yield raw[:budget].decode(errors="ignore")
            return
        budget -= len(raw)
        yield text


def _with_bytes(content: dict[str, Any]) -> str:
    """The trained tokenizer.json with the end token, the bytes and their fall-back."""
    model = content["model"]
    first = [END, *BYTES]
    pieces = sorted(model["vocab"], key=model["vocab"].get)
    model["vocab"] = {piece: i for i, piece in enumerate([*first, *pieces])}
    model["byte_fallback"] = True
    content["decoder"] = OVER_CHARACTERS
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    content["added_tokens"] = [{"id": 0, "content": END, "special": True, **flags}]
    return json.dumps(content, ensure_ascii=False, indent=1)


def _measures(
    tokenizer: FileTokenizer, mixes: Sequence[Mix], files: Sequence[str]
) -> Iterator[str]:
    wrote = f"{tokenizer.path}: {tokenizer.vocab_size:,} ids"
    for mix, file in zip(mixes, files, strict=True):
        size = ids = wrong = lines = 0
        for text in texts(mix, validation=True):
            for line in text.splitlines(keepends=True):
                found = tokenizer.encode(line)
                size, ids, lines = size + len(line.encode()), ids + len(found), lines + 1
                wrong += tokenizer.decode(found) != line
            if size >= MEASURED:
                break
        if ids:
            wrote += f"\n{file}: {size / ids:.2f} bytes per token on {size:,} held-out bytes; "
            wrote += f"{wrong} of {lines:,} lines do not come back"
    yield wrote
    yield from use_by_script(tokenizer, used_ids(tokenizer, mixes[0]), files[0])


def used_ids(tokenizer: Tokenizer, mix: Mix) -> set[int]:
    """The ids that occur in a mix, held-out documents too."""
    used = {tokenizer.end}
    for part in (False, True):
        for text in texts(mix, validation=part):
            used.update(tokenizer.encode(text))
    return used


def script_of(piece: str) -> str:
    """Script of a token: of its letters, by the first word of their Unicode names; ``mixed``; else
    digits, signs or space. A byte is ``byte``, the end token ``special``."""
    if BYTE_PIECE.fullmatch(piece):
        return "byte"
    if piece == END:
        return "special"
    letters = [c for c in piece if unicodedata.category(c)[0] in "LM"]
    names = {unicodedata.name(c, "unnamed").split()[0].split("-")[0].lower() for c in letters}
    if letters:
        return names.pop() if len(names) == 1 else "mixed"
    if piece.isspace():
        return "space"
    return "digit" if any(c.isdigit() for c in piece) else "sign"


def use_by_script(tokenizer: FileTokenizer, used: set[int], name: str) -> Iterator[str]:
    """The table of tokens by script: all, live (among ``used``) and dead; rare scripts as one."""
    live, total = Counter[str](), Counter[str]()
    for i in range(tokenizer.vocab_size):
        script = script_of(tokenizer.piece_text(i))
        total[script] += 1
        live[script] += i in used
    size, alive = total.total(), live.total()
    yield f"tokens that {name} uses (live) and does not use (dead), by script:"
    yield f"{'script':>12} {'ids':>7} {'live':>7} {'dead':>7}"
    rows = [script for script, _ in total.most_common(12)]
    for script in rows:
        n, m = total[script], live[script]
        yield f"{script:>12} {n:>7,} {m:>7,} {n - m:>7,}"
    rest = sum(total[s] for s in total if s not in rows)
    if rest:
        m = sum(live[s] for s in total if s not in rows)
        yield f"{'others':>12} {rest:>7,} {m:>7,} {rest - m:>7,}"
    yield f"{'all':>12} {size:>7,} {alive:>7,} {size - alive:>7,}"
    yield f"{'share':>12} {'':>7} {alive / size:>7.2%} {1 - alive / size:>7.2%}"
