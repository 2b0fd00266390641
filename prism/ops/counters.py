"""Exact counters and flip-flops over time, parallel in the length.

All carry integers or bits, so their values are exact at any length, and their gradients are the
true gradients of the step-by-step machine, obtained from one pattern: *the sum since the last
event*. With S the running sum and e(t) the last event at or before t,

    running sum modulo m    c(t) = (c(t-1) + n(t)) mod m                 no event: S(t)
    saturating sum          c(t) = clip(c(t-1) + n(t), -m, m)            event: c was cut
    set/reset (hold)        c(t) = n(t) if write(t) else c(t-1)          event: a write

A straight-through value ``hard + (soft - soft.detach())`` has the value ``hard`` to the bit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from prism.ops.decay import doublings, steps_pay
from prism.ops.documents import previous_index


def straight_through(hard: Tensor, soft: Tensor) -> Tensor:
    """The value of ``hard``, the gradient of ``soft``."""
    if not torch.is_grad_enabled():
        return hard
    return hard.detach() + (soft - soft.detach())


def _document_start(doc_index: Tensor | None) -> Tensor | None:
    """``[B, T, 1]`` index of the first token of each token's document in this call; -1 = the
    document was already open before the call (index 0). None = all of them were."""
    if doc_index is None:
        return None
    index = torch.arange(doc_index.shape[1], device=doc_index.device).expand_as(doc_index)
    starts = doc_index != previous_index(doc_index)
    return torch.where(starts, index, -1).cummax(dim=1).values[..., None]


def _sum_from(x: Tensor, start: Tensor) -> Tensor:
    """Sum of ``x [.., T, U]`` over start(t) <= j <= t, with ``start [.., T, U]`` in -1 .. t + 1
    (-1 and 0 both mean from the beginning, t + 1 an empty sum)."""
    total = nn.functional.pad(x.cumsum(dim=-2), (0, 0, 1, 0))
    return total[..., 1:, :] - total.gather(-2, start.clamp(min=0))


def _carried(carry: Tensor | None, like: Tensor, doc_index: Tensor | None) -> Tensor:
    """``carry [.., U]`` as the token before the one token of ``like [.., 1, U]`` left it: 0 where
    there was none and where that token opens a document."""
    if carry is None:
        return torch.zeros_like(like)
    before = carry[..., None, :]
    return before if doc_index is None else before * (doc_index == 0)[..., None]


def running_sum(
    steps: Tensor, carry: Tensor | None, doc_index: Tensor | None, modulus: int
) -> Tensor:
    """Running sum modulo m.

    Args:
        steps: ``[.., B, T, U]`` integer-valued.
        carry: ``[.., B, U]`` count after the token before; None = 0.
        doc_index: ``[B, T]`` document index of each token or None.
        modulus: m >= 2.

    Returns:
        ``[.., B, T, U]`` counts in [0, m); the carried state is the last one.
    """
    if steps.shape[-2] == 1:  # one token: a step of the machine
        total = _carried(carry, steps, doc_index) + steps
        return straight_through(total.round() % modulus, total)
    start, whole = _document_start(doc_index), steps.detach().round().long()
    if start is None:
        exact, soft, mine = whole.cumsum(dim=-2), steps.cumsum(dim=-2), 1
    else:
        start, mine = start.expand_as(steps), start < 0
        exact, soft = _sum_from(whole, start), _sum_from(steps, start)
    if carry is not None:
        exact = exact + carry[..., None, :].detach().round().long() * mine
        soft = soft + carry[..., None, :] * mine
    return straight_through((exact % modulus).to(steps.dtype), soft)


def saturating_sum(
    steps: Tensor, carry: Tensor | None, doc_index: Tensor | None, limit: int
) -> Tensor:
    """Running sum that starts at 0 and stops at -limit and limit; otherwise as
    :func:`running_sum`."""
    if steps.shape[-2] == 1:  # one token: a step of the machine
        total = _carried(carry, steps, doc_index) + steps
        return straight_through(total.round().clamp(-limit, limit), total.clamp(-limit, limit))
    start = _document_start(doc_index)
    with torch.no_grad():
        whole = steps.round()
        first = torch.zeros_like(steps[..., 0, :]) if carry is None else carry.round()
        value = _clamped_scan(whole, first, start, limit)
    if not torch.is_grad_enabled():
        return value
    with torch.no_grad():
        index = torch.arange(steps.shape[-2], device=steps.device)[:, None]
        before = torch.cat([first[..., None, :], value[..., :-1, :]], dim=-2)
        if start is not None:
            before = torch.where(start == index, 0.0, before)
        # the gradient passes a token unless its sum was cut
        cut = (before + whole).abs() > limit
        event = torch.where(cut, index, -1).cummax(dim=-2).values
    after = event + 1 if start is None else torch.maximum(event + 1, start)
    soft = _sum_from(steps, after)
    if carry is not None:
        mine = event < 0 if start is None else (event < 0) & (start < 0)
        soft = soft + carry[..., None, :] * mine
    return straight_through(value, soft)


def _clamped_scan(steps: Tensor, first: Tensor, start: Tensor | None, limit: int) -> Tensor:
    """``clip(c + n, -limit, limit)`` over time by doubling: clips compose to
    ``min(max(c + a, low), high)``."""
    if steps_pay(steps):
        return _clamped_steps(steps, first, start, limit)
    low, high = torch.full_like(steps, -limit), torch.full_like(steps, limit)
    length = steps.shape[-2]
    if start is not None:
        # a document's first token forgets the count before: a constant function
        opens = start == torch.arange(length, device=steps.device)[:, None]
        fresh = steps.clamp(-limit, limit)
        low, high = torch.where(opens, fresh, low), torch.where(opens, fresh, high)
    shift = steps
    for reach in doublings(length):
        # before the first token stands the function that changes nothing
        before = [
            nn.functional.pad(x, (0, 0, reach, 0), value=value)[..., :length, :]
            for x, value in ((shift, 0.0), (low, -limit), (high, limit))
        ]
        lower = (before[1] + shift).maximum(low).minimum(high)
        upper = (before[2] + shift).maximum(low).minimum(high)
        shift, low, high = before[0] + shift, lower, upper
    return (first[..., None, :] + shift).maximum(low).minimum(high)


def _clamped_steps(steps: Tensor, first: Tensor, start: Tensor | None, limit: int) -> Tensor:
    """The same token by token."""
    count, states, goes_on = first, [], None
    if start is not None:
        opens = start == torch.arange(steps.shape[-2], device=steps.device)[:, None]
        goes_on = (~opens).to(steps.dtype).unbind(-2)
    for t, step in enumerate(steps.unbind(-2)):
        before = count if goes_on is None else count * goes_on[t]
        count = (before + step).clamp_(-limit, limit)
        states.append(count)
    return torch.stack(states, dim=-2)


def hold(values: Tensor, write: Tensor, carry: Tensor | None, doc_index: Tensor | None) -> Tensor:
    """Set/reset latch: the value of the last write.

    Args:
        values: ``[.., B, T, U]``.
        write: ``[.., B, T, U]`` 0 or 1 in value; its gradient is that of
            ``c = (1 - w) c + w v``.
        carry: ``[.., B, U]`` held value before the call; None = 0.
        doc_index: ``[B, T]`` document index of each token or None.

    Returns:
        ``[.., B, T, U]`` held values; the carried state is the last one.
    """
    if values.shape[-2] == 1:  # one token: a step of the machine
        return torch.lerp(_carried(carry, values, doc_index), values, write)
    start = _document_start(doc_index)
    index = torch.arange(values.shape[-2], device=values.device)[:, None]
    event = torch.where(write.detach() > 0.5, index, -1).cummax(dim=-2).values
    live = event >= (0 if start is None else start.clamp(min=0))  # written in this document
    held = values.gather(-2, event.clamp(min=0)) * live
    if carry is not None:
        held = held + carry[..., None, :] * (~live if start is None else ~live & (start < 0))
    if not torch.is_grad_enabled():
        return held
    first = torch.zeros_like(values[..., :1, :]) if carry is None else carry[..., None, :]
    before = torch.cat([first, held[..., :-1, :]], dim=-2).detach()
    if start is not None:
        before = torch.where(start == index, 0.0, before)
    nudge = (write - write.detach()) * (values.detach() - before)
    return held + _sum_from(nudge, event if start is None else torch.maximum(event, start))


def machine_loop(
    kind: str,
    steps: Tensor,
    carry: Tensor | None,
    doc_index: Tensor | None,
    bound: int = 0,
    write: Tensor | None = None,
) -> Tensor:
    """The plain reference of the three machines above, one token at a time.

    Args:
        kind: ``"running"``, ``"saturating"`` or ``"hold"``.
        steps: ``[B, T, U]`` steps, or the values of ``hold``.
        carry, doc_index, write: as above.
        bound: the modulus of ``"running"``, the limit of ``"saturating"``.
    """
    count = torch.zeros_like(steps[:, 0]) if carry is None else carry
    before = torch.zeros_like(steps[:, 0, 0], dtype=torch.long)
    out = []
    for t in range(steps.shape[1]):
        if doc_index is not None:
            count = torch.where((doc_index[:, t] == before)[:, None], count, 0.0)
            before = doc_index[:, t]
        if kind == "hold":
            count = (1 - write[:, t]) * count + write[:, t] * steps[:, t]
        else:
            count = count + steps[:, t]
            if kind == "saturating":
                count = torch.where(count.abs() > bound, bound * torch.sign(count), count)
            else:
                count = count - bound * torch.floor(count.detach() / bound)
        out.append(count)
    return torch.stack(out, dim=1)
