"""Runs the quick tests of the part that is being edited.

    python .ci/quick.py                  parts with uncommitted changes, else of the last commit
    python .ci/quick.py holo data        tests/holo and tests/data
    python .ci/quick.py studies/facts    tests/studies/facts

The tests of ``prism/NAME/`` are in ``tests/NAME/``, those of ``prism/NAME.py`` in
``tests/test_NAME*.py``. Tests marked ``slow`` or ``long`` (commands, pages, killed processes) are
left out; ``make test`` runs the long ones, ``make test-full`` all.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
OPTIONS = ("-n", "auto", "--maxprocesses", "4", "--dist", "worksteal")


def git(*arguments: str) -> list[str]:
    """Lines that a git command prints."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def changed() -> list[str]:
    """Files that differ from the last commit, new ones too; if none does, those it changed."""
    edited = git("diff", "--name-only", "HEAD")
    edited += git("ls-files", "--others", "--exclude-standard")
    return edited or git("show", "--name-only", "--format=", "HEAD")


def tests_of(file: str) -> set[Path]:
    """Test files and folders that mirror ``file``, a path from the root of the checkout."""
    path = Path(file)
    if path.parts[0] == "tests" and path.name.startswith("test_"):
        return {ROOT / path} if (ROOT / path).exists() else set()
    inner = path.parent
    if inner.parts[:1] in (("prism",), ("tests",)):
        inner = Path(*inner.parts[1:])
    while inner.parts:
        if (TESTS / inner).is_dir():
            return {TESTS / inner}
        inner = inner.parent
    if path.suffix != ".py":
        return set()
    if (TESTS / path.stem).is_dir():  # prism/ingest.py: tests/ingest
        return {TESTS / path.stem}
    own = set(TESTS.glob(f"test_{path.stem}*.py"))
    return own or set(TESTS.rglob(f"test_{path.parts[0]}.py"))


def main(parts: list[str]) -> int:
    """Run the tests of ``parts``, by default of what was changed; the exit code."""
    paths = {TESTS / part for part in parts} or set().union(*map(tests_of, changed()))
    missing = [str(path.relative_to(TESTS)) for path in paths if not path.exists()]
    if missing:
        folders = sorted(p.name for p in TESTS.iterdir() if (p / "__init__.py").exists())
        print(f"PART={' '.join(missing)}: must be one of {', '.join(folders)}", file=sys.stderr)
        return 2
    inside = [path for path in paths if not paths & set(path.parents)]
    names = sorted(str(path.relative_to(ROOT)) for path in inside)
    if not names:
        print("no test mirrors what was changed; name a part: make quick PART=holo")
        return 0
    print(" ".join(["pytest", *names]), flush=True)
    command = [sys.executable, "-m", "pytest", *OPTIONS, "-m", "not slow and not long", *names]
    done = subprocess.run(command, cwd=ROOT)
    return 0 if done.returncode == 5 else done.returncode  # 5: every test there is a long one


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
