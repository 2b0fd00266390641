"""The study at toy size: every part runs, continues where it stopped, and makes its pages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.freeze import criteria, effects, page, plot
from benchmarks.freeze.__main__ import main
from prism.compare.statistics import estimate
from prism.probe import texts

THAI = "การประชุมทางวิชาการ ครั้งที่ 1 ภาษาไทยเป็นภาษาที่มีระดับเสียงของคำแน่นอน"


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts in place of those of the packages."""
    import pydoc_data.topics as manual

    english = [f"{title}\n{text}" for title, text in sorted(manual.topics.items())]
    thai = [f"{THAI} {chr(0x0E01 + i % 46)}{chr(0x0E01 + i % 45)}{i}" for i in range(3000)]
    made = {"english": lambda: iter(english), "thai": lambda: iter(thai)}
    monkeypatch.setattr(texts, "PACKAGES", made)
    monkeypatch.setattr("benchmarks.freeze.texts.IDS", 1500)


@pytest.mark.slow
def test_every_part_runs_and_continues(packages: None, tmp_path: Path) -> None:
    out = tmp_path / "freeze.json"
    argv = ["--quick", "--seeds", "1", "--steps", "30", "--out", str(out),
            "--work", str(tmp_path / "work")]  # fmt: skip
    for part in ("instrument", "ablation", "starts", "rounding"):
        assert main([*argv, "--part", part]) == 0
    content = json.loads(out.read_text("utf-8"))
    assert {k: len(x["runs"]) for k, x in content.items()} == {
        "instrument": 5, "ablation": 1, "starts": 4, "rounding": 8,
    }  # fmt: skip
    replay = next(r for r in content["instrument"]["runs"] if r["check"] == "replay")
    assert replay["exact_steps"] == replay["steps"] == 40
    assert replay["same_bytes_twice"] and replay["same_bytes_resumed"]
    assert all(r["tracers"]["equal_to_the_bit"] for r in content["ablation"]["runs"])
    before = out.read_bytes()
    assert main([*argv, "--part", "ablation"]) == 0  # nothing is done again
    runs = json.loads(out.read_text("utf-8"))["ablation"]["runs"]
    assert runs == json.loads(before)["ablation"]["runs"]
    assert all(page.instrument_sections(content["instrument"]))
    assert "half frozen by step" in "".join(page.ablation_sections(content["ablation"]))
    assert "largest class" in "".join(page.starts_sections(content["starts"]))
    assert "nats" in "".join(page.rounding_sections(content["rounding"]))
    held = {r["condition"]: r["bytes_per_parameter"] for r in content["rounding"]["runs"]}
    assert held["text masters"] == pytest.approx(16, rel=0.01)
    assert held["text stochastic"] == pytest.approx(8, rel=0.01)
    assert held["text kahan"] == pytest.approx(10, rel=0.01)


def test_criteria_judge_what_was_measured() -> None:
    dead = {"check": "dead", "times_below_raw": 63.0, "share_of_step": 0.08, "steps": 2500,
            "tracers": {"first_unequal_step": None}}  # fmt: skip
    whole = {"check": "whole", "times_below_raw": 11.0, "share_of_step": 0.12}
    found = criteria.instrument_criteria({"runs": [dead, whole]})
    verdicts = {c.number: c.met for c in found}
    assert verdicts["P2, dead rows"] is True and verdicts["P2, whole table"] is False
    assert verdicts["P3, tracers"] is True and verdicts["P1"] is None
    loss = {"text masters": (1.0, 1.02, 1.01), "text stochastic": (1.01, 1.03, 1.01)}
    runs = [
        {"condition": k, "seed": i, "held_out_loss": x}
        for k, v in loss.items()
        for i, x in enumerate(v)
    ]
    mini, text = criteria.rounding_criteria({"runs": runs})
    assert mini.met is None and text.met is True and text.reached.startswith("+0.0067 [")
    assert criteria.rounding_criteria({"runs": runs[:2] + runs[3:]})[1].met is None


