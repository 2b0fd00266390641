"""The PRISM language model: embedding, L blocks over one shared tape, tied head.

    x = rmsnorm(E[tokens]);   x = block_l(x, tape)  for l < L;   logits = tau rmsnorm(x) E^T
    tau = min(D^(-1/2), 8 / D) / sigma,   sigma = standard deviation of E at the start

The constant tau gives the logits unit variance at the start whatever sigma is, and less where D is
large: the embedding may be as large as the symbolic expert needs it, and still be the head.
Everything before a position and nothing after it reaches its logits; a row sees nothing of other
rows; a document nothing of its neighbours in the row. The state goes in and comes out explicitly.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from prism.config import PrismConfig
from prism.model.block import Block, BlockState, Pass
from prism.model.checkpoint import load_into
from prism.model.holo_read import FactReader, HoloRead, HoloState, fact_reader, inject_facts
from prism.model.norm import RMSNorm, promote
from prism.model.protocol import LanguageModel, LayerRouting, PrismOutput, own_state
from prism.model.router import Decision, mean_of_real
from prism.model.scale import EMBEDDING_STD, logit_scale
from prism.model.state import Leaf, State, map_state
from prism.model.symbolic import SymbolicMachine, SymbolicRun, SymbolicState, mixed_answer
from prism.ops.documents import Rows
from prism.ops.seeded import seeded


@dataclass
class PrismState(State):
    """States of all blocks; ``symbolic``, that of the symbolic machine, None without; ``segment
    [B]``, the segment id of the last real token, negative where
    there was none (None as long as no call had ``segment_ids``); ``holo``, the state of the fact
    query, with ``holo_mode``.

    Explicit tensors that continue a sequence exactly, padding or not. Their size does not depend
    on the number of tokens read. Every entry has a batch axis first, so states can be chosen,
    repeated, moved and saved like data: :class:`prism.model.state.State`.
    """

    blocks: tuple[BlockState, ...]
    symbolic: SymbolicState | None
    segment: Tensor | None
    holo: HoloState | None = None


class Prism(LanguageModel):
    """A PRISM model with weights drawn from ``config.seed``.

    Args:
        config: the whole description of the model.
    """

    kind = "prism"

    def __init__(self, config: PrismConfig) -> None:
        super().__init__()
        self.config = config
        with seeded(config.seed):
            self.temper = logit_scale(config.d_model)
            self.embedding = nn.Embedding(config.vocab_size, config.d_model)
            nn.init.normal_(self.embedding.weight, std=EMBEDDING_STD)
            self.first_norm = RMSNorm(config.d_model)
            self.machine = None
            if "symbolic" in config.expert_kinds:
                self.machine = SymbolicMachine(config.vocab_size, config.d_model, config.symbolic)
            self.blocks = nn.ModuleList(Block(config, i) for i in range(config.num_layers))
            self.last_norm = RMSNorm(config.d_model)
            self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
            if config.tie_embeddings:
                self.head.weight = self.embedding.weight
            else:
                nn.init.normal_(self.head.weight, std=EMBEDDING_STD)
            # drawn last: the other weights do not depend on holo_mode
            self.holo = HoloRead(config.d_model) if config.holo_mode else None
        self.to(torch.get_default_dtype())
        holo = None if self.holo is None else self.holo.like
        blocks = tuple(cast(Block, block).like for block in self.blocks)
        machine = None if self.machine is None else self.machine.like
        self.like = PrismState(blocks, machine, Leaf((), "index", optional=True), holo)

    def remade(self) -> Prism:
        return Prism(self.config)

    def forward(
        self,
        tokens: Tensor,
        state: PrismState | None = None,
        segment_ids: Tensor | None = None,
        routing: bool = False,
        facts: FactReader | None = None,
        tape: FactReader | None = None,
    ) -> PrismOutput:
        """Read ``tokens [B, T]``; see :class:`LanguageModel`.

        Args:
            routing: also return what every block decided per token.
            facts: what a model with ``holo_mode`` reads; :func:`prism.facts_for` makes it of a
                tape.
            tape: deprecated name of ``facts``.

        Raises:
            ValueError: facts for a model without ``holo_mode``, or both names given.
            TypeError: facts that cannot be read in token ids.
        """
        facts = fact_reader(facts, tape)
        if facts is not None and self.holo is None:
            raise ValueError("facts: this model reads none; PrismConfig.holo_mode must be True")
        rows = self.begin(tokens, state, segment_ids)
        x = self.embed_normalised(rows.tokens)
        shared = self._pass(x, rows, state)
        if self.config.dropout and self.training:
            x = nn.functional.dropout(x, self.config.dropout)
        x, states, decisions, details = self._through_blocks(x, state, shared, routing)
        penalty = self.config.penalty_weight * sum(d.penalty for d in decisions) / len(self.blocks)
        last = self.last_norm(x)
        hidden = (rows.restore_real(last) * self.temper).to(self.head.weight.dtype)
        logits = self.head(hidden)
        own = None
        if shared.machine is not None and shared.machine.answers is not None:
            logits, own = self._answered(logits, shared.machine, rows)
        machine = None if shared.machine is None else shared.machine.state
        queries = holo = None
        if self.holo is not None:
            before = None if state is None else state.holo
            queries, holo = self.holo(
                last, rows.tokens, rows.doc_index, rows.valid, before, rows.ends
            )
            queries = map_state(queries, rows.restore)
            if facts is not None:
                logits = inject_facts(logits, queries, facts)
        return PrismOutput(
            logits,
            own_state(PrismState(states, machine, rows.segment, holo)),
            mean_of_real(penalty, rows.valid),
            map_state(details, rows.restore) if routing else None,
            torch.stack(
                [self._load_row(*both) for both in zip(self.blocks, decisions, strict=True)]
            ),
            queries,
            rows.restore(penalty),
            hidden,
            own if self.training else None,
        )

    def embed_normalised(self, tokens: Tensor) -> Tensor:
        """``rmsnorm(E[tokens])``, ``[.., D]``, at least fp32."""
        return promote(self.first_norm(self.embed(tokens)))

    def _answered(
        self, logits: Tensor, run: SymbolicRun, rows: Rows
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """``logits [B, T, V]`` mixed with what the machines answer, and that of each."""
        own = tuple(rows.restore_real(each) for each in self.machine.logits(run.answers))
        logits = mixed_answer(logits, own)
        if rows.padding is not None:
            logits = logits.masked_fill(rows.padding[..., None], 0.0)
        return logits, own

    def _pass(self, x: Tensor, rows: Rows, state: PrismState | None) -> Pass:
        """Values that all blocks of the call on embeddings ``x [B, T, D]`` share."""
        machine = None
        if self.machine is not None:
            before = None if state is None else state.symbolic
            embed = self.embed_normalised
            machine = self.machine(rows.tokens, x, embed, before, rows.doc_index, rows.ends)
        scan = self.blocks[0].bus.frame(x, rows.doc_index)
        heads = [block.memory for block in self.blocks if "memory" in block.kinds]
        tape = heads[0].frame(x, rows.doc_index, rows.ends) if heads else None
        return Pass(x, machine, rows.doc_index, rows.valid, rows.ends, scan, tape)

    def _through_blocks(
        self, x: Tensor, state: PrismState | None, shared: Pass, routing: bool
    ) -> tuple[Tensor, tuple[BlockState, ...], list[Decision], list[LayerRouting | None]]:
        """The stream ``x [B, T, D]`` behind the last block, and of every block what it carries on,
        its decision, and with ``routing`` the details."""
        states, decisions, details = [], [], []
        before = [None] * len(self.blocks) if state is None else state.blocks
        for block, mine in zip(self.blocks, before, strict=True):
            x, carried, decision, detail, shared = self.run_block(block, x, mine, shared, routing)
            states.append(carried)
            decisions.append(decision)
            details.append(detail)
        return x, tuple(states), decisions, details

    def _load_row(self, block: Block, decision: Decision) -> Tensor:
        """Loads of one block on the axis of ``config.expert_kinds``; 0 for a kind it lacks."""
        if block.kinds == self.config.expert_kinds:
            return decision.load
        row = decision.load.new_zeros(len(self.config.expert_kinds))
        where = [self.config.expert_kinds.index(kind) for kind in block.kinds]
        row[where] = decision.load
        return row

    def trained_apart(self) -> list[list[nn.Parameter]]:
        if self.machine is None or not self.config.symbolic.answers:
            return super().trained_apart()
        machines = self.machine.trained_apart()
        theirs = {id(p) for part in machines for p in part}
        return [[p for p in self.parameters() if id(p) not in theirs], *machines]

    def set_exploration(self, epsilon: float) -> None:
        super().set_exploration(epsilon)
        for block in self.blocks:
            if block.router is not None:
                block.router.epsilon = float(epsilon)

    def after_step(self, loads: Tensor | None) -> None:
        if loads is None:
            raise ValueError("loads = None: must be the output.loads of the step just taken")
        wanted = (len(self.blocks), len(self.config.expert_kinds))
        if not isinstance(loads, Tensor):
            raise ValueError(f"loads = {loads!r}: must be a tensor of {wanted}, [L, E]")
        if loads.shape != wanted:
            raise ValueError(f"loads of shape {tuple(loads.shape)}: must be {wanted}, [L, E]")
        if not bool((loads.isfinite() & (loads >= 0)).all()):
            raise ValueError(f"loads = {loads.tolist()}: must be finite and at least 0")
        for block, row in zip(self.blocks, loads, strict=True):
            if block.router is None:
                continue
            where = [self.config.expert_kinds.index(kind) for kind in block.kinds]
            block.router.balance(row[where])


def load_saved(directory: str | Path, device: str | torch.device = "cpu") -> Prism:
    """The PRISM model that :meth:`Prism.save` wrote, in evaluation mode.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the files do not belong together, or hold another model; names the field or
            tensor.
    """
    makers = {"prism": lambda config, _: Prism(config)}
    return cast(Prism, load_into(makers, Path(directory), device))
