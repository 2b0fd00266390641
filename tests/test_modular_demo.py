"""``python -m prism.modular_demo``: numbers, picture and sentences, and clear refusals."""

import json

import pytest

from prism import modular_demo
from prism.studies.modular.report import MODELS


def test_the_quick_demo_writes_numbers_and_a_picture(tmp_path, capsys):
    assert modular_demo.main(["--quick", "--out", str(tmp_path / "new")]) == 0
    said = capsys.readouterr().out
    result = json.loads((tmp_path / "new" / "modular.json").read_text())
    assert set(result["losses"]) == set(MODELS)
    for words in MODELS.values():
        assert words in said
    assert f"{result['measures']['worst_interference']:+.3f} nats" in said
    assert (tmp_path / "new" / "modular.png").read_bytes().startswith(b"\x89PNG")


def test_a_bad_seed_is_one_line(capsys):
    with pytest.raises(SystemExit) as caught:
        modular_demo.main(["--seed", "-1"])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert said == "prism.modular_demo: --seed -1: must be >= 0 and below 2**32\n"


def test_ctrl_c_is_no_traceback(monkeypatch, capsys, tmp_path):
    def stop(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(modular_demo, "experiment", stop)
    assert modular_demo.main(["--out", str(tmp_path)]) == 130
    assert "stopped" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