def test_effects_are_means_over_pairs_that_differ_in_one_word() -> None:
    def variant(frozen: float, moved: int) -> dict[str, object]:
        return {"curve": [1.0, 1.0 - frozen, 0.0], "freezing": {"numbers": 10},
                "causes": {"noted": [4, 2], "moved": [40, moved]}}  # fmt: skip

    variants = {
        "live": variant(0.5, 9),
        "w16 m16 near": variant(0.6, 0), "w16 m32 near": variant(0.5, 4),
        "w16 m16 stoch": variant(0.0, 20), "w16 m32 stoch": variant(0.1, 20),
    }  # fmt: skip
    tracers = {"first": 0, "step": 100, "times": [0, 9, 100], "windows": [90, 100],
               "variants": variants}  # fmt: skip
    assert effects.early(tracers, "w16 m16 near") == pytest.approx(0.6)
    assert effects.still(tracers, "w16 m32 near") == 4 / 20
    made = effects.effects_table([{"tracers": tracers}, {"tracers": tracers}])
    rows = {line.split("|")[1].strip(): line for line in made.splitlines()}
    rounding = rows["rounding of weights: nearest to stochastic"]
    assert "| 2 |" in rounding and "−0.500" in rounding and "+0.900" in rounding
    assert "0.000" in rows["moments: bf16 to fp32"] and "weights: bf16 to fp32" not in rows


def test_a_cause_is_the_largest_effect_that_the_seeds_support() -> None:
    def effect(label: str, *seeds: float) -> effects.Effect:
        return effects.Effect(label, 1, estimate(seeds), estimate([0.0, 0.1, -0.1]))

    found = [effect("small", -0.1, -0.11, -0.1), effect("unsure", 1.0, -1.0, 2.0),
             effect("large", -0.3, -0.31, -0.3)]  # fmt: skip
    assert effects.leading(found, "early").label == "large"
    assert effects.leading(found, "still") is None


def test_starts_that_make_equal_rows_are_named_when_all_seeds_agree() -> None:
    def run(condition: str, *classes: int) -> dict[str, object]:
        variants = {n: {"crystal": {"classes": c}} for n, c in zip("abc", classes, strict=True)}
        return {"condition": condition, "tracers": {"equal_to_the_bit": True, "variants": variants}}

    runs = [run("right", 1, 1, 0), run("right", 2, 0, 0), run("right", 1, 3, 0)]
    (found,) = criteria.starts_criteria({"runs": runs})
    assert (found.reached, found.met) == ("right: a", None)  # three conditions are missing
    runs += [run(name, 0, 0, 0) for name in ("decay", "shuffled", "wrong") for _ in range(3)]
    (found,) = criteria.starts_criteria({"runs": runs})
    assert found.reached == "right: a; decay: none; shuffled: none; wrong: none"
    assert found.met is True


def test_freezing_is_drawn_of_single_changes(tmp_path: Path) -> None:
    causes = {"noted": [4, 2], "moved": [40, 0], "below_half": [0, 20], "latched": [0, 20]}
    variant = {"curve": [1.0, 0.5, 0.0], "freezing": {"numbers": 10}, "causes": causes}
    tracers = {"times": [0, 9, 100], "windows": [90, 100], "equal_to_the_bit": True,
               "variants": {"live": variant, plot.LIVE: variant}}  # fmt: skip
    figure = plot.freezing_figure({"ablation": {"runs": [{"tracers": tracers}] * 2}})
    survival, shares = figure.axes
    assert list(survival.lines[0].get_ydata()) == [1.0, 0.5, 0.0]
    assert [list(line.get_ydata()) for line in shares.lines] == [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
    assert not plot.freezing_figure({}).axes[0].lines


def test_a_wrong_part_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--part", "nothing"])
    assert stop.value.code == 2 and "nothing" in capsys.readouterr().err
