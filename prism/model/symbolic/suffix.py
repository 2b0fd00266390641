"""Suffix lookup: what followed the last time that the last n tokens stood here.

    c_n(t)  = x(t-n+1) .. x(t)                                 the context of length n at t
    write   slot[h(c_n(t-1))] = (key(document, c_n(t-1)), x(t))
    read    y_n(t) = the token at slot[h(c_n(t))] if its key is that of c_n(t), else none
    s(t)    = sum_n  g_n * e(y_n(t))                           e: normalised embedding, e(none) = 0

An n-gram head (arXiv 2401.12973) as a hash table: there are S slots for each n, and a slot keeps
its last entry, so the state does not grow with what was read. Long contexts are seldom found and
mostly right, short ones the other way round; g_n is a learned gain by channel, and the network
learns from the sum how far to trust it.

Every write is causal, as the token that followed is x(t) itself. All tokens of a call are one sort:
in the order of (slot, t) what a token reads stands right before it; what calls before have written
is gathered from the table. Contexts at a document's start count the places before it as tokens that
are ``NONE``. A key has 31 bits beside the slot, so two contexts of a slot are taken for one another
once in two thousand million times. Of all this only the gain and the embedding have a gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from prism.model.state import Leaf, State
from prism.ops.documents import RowEnds, last_real, last_window

FIRST_GAIN = 0.5
NONE = -1
FACTOR = 6364136223846793005  # odd: Knuth's MMIX generator. Products wrap in 64 bits
MIXER = -7046029254386353131  # odd: 2^64 over the golden ratio
BITS = 0x7FFFFFFF


@dataclass
class SuffixState(State):
    """Tables of what was written so far.

    Attributes:
        key: ``[B, K, S]`` int32 of each slot's entry.
        token: ``[B, K, S]`` int32 that followed; ``NONE`` = an empty slot.
        recent: ``[B, W]`` the last tokens of the present document, ``NONE`` before its start;
            W is the largest n.
        document: ``[B]`` documents begun so far.
    """

    key: Tensor
    token: Tensor
    recent: Tensor
    document: Tensor


def empty_table(
    batch: int, lengths: tuple[int, ...], slots: int, device: torch.device
) -> SuffixState:
    """A table in which nothing was written, for ``batch`` rows."""
    shape = (batch, len(lengths), slots)
    return SuffixState(
        torch.zeros(shape, dtype=torch.int32, device=device),
        torch.full(shape, NONE, dtype=torch.int32, device=device),
        torch.full((batch, max(lengths)), NONE, dtype=torch.int64, device=device),
        torch.zeros(batch, dtype=torch.int64, device=device),
    )


def suffix_lookup(
    tokens: Tensor,
    table: SuffixState,
    lengths: tuple[int, ...],
    doc_index: Tensor | None = None,
    ends: RowEnds | None = None,
) -> tuple[Tensor, SuffixState]:
    """Read and write for every token of a call.

    Args:
        tokens: ``[B, T]`` ids.
        table: of the call before.
        lengths: n of each of the K tables.
        doc_index: ``[B, T]`` document index of each token; None = the carried document goes on.
        ends: where the real tokens of each row end; None = at T.

    Returns:
        ``[B, T, K]`` ids that followed, ``NONE`` where nothing matched; and the table after the
        last real token.
    """
    length, width = tokens.shape[1], max(lengths)
    tokens = tokens.long()
    line = torch.cat([table.recent, tokens], dim=1)  # [B, W + T]
    if length == 1 and doc_index is None:  # a step of decoding: all is of one document
        slot, key = _mixed(_values(line, lengths), table.document[:, None, None], table)
        found, keys, following = _one(slot, key, tokens, table, ends)
        return found, SuffixState(keys, following, last_window(line, 1, ends), table.document)
    of = torch.zeros_like(tokens) if doc_index is None else doc_index
    of = torch.cat([torch.zeros_like(table.recent), of], dim=1)
    slot, key = _hashed(line, of, table, lengths)
    if length == 1:
        found, keys, following = _one(slot, key, tokens, table, ends)
    else:
        found = _read(slot, key, tokens, table)
        keys, following = _written(slot, key, tokens, table, ends)
    recent, its = last_window(line, length, ends), last_window(of, length, ends)
    recent = torch.where(its == its[:, -1:], recent, NONE)
    document = table.document + last_real(of[:, width:], torch.zeros_like(table.document), ends)
    return found, SuffixState(keys, following, recent, document)


def _hashed(
    line: Tensor, of: Tensor, table: SuffixState, lengths: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Slots and keys ``[B, K, T + 1]`` of the contexts that end before each token of the call, and
    behind its last. ``line``, ``of``: ``[B, W + T]`` tokens and their documents."""
    width = table.recent.shape[1]
    count = line.shape[1] - width + 1
    here = of[:, width - 1 :]
    value, factor, values = torch.zeros_like(here), 1, {}
    for n in range(1, max(lengths) + 1):
        places = slice(width - n, width - n + count)
        token = line[:, places]
        if n > 1:
            token = torch.where(of[:, places] == here, token, NONE)
        value = value + (token + 1) * factor
        factor = (factor * FACTOR + 2**63) % 2**64 - 2**63
        if n in lengths:
            values[n] = value
    mixed = torch.stack([values[n] for n in lengths], dim=1)
    return _mixed(mixed, (table.document[:, None] + here)[:, None], table)


