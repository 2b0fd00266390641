"""The learning rate is chosen on validation, and everything shown follows from that."""

from __future__ import annotations

from prism.compare.results import best_rate, best_rates, perfect_pairs, shown_runs
from prism.compare.summary import label, remarks, summarise
from tests.compare.fakes import job, run


def test_the_sweep_picks_by_validation_not_by_test() -> None:
    runs = [run(job(lr=1e-3, seed=seed), val=0.9, test=0.1) for seed in (0, 1)] + [
        run(job(lr=3e-3, seed=seed), val=0.8, test=1.0) for seed in (0, 1)
    ]
    assert best_rate(runs) == 1e-3
    assert {r["lr"] for r in shown_runs(runs)} == {1e-3}


def test_bits_per_byte_are_better_when_lower() -> None:
    def text(lr: float, bits: float) -> dict:
        val = {"loss": bits, "bits_per_byte": bits}
        return run(job(task="mini_lm", lr=lr), metric="bits_per_byte") | {"val": val}

    assert best_rate([text(1e-3, 2.0), text(3e-3, 1.9), text(6e-3, 2.1)]) == 3e-3


def test_equal_metrics_are_decided_by_the_loss() -> None:
    a, b = run(job(lr=1e-3), val=1.0), run(job(lr=3e-3), val=1.0)
    a["val"] = {"loss": 0.2, "accuracy": 1.0}
    b["val"] = {"loss": 0.1, "accuracy": 1.0}
    assert best_rate([a, b]) == 3e-3


def test_a_rate_that_fails_on_a_seed_loses_to_one_that_does_not() -> None:
    runs = [run(job(lr=1e-2, seed=0), val=1.0), run(job(lr=1e-2, seed=1), error="loss is nan")]
    runs += [run(job(lr=1e-3, seed=seed), val=0.5) for seed in (0, 1)]
    assert best_rate(runs) == 1e-3
    assert best_rate(runs[1:2]) is None


def test_extra_seeds_of_one_rate_do_not_change_the_choice() -> None:
    """The final seeds exist for the chosen rate only; they are no reason to choose another."""
    runs = [run(job(lr=1e-3, seed=seed), val=0.9 if seed < 2 else 0.0) for seed in range(5)]
    runs += [run(job(lr=3e-3, seed=seed), val=0.8) for seed in (0, 1)]
    assert best_rate(runs) == 1e-3
    assert [r["seed"] for r in shown_runs(runs)] == [0, 1, 2, 3, 4]


def test_models_and_tasks_choose_on_their_own() -> None:
    runs = [
        run(job(task=task, model=model, lr=lr), val=1.0 if lr == best else 0.0)
        for task, model, best in (("copy", "prism", 1e-3), ("copy", "gdn", 6e-3))
        for lr in (1e-3, 6e-3)
    ]
    assert best_rates(runs) == {"copy": {"prism": 1e-3, "gdn": 6e-3}}


def test_only_a_rate_that_is_perfect_on_every_swept_seed_ends_a_sweep() -> None:
    jobs = [job(lr=lr, seed=seed) for lr in (1e-3, 3e-3) for seed in (0, 1)]
    pair = {(jobs[0].task, jobs[0].model)}
    right, nearly = {"loss": 0.01, "accuracy": 1.0}, {"loss": 0.01, "accuracy": 0.999}

    def runs(*vals: dict) -> list[dict]:
        return [run(j) | {"val": val} for j, val in zip(jobs, vals, strict=False)]

    assert perfect_pairs([], jobs) == set()
    assert perfect_pairs(runs(right), jobs) == set()
    assert perfect_pairs(runs(right, nearly, nearly, right), jobs) == set()
    assert perfect_pairs(runs(right, right), jobs) == pair
    assert perfect_pairs(runs(nearly, nearly, right, right), jobs) == pair


def test_runs_of_different_steps_are_never_averaged() -> None:
    summaries = summarise([run(job(steps=10), test=0.2), run(job(steps=20), test=0.4)])
    assert [s.models["prism"].estimate(16).mean for s in summaries] == [0.2, 0.4]


def test_tasks_and_models_stand_in_the_usual_order_whatever_finished_first() -> None:
    runs = [run(job(task=t, model=m)) for t in ("mini_lm", "copy") for m in ("gdn", "prism")]
    found = [(s.title, list(s.models)) for s in summarise(runs)]
    assert found == [("copy", ["prism", "gdn"]), ("mini_lm", ["prism", "gdn"])]


def test_the_winner_of_a_line_needs_disjoint_intervals_and_no_failed_seed() -> None:
    def both(error: str | None) -> list[dict]:
        ours = [run(job(seed=s), test=0.9 + 0.01 * s) for s in range(3)]
        ours.append(run(job(seed=3), test=0.9, error=error))
        theirs = [run(job(model="gdn", seed=s), test=0.5 + 0.01 * s) for s in range(4)]
        return ours + theirs

    assert summarise(both(None))[0].winner(16) == "prism"
    assert summarise(both("loss is nan"))[0].winner(16) is None


def test_the_label_and_the_remarks_say_what_the_numbers_are() -> None:
    one = summarise([run(job(rate_source="default"))])
    assert label({"profile": "quick"}, one) == "quick, one seed"
    assert remarks(one)[0] == "one seed: no interval, so no winner"
    assert "learning rate not swept yet, 0.001 used: all" in remarks(one)
    five = summarise([run(job(seed=seed, phase="final")) for seed in range(5)])
    assert label({"profile": "full"}, five) == "full, 5 seeds"
    failed = summarise([run(job(), error="loss is nan at step 3 of 10")])
    assert any("loss is nan at step 3" in line for line in remarks(failed))
