"""docs/MODULAR.md has the flags and the constants of the code."""

import re

from prism.modular import KINDS, backbone, output_penalty
from tests.docs import pages

PAGE = "docs/MODULAR.md"


def test_every_kind_has_its_flag_on_the_page():
    named = set(re.findall(pages.FLAG, pages.text(PAGE)))
    assert {f"--modular-{kind}-ckpt" for kind in KINDS} <= named


def test_its_constants_are_those_of_the_code():
    text = pages.text(PAGE)
    assert "OUTPUT_PENALTY" in text and 0 < output_penalty.OUTPUT_PENALTY < 1
    assert "UNIT_INPUT_RATE" in text and 0 < backbone.UNIT_INPUT_RATE < 1
    assert "OUT_OF_DOMAIN_FACTOR" in text and output_penalty.OUT_OF_DOMAIN_FACTOR > 1
