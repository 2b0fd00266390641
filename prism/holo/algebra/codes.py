"""Bipolar codes of keys, computed from a hash in counter mode; no code is stored.

    h(x)      = blake2b_8(type, x) under the seed      strings, bytes, integers beyond 64 bits
    h(i)      = mix(i, seed)                           integers: a bijection, so none collide
    word_j(h) = mix(h + (j + 1) g + stream)            64 signs each; bit 1 stands for -1

``mix`` is the finaliser of SplitMix64 and ``g`` its odd step (Steele, Lea & Flood 2014). Only
64-bit integer arithmetic is used, so a key has the same code on every machine. As bit 1 is -1, the
product of two codes is the exclusive or of their words, which is how facts are bound.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from prism.splitmix import FACTORS, GAMMA, SHIFTS

STEP = np.uint64(GAMMA)
MIXERS = tuple(map(np.uint64, FACTORS))
PLACES = tuple(map(np.uint64, SHIFTS))
INT_TAG = np.uint64(0x6A09E667F3BCC909)
STREAM_STEP = np.uint64(0xD1B54A32D192ED03)
BANK_TAG = np.uint64(0xBB67AE8584CAA73B)
LAYER_TAG = np.uint64(0x1F83D9ABFB41BD6B)
RATIO = 3  # of the amplitudes of neighbouring layers
KEY_STREAM, VALUE_STREAM = 0, 1

Key = str | bytes | int


def mix(words: np.ndarray) -> np.ndarray:
    """:func:`prism.splitmix.mix` of uint64 of any shape."""
    words = (words ^ (words >> PLACES[0])) * MIXERS[0]
    words = (words ^ (words >> PLACES[1])) * MIXERS[1]
    return words ^ (words >> PLACES[2])


def hash_keys(keys: Iterable[Key] | np.ndarray | Tensor, seed: int = 0) -> np.ndarray:
    """Hashes uint64 [N] of N keys; equal keys of one type agree, ``1``, ``"1"`` and ``b"1"`` do
    not. An integer array or tensor hashes as the same Python integers would, only faster.

    Raises:
        TypeError: a key that is no str, bytes or int; floats and booleans are refused.
        ValueError: an empty str or bytes.
    """
    if isinstance(keys, Tensor):
        keys = keys.cpu().numpy()
    if isinstance(keys, np.ndarray):
        if keys.dtype.kind not in "iu":
            raise TypeError(f"keys of dtype {keys.dtype}: an array of keys must hold integers")
        return hash_integers(keys.ravel(), seed)
    if isinstance(keys, str | bytes):
        raise TypeError(f"keys = {keys!r}: must be a list of keys; write [{keys!r}]")
    keys = keys if isinstance(keys, Sequence) else list(keys)
    # an integer beyond 64 bits is hashed below, by its digits
    if (
        keys
        and all(type(key) is int for key in keys)
        and -(2**63) <= min(keys) <= max(keys) < 2**63
    ):
        return hash_integers(np.array(keys, dtype=np.int64), seed)
    salt = int(seed).to_bytes(8, "little")
    digests = b"".join([digest(key, salt) for key in keys])
    hashes = np.frombuffer(digests, dtype="<u8").astype(np.uint64)
    small = [i for i, key in enumerate(keys) if _is_int(key) and -(2**63) <= key < 2**63]
    if small:
        hashes[small] = hash_integers(np.array([int(keys[i]) for i in small], np.int64), seed)
    return hashes


def hash_integers(keys: np.ndarray, seed: int = 0) -> np.ndarray:
    """Hashes uint64 [N] of integers [N]; distinct integers never share one.

    Raises:
        ValueError: an unsigned value of 2**63 or more, which an int64 cannot tell from a
            negative one.
    """
    if keys.dtype.kind == "u" and keys.size and int(keys.max()) >= 2**63:
        raise ValueError(f"key {int(keys.max())}: an integer in an array must be below 2**63")
    start = mix(np.array([seed], np.uint64) * STREAM_STEP + INT_TAG)
    return mix(mix(keys.astype(np.int64).view(np.uint64) ^ INT_TAG) ^ start)


def integers_of(hashes: np.ndarray, seed: int = 0) -> np.ndarray:
    """The integers int64 [N] that have the hashes uint64 [N]: the inverse of
    :func:`hash_integers`."""
    start = mix(np.array([seed], np.uint64) * STREAM_STEP + INT_TAG)
    return (_unmix(_unmix(hashes) ^ start) ^ INT_TAG).view(np.int64)


def _unmix(words: np.ndarray) -> np.ndarray:
    """The inverse of :func:`mix`. A shift of at least 22 bits is undone by two."""
    for place, factor in zip(PLACES[::-1], (*FACTORS[::-1], 1), strict=True):
        words = words ^ (words >> place) ^ (words >> (place + place))
        words = words * np.uint64(pow(factor, -1, 2**64))
    return words


def code_words(hashes: np.ndarray, dim: int, stream: int = KEY_STREAM) -> np.ndarray:
    """Packed codes uint64 [N, ceil(dim / 64)] of hashes [N]; bit j of word w is sign 64 w + j."""
    count = -(-dim // 64)
    steps = (np.arange(1, count + 1, dtype=np.uint64) * STEP) + np.array(
        [stream], np.uint64
    ) * STREAM_STEP
    return mix(hashes.astype(np.uint64, copy=False)[:, None] + steps)


def unpack_bits(words: np.ndarray, dim: int) -> np.ndarray:
    """The first ``dim`` bits of words [N, W] as uint8 [N, dim]; 1 stands for the sign -1."""
    raw = np.ascontiguousarray(words, dtype="<u8").view(np.uint8)
    return np.unpackbits(raw, axis=1, count=dim, bitorder="little")


def pack_bits(bits: np.ndarray) -> np.ndarray:
    """Words uint64 [N, ceil(dim / 64)] of bits [N, dim]; the inverse of :func:`unpack_bits`."""
    packed = np.packbits(bits.astype(bool), axis=1, bitorder="little")
    short = -packed.shape[1] % 8
    return np.pad(packed, ((0, 0), (0, short))).view("<u8").astype(np.uint64)


def signs(words: np.ndarray, dim: int) -> Tensor:
    """Codes int8 [N, dim] of +-1 from words [N, W]."""
    return torch.from_numpy(1 - 2 * unpack_bits(words, dim).view(np.int8))


def sign_codes(hashes: np.ndarray, dim: int, stream: int = KEY_STREAM) -> Tensor:
    """Codes int8 [N, dim] of +-1 from hashes uint64 [N]; ``stream`` tells roles apart."""
    return signs(code_words(hashes, dim, stream), dim)


def bank_of(hashes: np.ndarray, banks: int) -> np.ndarray:
    """Bank int64 [N] in 0..banks-1 of each hash, by the high half of a remix."""
    high = mix(hashes ^ BANK_TAG) >> np.uint64(32)
    return ((high * np.uint64(banks)) >> np.uint64(32)).astype(np.int64)


def amplitude_of(hashes: np.ndarray, layers: int) -> np.ndarray:
    """Amplitude int64 [N] of each hash, one of RATIO**0 .. RATIO**(layers - 1).

    Facts of high amplitude are decoded first (power allocation of sparse superposition codes:
    Barbier & Krzakala, arXiv 1503.08040). As the hash decides the layer, a tape does not depend on
    the order of writing, and no layer need be stored.
    """
    if layers == 1:
        return np.ones(len(hashes), np.int64)
    layer = (mix(hashes ^ LAYER_TAG) >> np.uint64(32)) * np.uint64(layers) >> np.uint64(32)
    return RATIO ** layer.astype(np.int64)


def position_hashes(hashes: np.ndarray, position: np.ndarray | int) -> np.ndarray:
    """Hashes [N] of the ``position``-th item of each key; position 0 is the key itself."""
    offset = np.atleast_1d(position).astype(np.uint64)  # a lone uint64 warns when it wraps
    moved = mix(hashes + offset * STEP) ^ mix(offset * STREAM_STEP)
    return np.where(offset == 0, hashes, moved)


def _is_int(key: object) -> bool:
    return isinstance(key, int | np.integer) and not isinstance(key, bool)


def digest(key: object, salt: bytes) -> bytes:
    """The 8 bytes of a key's hash; raises TypeError or ValueError for what cannot be a key."""
    if isinstance(key, str):
        kind, raw = b"str", key.encode("utf-8", "surrogatepass")
    elif isinstance(key, bytes):
        kind, raw = b"bytes", key
    elif _is_int(key):
        kind, raw = b"int", str(int(key)).encode()  # type: ignore[call-overload]
    else:
        raise TypeError(f"key {key!r}: must be a str, bytes or int, not {type(key).__name__}")
    if not raw:
        raise ValueError(f"key {key!r}: must not be empty")
    return hashlib.blake2b(raw, digest_size=8, key=salt, person=kind).digest()