def _values(line: Tensor, lengths: tuple[int, ...]) -> Tensor:
    """Sums ``[B, K, 2]`` of both contexts of ``line [B, W + 1]``, all of one document."""
    width, powers = line.shape[1] - 1, [1]
    for _ in range(1, width):
        powers.append((powers[-1] * FACTOR + 2**63) % 2**64 - 2**63)
    # latest token first, before the new one and behind it
    each = (line + 1).unfold(1, width, 1).flip(-1) * torch.tensor(powers, device=line.device)
    return each.cumsum(dim=-1)[..., [n - 1 for n in lengths]].mT


def _mixed(mixed: Tensor, document: Tensor, table: SuffixState) -> tuple[Tensor, Tensor]:
    """Slots and keys of the sums ``[B, K, .]`` of contexts of the ``document [B, 1, .]``."""
    mixed = (mixed ^ (mixed >> 31)) * MIXER
    mixed = (mixed ^ (mixed >> 29)) * FACTOR
    # the slot does not depend on the document: a packed row forgets what its documents forget alone
    key = ((mixed + document * MIXER) >> 1) & BITS
    return ((mixed >> 32) & BITS) % table.key.shape[2], key


def _read(slot: Tensor, key: Tensor, tokens: Tensor, table: SuffixState) -> Tensor:
    """``[B, T, K]`` what contexts 1 .. T find."""
    places = slot.shape[2]
    # contexts by slot, then by time
    order = (slot * places + torch.arange(places, device=slot.device)).sort(dim=2).values
    sorted_slot, time = order // places, order % places
    same = sorted_slot[..., 1:] == sorted_slot[..., :-1]
    before = torch.where(same, time[..., :-1], NONE)
    before = torch.full_like(time, NONE).scatter(2, time[..., 1:], before)[..., 1:]
    entry, key_now = before.clamp(min=0), key[..., 1:]
    followed = tokens[:, None].expand(-1, key.shape[1], -1).gather(2, entry)
    in_call = torch.where(key.gather(2, entry) == key_now, followed, NONE)
    at = slot[..., 1:]
    earlier = torch.where(table.key.gather(2, at) == key_now, table.token.gather(2, at), NONE)
    return torch.where(before >= 0, in_call, earlier.long()).mT


def _written(
    slot: Tensor, key: Tensor, tokens: Tensor, table: SuffixState, ends: RowEnds | None
) -> tuple[Tensor, Tensor]:
    """Keys and tokens of all slots after the call: of the writes to a slot the last stays."""
    at = slot[..., :-1]
    time = torch.arange(tokens.shape[1], device=slot.device)
    if ends is not None:
        time = torch.where(time < ends.count[:, None], time, NONE)[:, None]
    last = torch.full_like(table.key, NONE, dtype=torch.int64)
    last = last.scatter_reduce(2, at, time.expand_as(at), "amax").gather(2, at)
    entry = last.clamp(min=0)
    keys = key.gather(2, entry).int()
    following = tokens[:, None].expand_as(at).gather(2, entry).int()
    if ends is not None:  # a slot that padding alone would write to
        keys = torch.where(last >= 0, keys, table.key.gather(2, at))
        following = torch.where(last >= 0, following, table.token.gather(2, at))
    # all writes to a slot are now the same one, so their order does not matter
    return table.key.scatter(2, at, keys), table.token.scatter(2, at, following)


