"""The page of a run shows all of its time, spikes that hide nothing, and words for names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from prism.engine.logs.panels import draw, in_words, spent
from prism.engine.logs.report import Samples, numbers, render
from prism.engine.settings import Settings
from prism.report import main, written
from tests.engine.fakes import fit, small_trainer


def panel(records: list[dict[str, Any]], title: str) -> Axes:
    return next(ax for ax in draw(records).axes if ax.get_title(loc="left") == title)


def logged(step: int, **more: Any) -> dict[str, Any]:
    return {"step": step, "loss": 2.0, "bits_per_byte": 2.9, "eta_seconds": 0.0, **more}


def saved(run: Path, records: list[dict[str, Any]], **settings: Any) -> Path:
    values = Settings(**settings).saved()
    (run / "settings.json").write_text(json.dumps(values))
    (run / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    return run


def test_the_time_is_that_of_all_records() -> None:
    """Validation and saving after the last log line count too."""
    records = [
        logged(10, wall_seconds=10.0, time={"gradients": 0.9, "other": 0.1}),
        {"step": 10, "held_out_loss": 2.0},
        logged(20, wall_seconds=20.0, time={"gradients": 0.5, "validation": 0.4, "other": 0.1}),
        {"step": 20, "wall_seconds": 6.0, "time": {"validation": 0.5, "saving": 0.5, "other": 0.0}},
    ]
    assert spent(records) == {"gradients": 19.0, "validation": 11.0, "saving": 3.0, "other": 3.0}
    ax = panel(records, "where the time went")
    assert [text.get_text() for text in ax.texts] == [
        "forward and backward passes: 19.0 s, 52.8%",
        "validation: 11.0 s, 30.6%",
        "saving: 3.0 s, 8.3%",
        "logging and the rest: 3.0 s, 8.3%",
    ]
    assert numbers(records)["time"] == "36.0 s"


def test_the_time_of_older_records_follows_from_their_steps() -> None:
    records = [
        {"step": step, "seconds_per_step": 0.5, "time": {"gradients": 0.8, "saving": 0.2}}
        for step in (10, 20)
    ]
    assert spent(records) == pytest.approx({"gradients": 8.0, "saving": 2.0})


@pytest.mark.parametrize("spike", [1.5, 7e4, float("nan")])
def test_a_spike_leaves_the_gradient_panel_readable(spike: float) -> None:
    records = [logged(step, grad_norm=0.5 + 0.01 * (step % 7)) for step in range(2, 200)]
    ax = panel([logged(1, grad_norm=spike), *records], "gradient norm")
    low, high = ax.get_ylim()
    assert ax.get_yscale() == "log"
    assert low < 0.5
    assert 1.5 <= high < 20
    above = [line for line in ax.lines if line.get_label() == "above"]
    assert len(above) == (spike == 7e4)


def test_the_running_median_of_a_short_run_follows_its_norms() -> None:
    ax = panel([logged(step, grad_norm=2.0**-step) for step in range(12)], "gradient norm")
    [median] = [line for line in ax.lines if line.get_label() == "running median"]
    values = list(median.get_ydata())
    assert values == sorted(values, reverse=True)
    assert values[0] > 50 * values[-1]


def test_norms_that_are_all_zero_draw_nothing_and_break_nothing() -> None:
    panel([logged(1, grad_norm=0.0)], "gradient norm")


def test_loads_are_drawn_where_a_router_chooses(tmp_path: Path) -> None:
    dense = [logged(s, loads={"neural": 1.0, "memory": 1.0}) for s in (1, 2)]
    sparse = [logged(s, loads={"neural": 0.9, "memory": 0.5}) for s in (1, 2)]
    assert "router loads" not in [ax.get_title(loc="left") for ax in draw(dense).axes]
    assert panel(sparse, "router loads").get_ylim() == (0.0, 1.02)
    assert "Every kind of expert runs on every token." in render(saved(tmp_path, dense))
    assert "Every kind" not in render(saved(tmp_path, sparse))


def test_no_legend_lies_over_the_lines() -> None:
    lives = {f"{2**i}": 1.0 + 0.1 * (i % 3) for i in range(12)}
    records = [
        logged(
            step,
            grad_norm=1.0,
            loads={"neural": 0.9, "memory": 0.5, "symbolic": 0.1},
            half_life_use=lives,
            held_out_bits_per_byte=3.0,
        )
        for step in range(1, 40)
    ]
    figure = draw(records)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    legends = [ax for ax in figure.axes if ax.get_legend() is not None]
    assert len(legends) == 4
    for ax in legends:
        box = ax.get_legend().get_window_extent(renderer)
        assert box.y0 >= ax.get_window_extent(renderer).y1 - 1
        assert box.x0 >= ax._left_title.get_window_extent(renderer).x1


def test_numbers_have_names_in_words() -> None:
    records = [
        logged(10, skipped=2, passes={"a": 0.5}, tokens_per_second=1234.5, memory_mib=300.4),
        {"step": 10, "tokens": 640, "held_out_bits_per_byte": 2.5},
        logged(20, passes={"a": 1.0}, tokens_per_second=1234.5, memory_mib=301.4),
        {"step": 20, "tokens": 1280, "held_out_bits_per_byte": 2.75},
        {"step": 20, "wall_seconds": 1.0, "time": {"saving": 1.0}},
    ]
    assert numbers(records) == {
        "held-out text": "2.7500 bits per byte",
        "held-out text, at its best": "2.5000 bits per byte",
        "training text": "2.9000 bits per byte",
        "training loss": "2.0000 nats per token",
        "data read": "1 pass",
        "speed": "1,234 tokens per second",
        "time": "1.0 s",
        "most memory": "301 MiB",
        "steps skipped as outliers": "2",
    }


def test_a_run_in_progress_says_what_is_to_come() -> None:
    assert numbers([logged(1) | {"eta_seconds": 3725.0}])["time to go"] == "1 h 2 min"


def test_only_chosen_settings_are_listed_with_their_meaning(tmp_path: Path) -> None:
    page = render(saved(tmp_path, [logged(1)], seq_len=64, set=("d_model=32",), steps=7))
    assert "<td>--seq-len</td><td>64</td><td>tokens per row and step</td>" in page
    assert "<td>--set</td><td>d_model=32</td>" in page
    assert "1 of 7 steps" in page
    assert "--beta2" not in page
    assert "--dry-run" not in page
    assert "eta_seconds" not in page


def test_samples_are_shown_as_text(tmp_path: Path) -> None:
    samples = Samples("The <b>", ["a\x00 & b\n"], "How.")
    page = render(saved(tmp_path, [logged(1)]), samples)
    text = "a\N{REPLACEMENT CHARACTER} &amp; b\n"
    assert f'<pre class="sample"><b>The &lt;b&gt;</b>{text}</pre>' in page


def test_the_model_of_the_run_writes_the_sample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert written(tmp_path, "The ", 5).note == "No text: there is no checkpoint yet."
    shape = ("d_model=16", "num_layers=1", "num_rates=2", "vocab_size=257")
    s = Settings(set=shape, seq_len=16, global_batch_size=1, steps=1, device="cpu")
    with small_trainer(s, tmp_path) as t:
        t.spec.identity["tokenizer"] = "bytes"
        fit(t)
        ids = torch.tensor(list(b"The "))
        with torch.no_grad():
            drawn = t.model.generate(ids, 5, temperature=0.8, seed=0)[4:].tolist()
    found = written(tmp_path, "The ", 5)
    expected = bytes(x for x in drawn[: (*drawn, 256).index(256)]).decode("utf-8", "replace")
    assert (found.prompt, found.texts[0]) == ("The ", expected)
    saved(tmp_path, [logged(1)])
    assert main([str(tmp_path), "--sample-tokens", "5"]) == 0
    assert "Text that it writes" in (tmp_path / "report.html").read_text()
    assert main([str(tmp_path), "--sample-tokens", "0"]) == 0
    assert "Text that it writes" not in (tmp_path / "report.html").read_text()
    for bad, says in ((("--sample-tokens", "-1"), "must be >= 0"), (("--prompt", ""), "empty")):
        with pytest.raises(SystemExit) as stop:
            main([str(tmp_path), *bad])
        assert stop.value.code == 2
        assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.25, "4.2 s"), (1009, "16 min 49 s"), (10_925, "3 h 2 min"), (360_000, "4 days 4 h")],
)
def test_times_are_in_words(seconds: float, text: str) -> None:
    assert in_words(seconds) == text
