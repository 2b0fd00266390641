"""Nested tokenizers: the first merges of a byte pair encoding are a tokenizer of their own.

Byte pair encoding applies its merges in order of rank. A merge of rank below k joins only tokens
that merges below k made, so whatever the later merges do, the first k are done with before:

    encode_full(text) = later merges applied to encode_k(text)

Hence the ids of the smaller tokenizer are the first ids of the larger one, and every token of the
larger is a fixed sequence of tokens of the smaller, wherever it stands. A distribution over the
larger vocabulary can therefore be summed into one over the smaller (:mod:`prism.distill.marginal`).

A tokenizer is given as the JSON object of its ``tokenizer.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Pieces = list[tuple[int, ...]]  # of every id of the larger vocabulary: ids of the smaller


def base_size(tokenizer: Mapping[str, Any], name: str) -> int:
    """Number of ids that no merge makes: the single bytes and the special tokens.

    Args:
        name: of the tokenizer, for errors.

    Raises:
        ValueError: no byte pair encoding, or one whose ids are not in the order of its merges.
    """
    model = tokenizer.get("model", {})
    if model.get("type") != "BPE":
        kind = model.get("type")
        raise ValueError(f"tokenizer {name}: model {kind!r}: must be BPE, whose merges have ranks")
    vocab, merges = model["vocab"], merges_of(tokenizer)
    base = len(vocab) - len(merges)
    for rank, (left, right) in enumerate(merges):
        if vocab.get(left + right) != base + rank:
            said = f"merge {rank} makes id {vocab.get(left + right)}"
            raise ValueError(
                f"tokenizer {name}: {said}: must be {base + rank}; its ids are not in the order of "
                "its merges, so its first merges are no tokenizer of their own"
            )
    return base


def merges_of(tokenizer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The merges in order; older files write each as one string."""
    merges = tokenizer["model"]["merges"]
    return [tuple(m.split(" ", 1)) if isinstance(m, str) else tuple(m) for m in merges]


def cut(tokenizer: Mapping[str, Any], vocab_size: int, name: str) -> dict[str, Any]:
    """The tokenizer of the first ``vocab_size`` ids.

    Args:
        name: of ``tokenizer``, for errors.

    Raises:
        ValueError: a size that it has not, or not a tokenizer that can be cut.
    """
    base, whole = base_size(tokenizer, name), len(tokenizer["model"]["vocab"])
    if not base <= vocab_size <= whole:
        raise ValueError(f"--vocab-size {vocab_size}: must be in {base} .. {whole} of {name}")
    late = [x["content"] for x in tokenizer.get("added_tokens", []) if x["id"] >= base]
    if late:
        raise ValueError(f"tokenizer {name}: special token {late[0]!r} comes after its merges; "
                         "must come before, or a smaller vocabulary loses it")  # fmt: skip
    model = dict(tokenizer["model"])
    model["vocab"] = {piece: i for piece, i in model["vocab"].items() if i < vocab_size}
    model["merges"] = [list(m) for m in merges_of(tokenizer)[: vocab_size - base]]
    return {**tokenizer, "model": model}


def pieces(larger: Mapping[str, Any], smaller: Mapping[str, Any], name: str) -> Pieces:
    """The ids of ``smaller`` that every id of ``larger`` consists of.

    Args:
        name: of ``smaller``, for errors.

    Raises:
        ValueError: ``smaller`` is not :func:`cut` from ``larger``.
    """
    size = len(smaller["model"]["vocab"])
    base = base_size(larger, "of the teacher")
    if not base <= size <= len(larger["model"]["vocab"]):
        raise ValueError(f"tokenizer {name}: {size:,} ids: is not cut from the teacher's; must be "
                         "written by python -m prism.tokenizer cut, or be bytes")  # fmt: skip
    wanted = cut(larger, size, "of the teacher")
    for part in ("vocab", "merges"):
        if _plain(smaller)["model"][part] != wanted["model"][part]:
            raise ValueError(
                f"tokenizer {name}: its {part} is not the first part of the teacher's; must be "
                "written by python -m prism.tokenizer cut, or be bytes"
            )
    for part in ("pre_tokenizer", "normalizer"):
        if smaller.get(part) != larger.get(part):
            raise ValueError(f"tokenizer {name}: {part} is {smaller.get(part)}: must be the "
                             f"teacher's, {larger.get(part)}")  # fmt: skip
    vocab = larger["model"]["vocab"]
    found: Pieces = [(i,) for i in range(base)]
    for rank, (left, right) in enumerate(merges_of(larger)):
        whole = base + rank
        found.append((whole,) if whole < size else found[vocab[left]] + found[vocab[right]])
    return found


def _plain(tokenizer: Mapping[str, Any]) -> dict[str, Any]:
    """``tokenizer`` with its merges as pairs."""
    model = dict(tokenizer["model"])
    model["merges"] = [list(m) for m in merges_of(tokenizer)]
    return {**tokenizer, "model": model}
