"""Floating-point operations of one token, from the shapes alone.

A matrix product of m x k with k x n is 2 m k n. Forward, per token: every linear layer once (of a
routed kind, the share of tokens that it is meant to get), and what mixes tokens over time:

    bus            D C                                        C tokens per chunk
    content heads  Hc (2 m C S + (2 m - 1) C M + S^2 + S^2 M / C + (3 or 4) S M)
    position heads Hp (2 S - 1) M                             m memory layers up to this one
    symbolic       4 U * P U + Ud ((2 K + 1) Sd^2 + scan(1, Sd)) + Ur scan(Sr, Sr)
                   once for the whole model; Ud dials of Sd positions and reach K, Ur registers;
                   the answers of its own, where it has any, count with the head
                   scan(R, S) = R S^2 in calls of up to 64 tokens, else S^3 + 2 R S^2
    transformer    2 T D                                      the mask is not deducted
    ssm            C N + C I + 2 N I                          I inner width, N state size
    gdn            H (2 C K + C V + K^2 + 3 K V + K^2 V / C)  K, V sizes of key and value

Backward costs twice as much. What is recomputed is not counted, nor are triangular solves and
elementwise work: MFU is therefore a lower bound on how busy the device is. The peaks that it is a
share of are in :mod:`prism.engine.cost.cards`.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from prism.baselines.gated_deltanet import GatedDeltaMixer
from prism.baselines.mamba2 import Mamba2Mixer
from prism.baselines.transformer import Attention
from prism.config import PrismConfig, SymbolicConfig
from prism.model.block import Block
from prism.model.protocol import LanguageModel
from prism.ops.matrix_scan import LOOPED

# of the experts, filters and recurrences see every token
GATED = ("neural.write", "memory.write")


@dataclass(frozen=True)
class Flops:
    """Forward FLOPs per token: ``matrices`` of the blocks, ``mixing`` over time, the ``head``."""

    matrices: float
    mixing: float
    head: float

    @property
    def training(self) -> float:
        """Forward and backward."""
        return 3 * (self.matrices + self.mixing + self.head)


def count(model: LanguageModel, length: int) -> Flops:
    """FLOPs per token of ``model`` (on any device, also meta) on rows of ``length`` tokens."""
    matrices = mixing = 0.0
    depth, head = 0, 2.0 * model.head.weight.numel()
    machine = getattr(model, "machine", None)
    if machine is not None:
        matrices += sum(2 * m.weight.numel() for m in machine.modules() if isinstance(m, nn.Linear))
        mixing += 2 * _machine(model.config.symbolic, length)
        if machine.lift is not None:  # every machine answers in codes of the tokens
            head += sum(2 * machine.codes(name).numel() for name in machine.names)
    for block in model.blocks:
        depth += hasattr(block, "memory")
        for name, module in block.named_modules():
            if isinstance(module, nn.Linear):
                matrices += 2 * module.weight.numel() * _share(block, name)
        mixing += 2 * _mixing(block, model.config, length, depth)
    return Flops(matrices, mixing, head)


def _share(block: nn.Module, name: str) -> float:
    """Share of the tokens that the linear layer ``name`` of ``block`` is meant to see."""
    if not (isinstance(block, Block) and name.startswith(GATED)):
        return 1.0
    return float(block.router.target[block.kinds.index(name.split(".")[0])])


def _mixing(block: nn.Module, config: PrismConfig, length: int, depth: int) -> float:
    """Multiplications per token over time in one block, the ``depth``-th with a memory."""
    chunk = min(config.chunk_size, length)
    if isinstance(block, Block):
        return _prism(block, config, chunk, depth)
    mixer = block.mixer
    if isinstance(mixer, Attention):
        return 2 * length * config.d_model
    if isinstance(mixer, Mamba2Mixer):
        inner, size, _ = mixer.conv_widths
        return chunk * (size + inner) + 2 * size * inner
    if isinstance(mixer, GatedDeltaMixer):
        k, v = mixer.key_dim, mixer.value_dim
        heads = mixer.conv_widths[0] // k
        return heads * (2 * chunk * k + chunk * v + k * k + 3 * k * v + k * k * v / chunk)
    raise TypeError(f"{type(mixer).__name__}: its cost over time is not known")


def _prism(block: Block, config: PrismConfig, chunk: int, depth: int) -> float:
    total = float(config.d_model * chunk)
    if "memory" in block.kinds:
        tape = config.tape
        s, m = tape.num_slots, tape.d_mem
        layers = depth if tape.scope == "shared" else 1
        content = 2 * layers * chunk * s + (2 * layers - 1) * chunk * m
        content += s * s + s * s * m / chunk + (4 if layers > 1 else 3) * s * m
        total += tape.content_heads * content + tape.position_heads * (2 * s - 1) * m
    return total


def _machine(config: SymbolicConfig, length: int) -> float:
    total = float(4 * config.units * len(config.primitives) * config.units)
    positions, size = config.dial_positions, config.reflection_size
    moves = (2 * config.dial_reach + 1) * positions**2
    total += config.dials * (moves + _matrix_scan(1, positions, length))
    return total + config.reflections * _matrix_scan(size, size, length)


def _matrix_scan(rows: int, size: int, length: int) -> int:
    """Multiplications per token and unit of :func:`prism.ops.matrix_scan.matrix_scan`."""
    chunked = length > LOOPED
    return size**3 + 2 * rows * size**2 if chunked else rows * size**2
