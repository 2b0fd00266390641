"""Facts from outside the weights: the model learns when to ask, a tape knows the answers.

    part(t)  = argmax W_part x(t)          is this token part of a subject, of a relation, of none?
    ask(t)   = w_ask x(t) > 0              should a fact say the next token?
    key(t)   = hash( last subject run, last relation run )          exact, in integers
    n(t)     = asks in a row before this one                        which token of the answer
    token, d = tape(key(t), n(t))                                   d: doubt, 1 = refused
    p(t+1)   = (1 - g) p_lm + g [token],   g = 1 - d  where asked and not refused, else 0

The model holds 4 D + 4 numbers for this and no fact: what it learns is to find the parts of a
question, so facts that it never saw work as well as any. Names are compared by hash and not by
feature: features of neighbours agree more than paraphrases do, and then an accumulator answers with
the neighbour's fact. Where the gate is closed the logits are those of the model without a tape, bit
for bit. The gated mixture is the pointer network's (arXiv 1704.04368) with a hard gate.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from prism.model.norm import promote
from prism.model.state import Leaf, State
from prism.ops.documents import RowEnds, last_real, previous_index
from prism.ops.rolling import affine_scan, fact_keys, run_hashes

NO_PART, SUBJECT, RELATION = range(3)
LEAST_DOUBT = 1e-6  # the tape may be wrong: no token ever gets probability 0


class FactRead(NamedTuple):
    """Answers to N questions: ``tokens`` int64 [N], and ``doubt`` [N] in [0, 1], the
    chance that noise alone reads as well; 1 = refused."""

    tokens: Tensor
    doubt: Tensor


class FactReader(Protocol):
    """Facts in token ids, as the model reads them."""

    def read_tokens(self, keys: Tensor, position: Tensor) -> FactRead:
        """Token number ``position`` int64 [N] of the answers under ``keys`` int64 [N]."""


@dataclass
class HoloState(State):
    """Trigger state between calls: ``hashes [B, 2]`` of the last subject and relation, ``part
    [B]`` of the last token, ``query_run [B]`` how many tokens in a row asked, up to the last."""

    hashes: Tensor
    part: Tensor
    query_run: Tensor


@dataclass
class FactQueries:
    """Fact queries of every token.

    Attributes:
        part_logits: ``[B, T, 3]`` over no part, subject, relation.
        query_logit: ``[B, T]``.
        keys: ``[B, T]`` int64, the key of the last subject and relation.
        query_mask: ``[B, T]`` bool, a fact is asked for.
        position: ``[B, T]`` which token of the answer is asked for.
        fired: ``[B, T]`` bool, the next token comes from the tape.
    """

    part_logits: Tensor
    query_logit: Tensor
    keys: Tensor
    query_mask: Tensor
    position: Tensor
    fired: Tensor


class HoloRead(nn.Module):
    """Args: ``dim`` D."""

    like = HoloState(Leaf((2,), "index"), Leaf((), "index"), Leaf((), "index"))

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.roles = nn.Linear(dim, 4)
        nn.init.normal_(self.roles.weight, std=0.1 * dim**-0.5)
        nn.init.zeros_(self.roles.bias)

    def forward(
        self,
        x: Tensor,
        tokens: Tensor,
        doc_index: Tensor | None,
        valid: Tensor | None,
        state: HoloState | None,
        ends: RowEnds | None = None,
    ) -> tuple[FactQueries, HoloState]:
        """Queries of ``tokens [B, T]`` with normalised features ``x [B, T, D]``."""
        scores = promote(self.roles(x.to(self.roles.weight.dtype)))
        part, asks = scores[..., :3].argmax(dim=-1), scores[..., 3] > 0
        if valid is not None:
            part, asks = part * valid, asks & valid
        if state is None:
            zero = torch.zeros_like(tokens[:, 0])
            state = HoloState(torch.stack([zero, zero], dim=1), zero, zero)
        before = torch.cat([state.part[:, None], part[:, :-1]], dim=1)
        fresh = torch.zeros_like(tokens, dtype=torch.bool)  # the token opens a document
        if doc_index is not None:
            fresh = doc_index != previous_index(doc_index)
        hashes = []
        for i, kind in enumerate((SUBJECT, RELATION)):
            plays = part == kind
            begins = plays & (fresh | (before != kind))
            hashes.append(run_hashes(tokens, plays, begins, fresh, state.hashes[:, i]))
        count = asks.long()
        query_run = affine_scan(count * ~fresh, count, state.query_run)
        queries = FactQueries(
            scores[..., :3],
            scores[..., 3],
            fact_keys(*hashes),
            asks,
            (query_run - 1).clamp(min=0),
            torch.zeros_like(asks),
        )
        last = [last_real(h, state.hashes[:, i], ends) for i, h in enumerate(hashes)]
        run = last_real(query_run, state.query_run, ends)
        return queries, HoloState(torch.stack(last, dim=1), last_real(part, state.part, ends), run)


def fact_reader(facts: FactReader | None, tape: FactReader | None) -> FactReader | None:
    """The facts of a call, given as ``facts`` or under the deprecated name ``tape``.

    Raises:
        ValueError: both are given.
        TypeError: an object without ``read_tokens``.
    """
    if tape is not None:
        if facts is not None:
            raise ValueError("facts and tape: must not both be given; tape is the old name")
        warnings.warn("tape= is called facts=", DeprecationWarning, stacklevel=5)
        facts = tape
    if facts is not None and not hasattr(facts, "read_tokens"):
        how = "must read token ids, as prism.facts_for(tape, tokenizer, vocab_size) does"
        raise TypeError(f"facts = {type(facts).__name__}: {how}")
    return facts


def inject_facts(logits: Tensor, queries: FactQueries, facts: FactReader) -> Tensor:
    """``logits [B, T, V]`` with the answers mixed in; sets ``queries.fired``.

    Raises:
        ValueError: the facts answer with a token that the model does not have.
    """
    asks = queries.query_mask.nonzero(as_tuple=True)
    if len(asks[0]) == 0:
        return logits
    tokens, doubt = facts.read_tokens(queries.keys[asks], queries.position[asks])
    sure = doubt < 1
    if not bool(sure.any()):
        return logits
    row, time = (index[sure] for index in asks)
    tokens, doubt = tokens[sure], doubt[sure]
    if int(tokens.max()) >= logits.shape[-1]:
        limit = f"must be below the model's vocab_size = {logits.shape[-1]}"
        raise ValueError(f"facts: answer with token {int(tokens.max())}: {limit}")
    queries.fired = queries.fired.index_put((row, time), torch.ones_like(sure[sure]))
    mixed = mix_facts(logits[row, time], tokens, doubt)
    return logits.index_put((row, time), mixed)


def mix_facts(logits: Tensor, tokens: Tensor, doubt: Tensor) -> Tensor:
    """Mixture of the model's distribution with one fact a row, as logits up to a constant.

        log( d p + (1 - d) [token] ),   d = max(doubt, LEAST_DOUBT)

    Args:
        logits: ``[N, V]`` of the model, in any floating type; half types are mixed in fp32.
        tokens: ``[N]`` int64, what the facts say.
        doubt: ``[N]`` in [0, 1].
    """
    wide = promote(logits)
    doubt = doubt.clamp(min=LEAST_DOUBT).to(wide)[:, None]
    share = wide.log_softmax(dim=-1) + doubt.log()
    chosen = torch.logaddexp(share.gather(1, tokens[:, None]), torch.log1p(-doubt))
    return share.scatter(1, tokens[:, None], chosen).to(logits.dtype)
