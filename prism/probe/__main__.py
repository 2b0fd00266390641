"""``python -m prism.probe``: what a recorded matrix did, and what its tokens are."""

from __future__ import annotations

import sys

from prism.probe.commands import main

if __name__ == "__main__":
    sys.exit(main())
