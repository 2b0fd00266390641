"""Mark of tests that need spaCy and its model: skipped without them, an error under
PRISM_TEST_MIND, so that ``make test-mind`` cannot pass by skipping."""

from __future__ import annotations

import os

import pytest

from prism.mind.perceive import parser

if os.environ.get("PRISM_TEST_MIND"):
    parser.load()

needs_parser = pytest.mark.skipif(not parser.available(), reason=parser.INSTALL)
