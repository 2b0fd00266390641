"""The example of docs/GROWTH.md runs as it stands."""

import re
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "GROWTH.md"


def test_the_example_runs(capsys):
    examples = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)
    assert len(examples) == 1
    exec(compile(examples[0], str(GUIDE), "exec"), {})
    assert "the same function" in capsys.readouterr().out
