"""docs/MODULAR.md: its Python runs, and its flags, constants and links are those of the code."""

import re
from pathlib import Path

from prism.engine.flags import flag_name
from prism.engine.settings import Settings
from prism.modular import KINDS, backbone, output_penalty

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "MODULAR.md").read_text("utf-8")


def test_the_code_of_the_guide_runs(capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.M | re.S)
    exec(compile(code, "MODULAR.md", "exec"), {})
    assert capsys.readouterr().out.startswith("backbone ")


def test_its_flags_exist():
    known = {flag_name(name) for name in Settings.__dataclass_fields__}
    named = set(re.findall(r"--[a-z][a-z-]+", TEXT))
    assert named <= known
    assert {f"--modular-{kind}-ckpt" for kind in KINDS} <= named


def test_what_it_names_is_there():
    for name, value in (
        ("OUTPUT_PENALTY", output_penalty.OUTPUT_PENALTY),
        ("UNIT_INPUT_RATE", backbone.UNIT_INPUT_RATE),
    ):
        assert name in TEXT and 0 < value < 1
    assert "OUT_OF_DOMAIN_FACTOR" in TEXT and output_penalty.OUT_OF_DOMAIN_FACTOR > 1
    for link in re.findall(r"\]\(([^)#:]+)\)", TEXT):
        assert (ROOT / "docs" / link).exists(), link
    for path in re.findall(r"`((?:prism|tests)/[\w/.]+)`", TEXT):
        assert (ROOT / path).exists(), path
