"""The parts of RESULTS_LEVERS.md, each from the runs of one lever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.levers.curriculum import ARMS as COURSES
from benchmarks.levers.curriculum import COST, ELSEWHERE, SHARE, SKILL, above_constant, affordable
from benchmarks.levers.growth import ARMS, GROWN, SHALLOW
from benchmarks.levers.selection import ALL
from benchmarks.levers.summary import (
    Arm,
    after_growing,
    arms,
    difference,
    finals,
    mean_of,
    tuning,
)
from benchmarks.page.markdown import interval, table
from prism import Prism, PrismConfig
from prism.compare.statistics import Estimate, estimate

Row = dict[str, Any]
NATS = "{:+.3f}"


def growth(part: Row) -> list[str]:
    """Paragraphs and tables about growing."""
    found = {arm.name: arm for arm in arms(part, "scratch")}
    if not found:
        return [_rates_tried(part, ARMS)]
    s = part["sizes"]
    parameters = next(r["parameters"] for r in part["runs"] if r["phase"] == "clock")
    sizes = ", ".join(f"{name} {count:,}" for name, count in parameters.items())
    return [
        f"{_text(part)}. Parameters: {sizes}. {s['steps']} steps of {_batch(s)} from scratch; an "
        f"arm that grows has {_percents(s['shares'])} of that time, of each {s['small_share']:.0%} "
        f"in the small model and the last {s['decay_share']:.0%} with a falling rate. *shallow* "
        "never grows and has the whole time.",
        "Cost to the loss that scratch ends with, relative to scratch, the small stage and the "
        "growing included, and final loss at equal time against scratch and against *shallow*, "
        "nats:",
        _growth_table([found[name] for name in ARMS if name in found], found.get(SHALLOW)),
        _alone(found),
        "After growing, held-out loss against the small model had it gone on over the same "
        "batches: before any step, and at the worst look in the steps watched (every tenth). A "
        "constant rate moves the loss up and down by itself; how far it took the model that went "
        "on above its start is shown beside. Dead are new weights that have had no gradient after "
        "two steps.",
        table(
            ["arm", "jump", "worst look", "by itself", "new weights", "dead"],
            [_after_row(found[name]) for name in GROWN if name in found],
        ),
        "### What a tuned baseline leaves of it",
        _survives(part, found),
        _rates_tried(part, ARMS),
        GROWTH_SCALE,
    ]


GROWTH_SCALE = (
    "Where growing is reported to pay: depth stacking at 1 to 7 billion parameters and hundreds of "
    "billions of tokens saves about a third of the tokens "
    "([2405.15319](https://arxiv.org/abs/2405.15319)); a model of one layer grown late under a "
    "rate that stays saves more ([2511.04981](https://arxiv.org/abs/2511.04981)); width, about a "
    "third ([2602.02472](https://arxiv.org/abs/2602.02472)). Against a baseline whose rate is "
    "fully decayed the gain of stacking vanished for BERT and T5 "
    "([2307.06440](https://arxiv.org/abs/2307.06440))."
)


def _growth_table(found: Sequence[Arm], shallow: Arm | None) -> str:
    head = ["arm", "rate", "time", "FLOPs", "tokens", "loss at equal time", "seeds"]
    rows = [[*_cost_row(arm, ("time", "flops", "tokens")), _against(arm, shallow)] for arm in found]
    return table([*head, "against shallow"], rows)


def _against(arm: Arm, other: Arm | None) -> str:
    """Final loss of ``arm`` minus that of ``other`` at equal time."""
    if other is None or arm.name == other.name:
        return "–"
    seeds = arm.rows.keys() & other.rows.keys()
    if not seeds:
        return "–"
    values = [arm.rows[s]["loss"] - other.rows[s]["loss"] for s in sorted(seeds)]
    return interval(estimate(values), NATS)


def _alone(found: dict[str, Arm]) -> str:
    """What the small model by itself says about the arms that begin with it."""
    if SHALLOW not in found:
        return ""
    equal = found[SHALLOW].equal
    said = (
        "is not ahead of scratch: what the arms that begin with it gain comes from growing."
        if equal.mean > 0
        else "is ahead of scratch as well: for so short a run the large model is larger than it "
        "need be, and an arm must beat *shallow* before its gain can be put down to growing."
    )
    return f"*shallow*, the small model alone for the whole time, {said}"


def _cost_row(arm: Arm, units: Sequence[str]) -> list[str]:
    ratios = [arm.ratios[unit].text for unit in units]
    if arm.equal is None:
        ratios = ["1"] * len(units)
    equal = f"{arm.loss.mean:.3f} itself" if arm.equal is None else interval(arm.equal, NATS)
    return [arm.name, f"{arm.lr:g}", *ratios, equal, str(arm.seeds)]


def _after_row(arm: Arm) -> list[str]:
    numbers = [interval(value, NATS) for value in after_growing(arm)]
    new = mean_of(arm.rows, "growth", "new")
    left = [sum(row["growth"]["dead"].values()) for row in arm.rows.values()]
    shown = "–" if new == 0 else f"{sum(left) / len(left):,.0f}"
    return [arm.name, *numbers, f"{new:,.0f}", shown]


def _survives(part: Row, found: dict[str, Arm]) -> str:
    """In a sentence per arm: against the tuned scratch, and against the others of the grid."""
    scratch = tuning(part, "scratch")
    share = part["sizes"]["tuning_share"]
    best = min(scratch, key=scratch.__getitem__)
    ends = ", ".join(f"{loss:.3f} at {rate:g}" for rate, loss in scratch.items())
    lines = [
        f"On the tuning seed scratch ends at {ends}; {best:g} is its best rate. At {share:.0%} of "
        "the time, at their best rates:"
    ]
    for name in GROWN:
        losses = tuning(part, name)
        if losses:
            least = min(losses.values())
            beaten = sum(least <= loss for loss in scratch.values())
            lines.append(
                f"- {name} ends at {least:.3f}, below scratch at {beaten} of scratch's "
                f"{len(scratch)} rates."
            )
    return lines[0] + "\n\n" + "\n".join(lines[1:])


def selection(part: Row) -> list[str]:
    """Paragraphs and tables about choosing tokens."""
    found = {arm.name: arm for arm in arms(part, ALL)}
    s = part["sizes"]
    if not found:
        return [_rates_tried(part, [ALL])]
    names = list(found)
    references = [arm for arm in found.values() if "reference" in next(iter(arm.rows.values()))]
    costs = "; ".join(
        f"{arm.name}: loss {mean_of(arm.rows, 'reference', 'loss'):.3f}, training it took "
        f"{mean_of(arm.rows, 'reference', 'flops') / _flops(found[ALL]):.0%} of the FLOPs of "
        f"{ALL}"
        for arm in references
    )
    return [
        f"{_text(part)}, {s['noise']:.0%} of the bytes of the training text overwritten, "
        f"{s['span']} at a time. {_size(s)}, {s['steps']} steps of {_batch(s)}; {s['kept']:.0%} of "
        "the targets are kept. *excess*: those whose loss exceeds most that of a reference, a "
        "small model trained on clean text. *excess, stage*: the same with a reference trained on "
        "the noisy text, as a smaller stage of a growing run would be. *recycling*: hard targets "
        "weigh more. Loss is that of all targets of clean held-out text. FLOPs include what the "
        "reference reads; its training is in none of the columns, and said below. Cost to the loss "
        "that all tokens end with, relative to theirs, and final loss, nats:",
        table(
            ["arm", "rate", "tokens", "FLOPs", "time", "loss at equal tokens", "seeds"],
            [_cost_row(found[name], ("tokens", "flops", "time")) for name in names],
        ),
        f"References: {costs}." if costs else "",
        _rates_tried(part, names),
        "*excess* is reported to help where the text is noisy and the reference was trained "
        "on what is wanted (continued training on mathematics at 1 to 7 billion parameters, "
        "[2404.07965](https://arxiv.org/abs/2404.07965)); weighting hard tokens was found not to "
        "help against a fully decayed baseline ([2307.06440](https://arxiv.org/abs/2307.06440)).",
    ]


def _size(sizes: Row) -> str:
    """Of the model that is trained."""
    return f"{Prism(PrismConfig.from_dict(sizes['config'])).num_parameters():,} parameters"


def _flops(arm: Arm) -> float:
    return sum(row["ends"][-1]["flops"] for row in arm.rows.values()) / len(arm.rows)


def curriculum(part: Row) -> list[str]:
    """Paragraphs and tables about annealing towards a skill."""
    runs, s = finals(part), part["sizes"]
    if not runs:
        return [_rates_tried(part, COURSES)]
    base = COURSES[0]
    rows = []
    for name in COURSES:
        if name not in runs:
            continue
        mine = runs[name]
        total = mean_of(mine, "tokens")
        cells = [name, f"{next(iter(mine.values()))['lr']:g}"]
        cells += [f"{mean_of(mine, 'skill_tokens') / total:.0%}"]
        for domain in (SKILL, ELSEWHERE):
            value = difference(mine, runs.get(base, {}), domain)
            itself = f"{mean_of(mine, 'domains', domain):.3f} itself"
            cells.append(itself if name == base else _or_dash(value))
        rows.append([*cells, str(len(mine))])
    return [
        f"{_text(part)}; the skill is its last source. {_size(s)}, {s['steps']} steps of "
        f"{_batch(s)}; "
        f"{s['share']:.0%} of the rows are of the skill, with *annealed* "
        f"{affordable(above_constant(part['runs'], ELSEWHERE)):.0%} while "
        f"the rate falls, in the last {s['decay_share']:.0%}. *spread* has as many rows of the "
        f"skill as *annealed*, all along. Losses against {base}, nats; time and "
        "FLOPs are the same for all:",
        table(["arm", "rate", "skill's tokens", SKILL, ELSEWHERE, "seeds"], rows),
        _shares_tried(part),
        _rates_tried(part, COURSES),
        "Wanted text while the rate decays is common practice at 1 to 30 billion parameters "
        "(OLMo 2, [2501.00656](https://arxiv.org/abs/2501.00656)).",
    ]


def _shares_tried(part: Row) -> str:
    """What more of the skill does on the tuning seeds, and which share was taken."""
    gaps = {domain: above_constant(part["runs"], domain) for domain in (SKILL, ELSEWHERE)}
    shown = ", ".join(
        f"{share:.0%}: {SKILL} {NATS.format(gap)}, {ELSEWHERE} "
        f"{NATS.format(gaps[ELSEWHERE][share])}"
        for share, gap in gaps[SKILL].items()
    ).replace("-", "−")
    seeds = len({row["seed"] for row in part["runs"] if row["phase"] == SHARE})
    return (
        f"Shares of the skill tried for *annealed* on tuning seeds, against {COURSES[0]}, mean of "
        f"{seeds}: {shown}. The largest that costs at most {COST} elsewhere is taken, or else the "
        "least. Rates were tried at the largest."
    )


def _or_dash(value: Estimate | None) -> str:
    return "–" if value is None else interval(value, NATS)


def _rates_tried(part: Row, names: Any) -> str:
    """Losses on the tuning seed, by arm and rate."""
    lines = []
    for name in names:
        losses = tuning(part, name)
        if losses:
            shown = ", ".join(f"{losses[rate]:.3f} at {rate:g}" for rate in sorted(losses))
            best = min(losses, key=losses.__getitem__)
            edge = len(losses) > 1 and best in (min(losses), max(losses))
            lines.append(f"- {name}: {shown}{' (best at the edge of the grid)' if edge else ''}")
    return "Rates tried on the tuning seed, and the loss:\n\n" + "\n".join(lines)


def _text(part: Row) -> str:
    return f"Bytes of {part['sizes']['text']['name']}"


def _batch(sizes: Row) -> str:
    return f"{sizes['shape']['rows']} × {sizes['shape']['length']} tokens"


def _percents(shares: list[float]) -> str:
    return ", ".join(f"{share:.0%}" for share in shares)
