"""docs/MODULAR.md: its Python runs, and its flags, constants and links are those of the code."""

import re
from pathlib import Path

from prism.engine.flags import flag_name
from prism.engine.settings import Settings
from prism.model import loudness
from prism.modular import KINDS, trunk

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "MODULAR.md").read_text("utf-8")


def test_the_code_of_the_guide_runs(capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.M | re.S)
    exec(compile(code, "MODULAR.md", "exec"), {})
    assert capsys.readouterr().out.startswith("trunk ")


def test_its_flags_exist():
    known = {flag_name(name) for name in Settings.__dataclass_fields__}
    named = set(re.findall(r"--[a-z][a-z-]+", TEXT))
    assert named <= known
    assert {f"--modular-{kind}-ckpt" for kind in KINDS} <= named


def test_what_it_names_is_there():
    for name in ("SPEECH_COST", "LANE_RATE"):
        assert name in TEXT and 0 < getattr(trunk, name) < 1
    assert "GUEST_COST" in TEXT and loudness.GUEST_COST > 1
    for link in re.findall(r"\]\(([^)#:]+)\)", TEXT):
        assert (ROOT / "docs" / link).exists(), link
    for path in re.findall(r"`((?:prism|tests)/[\w/.]+)`", TEXT):
        assert (ROOT / path).exists(), path
