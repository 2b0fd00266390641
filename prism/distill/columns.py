"""Records of the top k as columns: the same numbers, exactly, in far fewer bytes.

    file   = block block ...    (:mod:`prism.data.blocks`), up to ``TOKENS`` tokens in each
    block  = rest      records without their tokens, JSON lines
             known     the ids of the block in rising order: how far each is from the one before
             counts    how often each occurs, which gives their order by frequency
             strings   text of each, JSON
             sizes     tokens of every record, uint32
             ids       [n k] places of the tokens in the block's list of ids by frequency
             logs      [k n] log-probabilities: the first, and how far each is from the one before;
                       rank by rank, as gaps of one rank are alike
             chosen    [n] place of the generated token in the top k; k = not there
             other_ids, other_logs    of the generated tokens that are not there

Numbers are written byte by byte in planes, ids as they are, and packed with xz. Log-probabilities
take the narrowest of bf16, fp32 and fp64 that holds all of a block exactly, as integers in their
order: the data that are public are bf16. Ids take 2 bytes a place up to 65,536 different ones in a
block, else 4.

:func:`fixed` is the plain form for comparison: ``b`` bits for an id, 16 for a bf16 log-probability,
``(k + 1)(b + 16)`` bits a token.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prism import whole_file
from prism.data.blocks import Block, packed, read_blocks
from prism.distill.records import Record

TOKENS = 65_536  # of a block, about
SMALLEST, LARGEST = 1 << 12, 1 << 26  # bytes of the dictionary of xz
FORMAT = 2  # of a block
# lc, lp and pb of xz: how many bits of the byte before and of the place say what comes next. In
# text a byte says much about the next, in a plane little, and in a whole number its place does
TEXT, PLANE, WHOLE = (4, 0, 0), (0, 0, 0), (3, 1, 1)
EFFORTS = {"rest": TEXT, "strings": TEXT, "ids": WHOLE}
WIDTHS = {"bf16": "<u2", "fp32": "<u4", "fp64": "<u8"}


def write_columns(path: Path, records: Iterable[Record]) -> dict[str, int]:
    """Write records without defects to ``path``; how many, tokens, bytes.

    Raises:
        ValueError: lists of different lengths.
        OSError: the disk.
    """
    totals = {"records": 0, "tokens": 0, "bytes": 0}
    with whole_file.replacing(path) as beside, beside.open("wb") as file:
        for batch in _batches(records):
            header, sections = encoded(batch)
            raw = packed(header, sections)
            file.write(raw)
            totals["records"] += len(batch)
            totals["tokens"] += header["tokens"]
            totals["bytes"] += len(raw)
    return totals


def read_columns(path: Path) -> Iterator[Record]:
    """The records of a file.

    Raises:
        ValueError: a block is damaged or cut off; names it.
    """
    for block in read_blocks(path):
        yield from decoded(block)


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    tokens = 0
    for record in records:
        batch.append(record)
        tokens += len(record["token_logprobs"])
        if tokens >= TOKENS:
            yield batch
            batch, tokens = [], 0
    if batch:
        yield batch


def encoded(records: list[Record]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Header and sections of a block."""
    tokens = [token for record in records for token in record["token_logprobs"]]
    k = len(tokens[0]["top_k"])
    if any(len(token["top_k"]) != k for token in tokens):
        raise ValueError(f"top_k: lists of different lengths; all must have {k} entries")
    ids = np.array([[e["token_id"] for e in t["top_k"]] for t in tokens], np.int64)
    logs = np.array([[e["logprob"] for e in t["top_k"]] for t in tokens], np.float64)
    own = np.array([t["generated_token_id"] for t in tokens], np.int64)
    own_logs = np.array([t["logprob"] for t in tokens], np.float64)
    there = ids == own[:, None]
    apart = ~there.any(axis=1)
    kind = _narrowest(np.concatenate([logs.ravel(), own_logs]))
    strings = {}
    for t in tokens:
        strings[t["generated_token_id"]] = t["generated_token"]
        strings |= {e["token_id"]: e["token"] for e in t["top_k"]}
    known, counts = np.unique(np.concatenate([ids.ravel(), own[apart]]), return_counts=True)
    if known[-1] >= 1 << 32:
        raise ValueError(f"id {known[-1]}: must be below 2**32")
    place = np.argsort(_by_frequency(counts))
    rest = [{key: v for key, v in r.items() if key != "token_logprobs"} for r in records]
    order = _ordinal(logs, kind)
    gaps = np.diff(order, axis=1, prepend=order[:, :1] * 0).astype(WIDTHS[kind])
    header = {"format": FORMAT, "tokens": len(tokens), "k": k, "logs": kind,
              "ids": "<u2" if len(known) <= 1 << 16 else "<u4"}  # fmt: skip
    parts = {
        "rest": "\n".join(map(json.dumps, rest)).encode(),
        "known": planes(np.diff(known, prepend=0).astype("<u4")),
        "counts": planes(counts.astype("<u4")),
        "strings": json.dumps([strings[i] for i in known.tolist()]).encode(),
        "sizes": np.array([len(r["token_logprobs"]) for r in records], "<u4").tobytes(),
        "ids": place[np.searchsorted(known, ids)].astype(header["ids"]).tobytes(),
        "logs": planes(gaps.T),
        "chosen": np.where(apart, k, there.argmax(axis=1)).astype("<u2").tobytes(),
        "other_ids": planes(place[np.searchsorted(known, own[apart])].astype(header["ids"])),
        "other_logs": planes(_ordinal(own_logs[apart], kind).astype(WIDTHS[kind])),
    }
    return header, {name: _squeezed(part, EFFORTS.get(name, PLANE)) for name, part in parts.items()}


