"""Chapters of RESULTS_LEVERS.md, each from the part of levers.json of one training method."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.levers.curriculum import ARMS as CURRICULA
from benchmarks.levers.curriculum import COST, ELSEWHERE, SHARE, SKILL, above_constant, affordable
from benchmarks.levers.growth import ARMS, GROWN, SHALLOW
from benchmarks.levers.modular import AGAIN, with_better_joint
from benchmarks.levers.selection import ALL
from benchmarks.levers.summary import Arm, after_growing, arms, difference, finals, mean_of, tuning
from benchmarks.page.markdown import NONE, Spec, columns, interval, listed, minus
from prism.studies.modular.report import MODELS

Part = dict[str, Any]
NATS = "{:+.3f}"
GROWTH_SCALE = (
    "Reported gains of growing at scale: depth stacking at 1 to 7 billion parameters and hundreds "
    "of billions of tokens saves about a third of the tokens "
    "([2405.15319](https://arxiv.org/abs/2405.15319)); a model of one layer grown late under a "
    "constant rate saves more ([2511.04981](https://arxiv.org/abs/2511.04981)); width, about a "
    "third ([2602.02472](https://arxiv.org/abs/2602.02472)). Against a baseline whose rate is "
    "fully decayed the gain of stacking vanished for BERT and T5 "
    "([2307.06440](https://arxiv.org/abs/2307.06440))."
)


def growth(part: Part) -> list[str]:
    """Paragraphs and tables about growing."""
    by_name = {arm.name: arm for arm in arms(part, "scratch")}
    if not by_name:
        return [_rates_tried(part, ARMS)]
    s, shallow = part["sizes"], by_name.get(SHALLOW)
    parameters = next(r["parameters"] for r in part["runs"] if r["phase"] == "clock")
    return [
        f"Bytes of {s['text']['name']}. Parameters: "
        f"{listed(f'{name} {count:,}' for name, count in parameters.items())}. {s['steps']} steps "
        f"of {_batch(s)} from scratch; an arm that grows has {listed(s['shares'], '{:.0%}')} of "
        f"that time, of each {s['small_share']:.0%} in the small model and the last "
        f"{s['decay_share']:.0%} with a falling rate. *shallow* never grows and has the whole "
        "time.",
        "Cost to the loss that scratch ends with, relative to scratch, the small stage and the "
        "growing included, and final loss at equal time against scratch and against *shallow*, "
        "nats:",
        _costs(
            [by_name[name] for name in ARMS if name in by_name],
            {"time": "time", "FLOPs": "flops", "tokens": "tokens"},
            "loss at equal time",
            {
                "against shallow": lambda arm: (
                    interval(difference(arm.rows, shallow.rows, "loss"), NATS)
                    if shallow is not None and arm is not shallow
                    else NONE
                )
            },
        ),
        "" if shallow is None else _alone(shallow),
        "After growing, held-out loss against the small model trained on over the same "
        "batches: before any step (*jump*), and the largest difference over the steps that were "
        "evaluated (every tenth). Under a constant rate the loss fluctuates without growth too; "
        "*without growth* is the largest rise of the small model above its loss at that point. "
        "Dead are new weights that have had no gradient after two steps.",
        columns([by_name[name] for name in GROWN if name in by_name], AFTER),
        "### Against a tuned baseline",
        _survives(part),
        _rates_tried(part, ARMS),
        GROWTH_SCALE,
    ]


def _costs(
    chosen: Sequence[Arm], units: dict[str, str], equal: str, more: dict[str, Spec] | None = None
) -> str:
    """Cost to the baseline's loss by unit (heading: unit), and the loss at equal budget."""

    def ratio(unit: str) -> Spec:
        return lambda arm: "1" if arm.equal is None else arm.ratios[unit].text

    def loss(arm: Arm) -> str:
        return f"{arm.loss.mean:.3f} itself" if arm.equal is None else interval(arm.equal, NATS)

    specs: dict[str, Spec] = {"arm": lambda arm: arm.name, "rate": lambda arm: f"{arm.lr:g}"}
    specs |= {head: ratio(unit) for head, unit in units.items()}
    specs |= {equal: loss, "seeds": lambda arm: str(arm.seeds)}
    return columns(chosen, specs | (more or {}))


