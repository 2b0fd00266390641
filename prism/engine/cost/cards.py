"""GPUs: peak rates by the dtype of the matrix products, and memory.

    TFLOP/s      fp32   tf32   bf16   fp64      GiB
    A100         19.5    156    312   19.5       80
    H100 SXM       67  494.5    989     67       80
    H100 PCIe      51    378    756     51       80
    H100 NVL       60  417.5    835     60       94
    H200         like H100 SXM                  141 (10^9 bytes each)

Dense products, from the makers' data sheets (which print the sparse rates of the H100, twice as
high). A float32 product runs at the fp32 rate unless TF32 is allowed (``--dtype tf32``): it rounds
the factors to 10 bits of mantissa and is 7 to 8 times as fast.
"""

from __future__ import annotations

import torch

from prism.engine.settings import GPUS

RATES = ("fp32", "tf32", "bf16", "fp64")
_TERA = {  # the longer names first, they are looked for in the device's name
    "h100 pcie": (51, 378, 756, 51),
    "h100 nvl": (60, 417.5, 835, 60),
    "h200 nvl": (60, 417.5, 835, 60),
    "a100": (19.5, 156, 312, 19.5),
    "h100": (67, 494.5, 989, 67),
    "h200": (67, 494.5, 989, 67),
}
PEAKS = {
    card: {dtype: 1e12 * x for dtype, x in zip(RATES, rates, strict=True)}
    for card, rates in _TERA.items()
}
MEMORY = {"a100": 80 * 2**30, "h100": 80 * 2**30, "h200": 141e9}  # bytes; an A100 may have half
USABLE = 0.9  # of it: the rest is the driver's, and what the allocator cannot use

assert set(GPUS) <= set(PEAKS) and set(GPUS) <= set(MEMORY)


def peak_of(name: str, dtype: str) -> float | None:
    """Peak FLOP/s of the card that a device's name mentions, for the dtype of the products; None =
    not known."""
    spoken = name.lower().replace("-", " ")
    return next((rates[dtype] for card, rates in PEAKS.items() if card in spoken), None)


def device_peak(device: torch.device, dtype: str) -> float | None:
    """Peak FLOP/s of a known GPU for the dtype of its products, else None."""
    if device.type != "cuda":
        return None
    return peak_of(torch.cuda.get_device_name(device), dtype)
