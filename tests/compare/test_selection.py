"""The learning rate is chosen on validation, and everything shown follows from that."""

from __future__ import annotations

from prism.compare.protocol import Recipe
from prism.compare.results import best_recipe, shown_runs
from prism.compare.summary import label, remarks, summarise
from tests.compare.fakes import job, run


def test_the_sweep_picks_by_validation_not_by_test() -> None:
    runs = [run(job(lr=1e-3, seed=seed), val=0.9, test=0.1) for seed in (0, 1)] + [
        run(job(lr=3e-3, seed=seed), val=0.8, test=1.0) for seed in (0, 1)
    ]
    assert best_recipe(runs) == Recipe(1e-3)
    assert {r["lr"] for r in shown_runs(runs)} == {1e-3}


def test_bits_per_byte_are_better_when_lower() -> None:
    def text(lr: float, bits: float) -> dict:
        val = {"loss": bits, "bits_per_byte": bits}
        return run(job(task="mini_lm", lr=lr), metric="bits_per_byte") | {"val": val}

    assert best_recipe([text(1e-3, 2.0), text(3e-3, 1.9), text(6e-3, 2.1)]) == Recipe(3e-3)


def test_equal_metrics_are_decided_by_the_loss() -> None:
    a, b = run(job(lr=1e-3), val=1.0), run(job(lr=3e-3), val=1.0)
    a["val"] = {"loss": 0.2, "accuracy": 1.0}
    b["val"] = {"loss": 0.1, "accuracy": 1.0}
    assert best_recipe([a, b]) == Recipe(3e-3)


def test_a_rate_that_fails_on_a_seed_loses_to_one_that_does_not() -> None:
    runs = [run(job(lr=1e-2, seed=0), val=1.0), run(job(lr=1e-2, seed=1), error="loss is nan")]
    runs += [run(job(lr=1e-3, seed=seed), val=0.5) for seed in (0, 1)]
    assert best_recipe(runs) == Recipe(1e-3)
    assert best_recipe(runs[1:2]) is None


def test_extra_seeds_of_one_rate_do_not_change_the_choice() -> None:
    """The final seeds exist for the chosen rate only; they are no reason to choose another."""
    runs = [run(job(lr=1e-3, seed=seed), val=0.9 if seed < 2 else 0.0) for seed in range(5)]
    runs += [run(job(lr=3e-3, seed=seed), val=0.8) for seed in (0, 1)]
    assert best_recipe(runs) == Recipe(1e-3)
    assert [r["seed"] for r in shown_runs(runs)] == [0, 1, 2, 3, 4]


def test_warm_up_and_dropout_are_chosen_like_the_rate() -> None:
    runs = [
        run(job(warm_up=w, dropout=d), val=1 - abs(w - 0.2) - d)
        for w in (0.1, 0.2)
        for d in (0.0, 0.1)
    ]
    assert best_recipe(runs) == Recipe(1e-3, 0.2, 0.0)
    assert [r["warm_up"] for r in shown_runs(runs)] == [0.2]


def test_of_a_baseline_the_arm_that_is_better_on_validation_is_shown() -> None:
    runs = [
        run(job(model=m, seed=s), val=val, test=test)
        for m, val, test in (
            ("transformer", 0.6, 0.9),
            ("transformer-strong", 0.7, 0.8),
            ("prism", 1.0, 1.0),
        )
        for s in (0, 1)
    ]
    (summary,) = summarise(runs)
    assert list(summary.models) == ["prism", "transformer"]
    assert summary.models["transformer"].estimate(16).mean == 0.8
    assert (
        "transformer is transformer-strong on copy; the better on validation of transformer, "
        "transformer-strong"
    ) in remarks([summary])
    (everything,) = summarise(runs, all_arms=True)
    assert list(everything.models) == ["prism", "transformer", "transformer-strong"]
    assert not any(" is transformer" in line for line in remarks([everything]))


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