def _alone(shallow: Arm) -> str:
    """Comparison of the small model by itself with scratch, for the arms that begin with it."""
    end = (
        "is not ahead of scratch: what the arms that begin with it gain comes from growing."
        if shallow.equal.mean > 0
        else "is ahead of scratch as well: for so short a run the large model is larger than it "
        "need be, and an arm must beat *shallow* before its gain can be put down to growing."
    )
    return f"*shallow*, the small model alone for the whole time, {end}"


def _dead(arm: Arm) -> str:
    left = [sum(row["growth"]["dead"].values()) for row in arm.rows.values()]
    return NONE if mean_of(arm.rows, "growth", "new") == 0 else f"{sum(left) / len(left):,.0f}"


AFTER: dict[str, Spec] = {
    "arm": lambda arm: arm.name,
    "jump": lambda arm: interval(after_growing(arm)[0], NATS),
    "largest": lambda arm: interval(after_growing(arm)[1], NATS),
    "without growth": lambda arm: interval(after_growing(arm)[2], NATS),
    "new weights": lambda arm: f"{mean_of(arm.rows, 'growth', 'new'):,.0f}",
    "dead": _dead,
}


def _survives(part: Part) -> str:
    """One sentence per arm: against the tuned scratch, and against the others of the grid."""
    scratch = tuning(part, "scratch")
    ends = listed(f"{loss:.3f} at {rate:g}" for rate, loss in scratch.items())
    best = min(scratch, key=scratch.__getitem__)
    lines = []
    for name in GROWN:
        least = min(tuning(part, name).values(), default=None)
        if least is not None:
            beaten = sum(least <= loss for loss in scratch.values())
            lines.append(
                f"- {name} ends at {least:.3f}, below scratch at {beaten} of scratch's "
                f"{len(scratch)} rates."
            )
    return (
        f"On the tuning seed scratch ends at {ends}; {best:g} is its best rate. At "
        f"{part['sizes']['tuning_share']:.0%} of the time, at their best rates:\n\n"
    ) + "\n".join(lines)


def selection(part: Part) -> list[str]:
    """Paragraphs and tables about choosing tokens."""
    chosen = arms(part, ALL)
    if not chosen:
        return [_rates_tried(part, [ALL])]
    s, whole = part["sizes"], next(arm for arm in chosen if arm.name == ALL)
    flops = sum(row["ends"][-1]["flops"] for row in whole.rows.values()) / len(whole.rows)
    costs = "; ".join(
        f"{arm.name}: loss {mean_of(arm.rows, 'reference', 'loss'):.3f}, training it took "
        f"{mean_of(arm.rows, 'reference', 'flops') / flops:.0%} of the FLOPs of {ALL}"
        for arm in chosen
        if "reference" in next(iter(arm.rows.values()))
    )
    return [
        f"Bytes of {s['text']['name']}, {s['noise']:.0%} of the bytes of the training text "
        "overwritten, "
        f"{s['span']} at a time. {_size(s)}, {s['steps']} steps of {_batch(s)}; {s['kept']:.0%} of "
        "the targets are kept. *excess*: those whose loss exceeds most that of a reference, a "
        "small model trained on clean text. *excess, stage*: the same with a reference trained on "
        "the noisy text, as a smaller stage of a growing run would be. *recycling*: hard targets "
        "weigh more. Loss is that of all targets of clean held-out text. FLOPs include what the "
        "reference reads; its training is in none of the columns, and stated below. Cost to the "
        "loss that all tokens end with, relative to theirs, and final loss, nats:",
        _costs(
            chosen, {"tokens": "tokens", "FLOPs": "flops", "time": "time"}, "loss at equal tokens"
        ),
        f"References: {costs}." if costs else "",
        _rates_tried(part, [arm.name for arm in chosen]),
        "*excess* is reported to help where the text is noisy and the reference was trained "
        "on what is wanted (continued training on mathematics at 1 to 7 billion parameters, "
        "[2404.07965](https://arxiv.org/abs/2404.07965)); weighting hard tokens was found not to "
        "help against a fully decayed baseline ([2307.06440](https://arxiv.org/abs/2307.06440)).",
    ]


