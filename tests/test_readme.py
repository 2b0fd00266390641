"""README keeps its word: its commands run, its Python runs, and what it points to is there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = ("README.md", "CHANGELOG.md", "docs/ARCHITECTURE.md")

NOT_RUN = {
    "make compare": "10 minutes; tests/test_train_cli.py makes a small comparison",
    "make test": "this is it",
    "pip install -c constraints.txt -e '.[dev]'": "changes the environment of the tests",
    "python -m prism.train --compare --full --out runs/full": "hours; tests/compare do it small",
    "python -m benchmarks.results --import runs/full/results.json": "needs the run before it; "
    "tests/benchmarks/test_results.py imports a small one",
    "python -m benchmarks.speed": "long; run below with --quick",
    "python -m benchmarks.specialisation": "long; tests/benchmarks/test_ablation.py does it small",
    "python -m benchmarks.results": "rewrites pages of the checkout; run below with --check",
    "python -m renders.figures": "needs the full run; tests/benchmarks/test_renders.py draws one",
}


def blocks(*languages: str) -> list[str]:
    """Bodies of the fenced blocks in one of ``languages``, in order."""
    fences = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [body for language, body in fences if language in languages]


def commands() -> list[str]:
    """Every line of an ``sh`` block, and what follows the prompt in a ``console`` block."""
    plain = [line for body in blocks("sh") for line in body.splitlines() if line.strip()]
    prompted = [
        line.removeprefix("$ ")
        for body in blocks("console")
        for line in body.splitlines()
        if line.startswith("$ ")
    ]
    return prompted + plain


def test_every_command_runs(tmp_path):
    """In the order of the page, in one empty folder: a later command may need an earlier one."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    for command in commands():
        if command in NOT_RUN:
            continue
        program, *arguments = shlex.split(command)
        assert program == "python", f"{command}: neither run by this test nor listed in NOT_RUN"
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def test_what_is_not_run_is_on_the_page():
    assert set(NOT_RUN) <= set(commands())


def test_the_python_blocks_run_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for number, body in enumerate(blocks("python"), start=1):
        exec(compile(body, f"README.md, Python block {number}", "exec"), namespace)


def test_the_first_screen_has_the_picture_and_both_tables():
    assert '<img src="renders/architecture.png" width="900"' in README
    for part in ("quick", "results"):
        assert README.count(f"<!-- {part}:begin -->") == README.count(f"<!-- {part}:end -->") == 1


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_points_to_is_there(page):
    text = (ROOT / page).read_text("utf-8")
    links = re.findall(r"\]\(([^)#]+)", text) + re.findall(r'src="([^"]+)"', text)
    near = [(ROOT / page).parent / link for link in links if "://" not in link]
    named = [ROOT / name for name in re.findall(r"`((?:prism|tests|tasks|docs)/[\w/.]*)`", text)]
    missing = [str(path) for path in near + named if not path.exists()]
    assert not missing


def test_every_anchor_of_the_architecture_is_a_heading():
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    known = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= known