def decoded(block: Block) -> Iterator[Record]:
    """The records of a block."""
    header = block.header
    if header.get("format", 1) != FORMAT:
        raise ValueError(f"columns of format {header.get('format', 1)}: must be {FORMAT}")
    parts = {name: _opened(part) for name, part in block.sections.items()}
    n, k, kind = header["tokens"], header["k"], header["logs"]
    known = np.cumsum(unplaned(parts["known"], "<u4"), dtype=np.int64)
    frequent = _by_frequency(unplaned(parts["counts"], "<u4").astype(np.int64))
    texts = json.loads(parts["strings"])
    listed, strings = known[frequent], [texts[i] for i in frequent.tolist()]
    places = np.frombuffer(parts["ids"], header["ids"]).reshape(n, k).astype(np.int64)
    steps = unplaned(parts["logs"], WIDTHS[kind]).reshape(k, n).T
    logs = _value(np.cumsum(steps, axis=1, dtype=WIDTHS[kind]), kind)
    chosen = np.frombuffer(parts["chosen"], "<u2").astype(np.int64)
    others = iter(
        zip(
            unplaned(parts["other_ids"], header["ids"]).tolist(),
            _value(unplaned(parts["other_logs"], WIDTHS[kind]), kind).tolist(),
            strict=True,
        )
    )
    ends = np.cumsum(np.frombuffer(parts["sizes"], "<u4")).tolist()
    begin = 0
    for rest, end in zip(parts["rest"].decode().split("\n"), ends, strict=True):
        tokens = []
        for i in range(begin, end):
            row, values = places[i].tolist(), logs[i].tolist()
            own, log = next(others) if chosen[i] == k else (row[chosen[i]], values[chosen[i]])
            tokens.append(
                {
                    "position": i - begin,
                    "generated_token_id": int(listed[own]),
                    "generated_token": strings[own],
                    "logprob": log,
                    "top_k": [
                        {"token_id": int(listed[p]), "token": strings[p], "logprob": v}
                        for p, v in zip(row, values, strict=True)
                    ],
                }
            )
        yield {**json.loads(rest), "token_logprobs": tokens}
        begin = end