def curriculum(part: Part) -> list[str]:
    """Paragraphs and tables about annealing towards a skill."""
    runs, s, base = finals(part), part["sizes"], CURRICULA[0]
    if not runs:
        return [_rates_tried(part, CURRICULA)]

    def domain(name: str) -> Spec:
        def cell(arm: str) -> str:
            if arm == base:
                return f"{mean_of(runs[arm], 'domains', name):.3f} itself"
            return interval(difference(runs[arm], runs.get(base, {}), "domains", name), NATS)

        return cell

    def skill_share(arm: str) -> str:
        return f"{mean_of(runs[arm], 'skill_tokens') / mean_of(runs[arm], 'tokens'):.0%}"

    specs: dict[str, Spec] = {
        "arm": lambda arm: arm,
        "rate": lambda arm: f"{next(iter(runs[arm].values()))['lr']:g}",
        "skill's tokens": skill_share,
        SKILL: domain(SKILL),
        ELSEWHERE: domain(ELSEWHERE),
        "seeds": lambda arm: str(len(runs[arm])),
    }
    return [
        f"Bytes of {s['text']['name']}; the skill is its last source. {_size(s)}, "
        f"{s['steps']} steps of "
        f"{_batch(s)}; {s['share']:.0%} of the rows are of the skill, with *annealed* "
        f"{affordable(above_constant(part['runs'], ELSEWHERE)):.0%} while "
        f"the rate falls, in the last {s['decay_share']:.0%}. *spread* has as many rows of the "
        f"skill as *annealed*, all along. Losses against {base}, nats; time and "
        "FLOPs are the same for all:",
        columns([arm for arm in CURRICULA if arm in runs], specs),
        _shares_tried(part),
        _rates_tried(part, CURRICULA),
        "A larger share of target-domain text while the rate decays is common practice at 1 to 30 "
        "billion parameters (OLMo 2, [2501.00656](https://arxiv.org/abs/2501.00656)).",
    ]


def _shares_tried(part: Part) -> str:
    """Effect of more of the skill on the tuning seeds, and the share that was taken."""
    skill, elsewhere = (above_constant(part["runs"], domain) for domain in (SKILL, ELSEWHERE))
    gaps = listed(
        f"{share:.0%}: {SKILL} {gap:+.3f}, {ELSEWHERE} {elsewhere[share]:+.3f}"
        for share, gap in skill.items()
    )
    seeds = len({row["seed"] for row in part["runs"] if row["phase"] == SHARE})
    return (
        f"Shares of the skill tried for *annealed* on tuning seeds, against {CURRICULA[0]}, mean "
        f"of {seeds}: {minus(gaps)}. The largest that costs at most {COST} elsewhere is taken, or "
        "else the least. Rates were tried at the largest."
    )


