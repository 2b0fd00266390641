"""docs/MODULAR.md has the flags and the constants of the code."""

import re

from prism.model import loudness
from prism.modular import KINDS, trunk
from tests.docs import pages

PAGE = "docs/MODULAR.md"


def test_every_kind_has_its_flag_on_the_page():
    named = set(re.findall(pages.FLAG, pages.text(PAGE)))
    assert {f"--modular-{kind}-ckpt" for kind in KINDS} <= named


def test_its_constants_are_those_of_the_code():
    for name in ("SPEECH_COST", "LANE_RATE"):
        assert name in pages.text(PAGE) and 0 < getattr(trunk, name) < 1
    assert "GUEST_COST" in pages.text(PAGE) and loudness.GUEST_COST > 1