def _by_frequency(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places in falling order of ``counts``; equal ones stay in order."""
    return np.argsort(-counts, kind="stable")


def _squeezed(part: bytes, bits: tuple[int, int, int]) -> bytes:
    size = min(max(len(part), SMALLEST), LARGEST)  # no larger: its memory is cleared every time
    effort = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": size}
    lc, lp, pb = bits
    filters = [effort | {"lc": lc, "lp": lp, "pb": pb}]
    return lzma.compress(part, check=lzma.CHECK_NONE, filters=filters)


def _opened(part: memoryview) -> bytes:
    return lzma.decompress(bytes(part))


def planes(values: NDArray[Any]) -> bytes:
    """The bytes of numbers, all lowest ones first, then the next."""
    raw = np.frombuffer(values.tobytes(), np.uint8).reshape(-1, values.dtype.itemsize)
    return np.ascontiguousarray(raw.T).tobytes()


def unplaned(raw: bytes, kind: str) -> NDArray[Any]:
    """The numbers of :func:`planes`."""
    width = np.dtype(kind).itemsize
    rows = np.frombuffer(raw, np.uint8).reshape(width, -1)
    return np.frombuffer(np.ascontiguousarray(rows.T).tobytes(), kind)


def _narrowest(values: NDArray[np.float64]) -> str:
    with np.errstate(over="ignore"):  # what is too large for fp32 becomes infinite, and differs
        single = values.astype(np.float32)
    if not np.array_equal(single.astype(np.float64), values):
        return "fp64"
    return "fp32" if (single.view(np.uint32) & 0xFFFF).any() else "bf16"


def _ordinal(values: NDArray[np.float64], kind: str) -> NDArray[Any]:
    """Integers that are in the order of the magnitudes of ``values``, the bits of each: of falling
    negative numbers they rise."""
    values = values + 0.0  # no negative zero
    if kind == "fp64":
        return np.abs(values).view(np.uint64)
    bits = np.abs(values).astype(np.float32).view(np.uint32)
    return bits if kind == "fp32" else (bits >> 16).astype(np.uint16)


def _value(order: NDArray[Any], kind: str) -> NDArray[np.float64]:
    if kind == "fp64":
        return -order.view(np.float64) + 0.0
    bits = order.astype(np.uint32) << (16 if kind == "bf16" else 0)
    return -bits.view(np.float32).astype(np.float64) + 0.0


def fixed(records: list[Record], vocab_size: int) -> bytes:
    """Top k and generated tokens in bits of fixed width, token by token, each to whole bytes.

    Raises:
        ValueError: a log-probability that is not bf16.
    """
    tokens = [token for record in records for token in record["token_logprobs"]]
    rows = [[(t["generated_token_id"], t["logprob"])] + [(e["token_id"], e["logprob"])
            for e in t["top_k"]] for t in tokens]  # fmt: skip
    ids = np.array([[i for i, _ in row] for row in rows], np.uint32)
    logs = np.array([[x for _, x in row] for row in rows], np.float64)
    if _narrowest(logs.ravel()) != "bf16":
        raise ValueError("fixed: a log-probability is not bf16; must be")
    width = (vocab_size - 1).bit_length()
    bits = np.concatenate([_bits(ids, width), _bits(_ordinal(logs, "bf16"), 16)], axis=1)
    return np.packbits(bits, axis=1).tobytes()


def _bits(values: NDArray[Any], width: int) -> NDArray[np.uint8]:
    """``[n, k]`` numbers as ``[n, k width]`` bits."""
    shifts = np.arange(width - 1, -1, -1, dtype=np.uint32)
    return (
        ((values[:, :, None].astype(np.uint32) >> shifts) & 1)
        .astype(np.uint8)
        .reshape(len(values), -1)
    )


def summary(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Numbers of records and tokens, and how the top k are filled."""
    count = tokens = outside = ties = pairs = 0
    mass, k = 0.0, 0
    for record in records:
        count += 1
        for token in record["token_logprobs"]:
            logs = np.array([e["logprob"] for e in token["top_k"]])
            k = len(logs)
            tokens += 1
            mass += float(np.exp(logs).sum())
            outside += all(e["token_id"] != token["generated_token_id"] for e in token["top_k"])
            ties += int((np.diff(logs) == 0).sum())
            pairs += k - 1
    each = max(tokens, 1)
    return {"records": count, "tokens": tokens, "k": k, "mass": mass / each,
            "outside": outside / each, "ties": ties / max(pairs, 1)}  # fmt: skip