def modular(part: Part) -> list[str]:
    """Paragraphs and tables about experts trained apart."""
    rows = with_better_joint(part)
    if not rows:
        return ["Only tuned so far: no seed is over."]
    first, study = next(iter(rows.values())), part["sizes"]["study"]
    domains = next(iter(first["losses"].values()))

    def cost(unit: str, form: str) -> Spec:
        return lambda name: (
            form.format(mean_of(rows, "cost", name, unit)) if name in first["cost"] else "0"
        )

    again = " Of the two joint runs of a seed the better one counts." * any(
        row["phase"] == AGAIN for row in part["runs"]
    )
    specs: dict[str, Spec] = {"model": lambda name: MODELS.get(name, name)}
    for domain in domains:
        specs[domain] = lambda name, domain=domain: f"{mean_of(rows, 'losses', name, domain):.3f}"
    specs |= {"FLOPs": cost("flops", "{:.2g}"), "CPU seconds": cost("seconds", "{:.0f}")}
    return [
        f"`prism.studies.modular`, {study['steps']} steps of {study['rows']} × {study['length']} "
        f"tokens for the joint run, seeds: {len(rows)}. Rates: joint "
        f"{' and '.join(f'{rate:g}' for rate in _rates(part, 'final', AGAIN))}, "
        f"backbone {first['trunk_lr']:g}, branches {first['part_lr']:g}; each ends at a tenth of "
        f"its peak. Tried: {listed(_rates(part, 'tuning'), '{:g}')} on tuning seeds, everything at "
        "one rate at a time; the joint run's is best by its own loss, the backbone's by its own, "
        f"the branches' by that of their assembly.{again} Losses in nats, cost of each phase "
        "alone:",
        columns(list(first["losses"]), specs),
        _beyond(rows),
        "Reported at scale: experts trained apart against a frozen backbone and an anchor, then "
        "merged, at 7 billion parameters ([2507.07024](https://arxiv.org/abs/2507.07024)).",
    ]


def _rates(part: Part, *phases: str) -> list[float]:
    return sorted({row["lr"] for row in part["runs"] if row["phase"] in phases})


def _beyond(rows: dict[int, Part]) -> str:
    """Figures that no criterion is about."""
    seen = [run["measures"] for run in rows.values()]

    def worst(name: str) -> str:
        return minus(listed((max(each[name].values()) for each in seen), NATS))

    best = "; ".join(
        f"{domain} "
        + listed(
            f"{r['losses']['assembled'][domain] - r['measures']['interference'][domain]:.3f}"
            for r in rows.values()
        )
        for domain in seen[0]["interference"]
    )
    past = sum(each["mean"]["joint"] >= each["mean"]["calibrated"] for each in seen)
    path = {unit: mean_of(rows, "measures", "critical_path", unit) for unit in ("seconds", "flops")}
    return (
        f"The worst interference on a domain by seed is {worst('interference')}, calibrated "
        f"{worst('interference_calibrated')}. The best single branch of each seed: {best}. Trained "
        "branches, assembly and calibration together close "
        f"{mean_of(rows, 'measures', 'closed_of_trunk'):.0%} of the gap between the backbone and "
        "the joint run. The "
        f"critical path is {path['seconds']:.2f} of the joint run's CPU seconds and "
        f"{path['flops']:.2f} of its FLOPs. Only gates are calibrated, so the calibration can "
        "reduce interference between branches and little else; where the joint run is ahead of the "
        "best branch, a gap is left. The calibrated model is as good as the joint run in "
        f"{past} of {len(rows)} seeds."
    )


def _rates_tried(part: Part, names: Iterable[str]) -> str:
    """Losses on the tuning seed, by arm and rate."""
    lines = []
    for name in names:
        losses = tuning(part, name)
        if losses:
            shown = listed(f"{losses[rate]:.3f} at {rate:g}" for rate in sorted(losses))
            best = min(losses, key=losses.__getitem__)
            edge = len(losses) > 1 and best in (min(losses), max(losses))
            lines.append(f"- {name}: {shown}{' (best at the edge of the grid)' if edge else ''}")
    return "Rates tried on the tuning seed, and the loss:\n\n" + "\n".join(lines)


def _batch(sizes: Part) -> str:
    return f"{sizes['shape']['rows']} × {sizes['shape']['length']} tokens"


def _size(sizes: Part) -> str:
    """Size of the model that is trained, as its config says: to count parameters would be to build
    it with the code of today."""
    return f"{sizes['config']['num_layers']} blocks of width {sizes['config']['d_model']}"
