"""``python -m benchmarks.gpu``: training speed on this GPU, PRISM beside its baselines.

Tokens per second, MFU and peak memory of the trainer's own step, on random tokens, for each model
and row length in turn; MFU is taken of the card's *measured* rate of large bf16 products, and also
of its data sheet where that is known. ``--profile`` prints the slowest kernels of each.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from benchmarks.page.command import parse, parser, provenance, write_json
from prism.data import RowBatch
from prism.engine.cost.cards import device_peak
from prism.engine.cost.flops import count
from prism.engine.cost.memory import per_rank
from prism.engine.loop.optimizer import Optimizers, Roles
from prism.engine.loop.step import accumulate, clip, gradient_norms
from prism.engine.loop.stream_states import StreamStates
from prism.engine.models import carries, make_model, model_config
from prism.engine.parallel.fsdp import parameters_on_meta, sharded
from prism.engine.parallel.world import World, world
from prism.engine.settings import Settings
from prism.model.protocol import LanguageModel
from prism.presets import VOCABULARY

PROGRAM = "benchmarks.gpu"
MODELS = ("prism", "transformer", "gdn")
GIB = 2**30
WARM_UP = 3


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser(PROGRAM, __doc__)
    p.add_argument("--preset", default="350m")
    p.add_argument("--lengths", type=int, nargs="+", default=[2048, 8192], help="tokens per row")
    p.add_argument("--tokens", type=int, default=16_384, help="tokens per step")
    p.add_argument("--steps", type=int, default=10, help="timed steps")
    p.add_argument("--recompute", action="store_true", help="keep the blocks' inputs only")
    p.add_argument("--compile", action="store_true", help="compile every block")
    p.add_argument("--profile", action="store_true", help="print the slowest kernels")
    args, given = parse(p, argv, counts=("steps", "tokens"), check=_check)
    content = {"meta": provenance(PROGRAM, given, args.quick)}
    try:
        content |= measure(args)
    except ValueError as error:
        p.error(str(error))
    write_json(args.out, content)
    print(args.out)
    return 0


def _check(args: argparse.Namespace) -> None:
    if not (torch.cuda.is_available() or args.quick):
        raise ValueError("torch finds no GPU; --quick shows on a CPU that the script works")


def measure(args: Any) -> dict[str, Any]:
    """One row per model and length."""
    rows = []
    rate = 0.0
    for length in [32] if args.quick else args.lengths:
        for name in MODELS:
            s = Settings(
                model=name,
                preset="tiny" if args.quick else args.preset,
                set=("num_layers=2",) if args.quick else (),
                dtype="bf16",
                seq_len=length,
                global_batch_size=max(1, args.tokens // length) if not args.quick else 2,
                micro_batch_size=1 if args.quick else None,
                recompute=args.recompute,
                compile=args.compile,
            )
            with world(s) as w:
                rate = rate or matmul_rate(w.device)
                row = _one(s, w, 2 if args.quick else args.steps, rate, args.profile)
            rows.append(row)
            print(", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}"
                            for k, v in row.items()), flush=True)  # fmt: skip
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return {"matmul_flops_per_second": rate, "device": device, "rows": rows}


def _one(s: Settings, w: World, steps: int, rate: float, detail: bool) -> dict[str, Any]:
    config = model_config(s, 300 if s.preset == "tiny" else VOCABULARY)

    def make() -> LanguageModel:
        return make_model(s.model, config)

    model = sharded(make, s, w, weights=True)
    optimizers = Optimizers(model, Roles.made_by(make), s)
    batch = random_batch(s, config.vocab_size)
    rows = s.global_batch_size
    states = StreamStates(range(rows), s.micro_batch_size or rows, carries(s))

    def step() -> None:
        accumulate(model, batch, states, w)
        clip(model, gradient_norms(model), s.grad_clip)
        optimizers.step()
        optimizers.zero_grad()

    for _ in range(WARM_UP):
        step()
    _wait(w.device, reset=True)
    begin = time.perf_counter()
    for _ in range(steps):
        step()
    _wait(w.device)
    speed = steps * batch.tokens.numel() / (time.perf_counter() - begin)
    if detail:
        _profile(step)
    with parameters_on_meta():
        flops = count(make_model(s.model, config), s.seq_len).training
    peak = device_peak(w.device, s.dtype)
    cuda = w.device.type == "cuda"
    return {
        "model": s.model,
        "parameters": model.num_parameters(),
        "length": s.seq_len,
        "rows": rows,
        "tokens_per_second": speed,
        "mfu_of_measured": speed * flops / rate,
        "mfu_of_data_sheet": speed * flops / peak if peak else None,
        "peak_gib": torch.cuda.max_memory_allocated() / GIB if cuda else None,
        "expected_gib": sum(per_rank(s, config, 1).values()) / GIB,
    }


def random_batch(s: Settings, vocab: int) -> RowBatch:
    """Rows of one document each."""
    g = torch.Generator().manual_seed(0)
    tokens = torch.randint(vocab, (s.global_batch_size, s.seq_len), generator=g)
    targets = tokens.roll(-1, dims=1)
    size = torch.full((len(tokens),), s.seq_len)
    return RowBatch(tokens, targets, torch.zeros_like(tokens), ["random"] * len(tokens), size)


def matmul_rate(device: torch.device, size: int = 8192) -> float:
    """FLOP/s of a large bf16 product, the best of ten."""
    size = size if device.type == "cuda" else 256
    a: Tensor = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    best = float("inf")
    for _ in range(10):
        _wait(device)
        begin = time.perf_counter()
        for _ in range(5):
            a @ a
        _wait(device)
        best = min(best, (time.perf_counter() - begin) / 5)
    return 2 * size**3 / best


def _wait(device: torch.device, reset: bool = False) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
        if reset:
            torch.cuda.reset_peak_memory_stats()


def _profile(step: Any) -> None:
    kinds = [ProfilerActivity.CPU]
    kinds += [ProfilerActivity.CUDA] if torch.cuda.is_available() else []
    with profile(activities=kinds) as profiled:
        step()
    key = "self_cuda_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
    print(profiled.key_averages().table(sort_by=key, row_limit=25, max_name_column_width=70))


if __name__ == "__main__":
    sys.exit(main())