def _one(
    slot: Tensor, key: Tensor, tokens: Tensor, table: SuffixState, ends: RowEnds | None
) -> tuple[Tensor, Tensor, Tensor]:
    """The same for a single token: write, then read; padding writes nothing."""
    at, now = slot[..., :1], slot[..., 1:]
    keys = table.key.scatter(2, at, key[..., :1].int())
    following = table.token.scatter(2, at, tokens[:, None].expand_as(at).int())
    found = torch.where(keys.gather(2, now) == key[..., 1:], following.gather(2, now), NONE)
    if ends is not None:
        real = (ends.count > 0)[:, None, None]
        keys = torch.where(real, keys, table.key)
        following = torch.where(real, following, table.token)
    return found.long().mT, keys, following


def suffix_lookup_loop(
    tokens: Tensor, table: SuffixState, lengths: tuple[int, ...], doc_index: Tensor | None = None
) -> tuple[Tensor, SuffixState]:
    """The plain reference of :func:`suffix_lookup`: one token at a time, without padding."""
    found, before = [], torch.zeros_like(tokens[:, :1])
    for t in range(tokens.shape[1]):
        of = None
        if doc_index is not None:
            of, before = doc_index[:, t : t + 1] - before, doc_index[:, t : t + 1]
        each, table = suffix_lookup(tokens[:, t : t + 1], table, lengths, of)
        found.append(each)
    return torch.cat(found, dim=1), table


class SuffixLookup(nn.Module):
    """Args: ``dim`` D; ``lengths`` n of the K tables; ``slots`` S of each."""

    def __init__(self, dim: int, lengths: tuple[int, ...], slots: int) -> None:
        super().__init__()
        self.lengths, self.slots = lengths, slots
        self.gain = nn.Parameter(torch.full((len(lengths), dim), FIRST_GAIN))

    @property
    def like(self) -> SuffixState:
        """Shapes of the state."""
        table = Leaf((len(self.lengths), self.slots), "index")
        return SuffixState(table, table, Leaf((max(self.lengths),), "index"), Leaf((), "index"))

    def forward(
        self,
        tokens: Tensor,
        embed: Callable[[Tensor], Tensor],
        state: SuffixState | None,
        doc_index: Tensor | None,
        ends: RowEnds | None = None,
        every: Tensor | None = None,
    ) -> tuple[Tensor, SuffixState]:
        """Output ``[B, T, D]`` on ``tokens [B, T]``, and the state after the last real token.

        Args:
            embed: normalised embeddings ``[.., D]`` of ids.
            every: ``[V]`` all ids, in a call that has more tokens; None = it has not.
        """
        if state is None:
            state = empty_table(len(tokens), self.lengths, self.slots, tokens.device)
        found, after = suffix_lookup(tokens, state, self.lengths, doc_index, ends)
        if every is not None:
            return self._of_table(found, embed(every)), after
        followed = embed(found.clamp(min=0)) * (found >= 0)[..., None]
        return (followed * self.gain.to(followed.dtype)).sum(dim=-2), after

    def _of_table(self, found: Tensor, table: Tensor) -> Tensor:
        """The sum for ``found [B, T, K]``, read from rows ``g_n * e`` of all ids ``[V, D]``."""
        count, (vocab, dim) = len(self.lengths), table.shape
        rows = (self.gain.to(table.dtype)[:, None] * table).flatten(0, 1)
        rows = torch.cat([rows, rows.new_zeros(1, dim)])  # the last: none
        place = found + torch.arange(count, device=found.device) * vocab
        place = torch.where(found >= 0, place, count * vocab).flatten(0, 1)
        return functional.embedding_bag(place, rows, mode="sum").view(*found.shape[:2], dim)
