"""The examples of docs/GROWTH.md run as they stand."""

import re
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "GROWTH.md"


def test_the_examples_run(capsys):
    growing, family = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)
    exec(compile(growing, str(GUIDE), "exec"), {})
    assert "the same function" in capsys.readouterr().out
    exec(compile(family, str(GUIDE), "exec"), {})
    assert capsys.readouterr().out.count("None") == 20  # the blocks of 350m that are new
