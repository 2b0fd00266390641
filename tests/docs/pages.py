"""The pages of documentation: their code blocks, commands, links, and the names that they use."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import re
import runpy
import shlex
import sys
import warnings
from functools import cache
from pathlib import Path

from prism.distill.commands import DEEDS

ROOT = Path(__file__).parents[2]
FOLDERS = ("prism", "tests", "tasks", "docs", "benchmarks", "renders", "examples")
PROGRAM = re.compile(r"(python|torchrun|make|pip|apt-get|for|rm) ")
FLAG = r"(?<![\w-])--[a-z][a-z0-9_-]*"


def pages() -> list[str]:
    """Every page, as a path from the root of the checkout; docs/LOG.md is history, and names what
    is no longer there."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("prism/**/README.md")]
    names = sorted(str(path.relative_to(ROOT)) for path in found)
    return [name for name in names if name != "docs/LOG.md"]


@cache
def text(page: str) -> str:
    """All of a page."""
    return (ROOT / page).read_text("utf-8")


@cache
def functions(file: str) -> set[str]:
    """Names of the functions of a file, without those in classes."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def blocks(page: str, *languages: str) -> list[str]:
    """Bodies of the fenced blocks in one of ``languages``, in order; ``""`` = none is named."""
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", text(page), re.MULTILINE | re.DOTALL)
    return [body for language, body in fences if language in languages]


def commands(page: str) -> list[tuple[str, str | None]]:
    """Every command of the page in order, and its output where the page shows it: the lines of
    ``sh`` and unnamed blocks, and what follows the prompt of a ``console`` block."""
    found: list[tuple[str, str | None]] = []
    for body in blocks(page, "console", "sh", ""):
        if body.startswith("$ "):
            for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n")
                found.append((command, output))
        else:
            found += [(line, None) for line in body.splitlines() if PROGRAM.match(line)]
    return found


def run_python(page: str) -> None:
    """Execute the Python blocks one after the other, in one namespace."""
    namespace: dict[str, object] = {}
    for number, body in enumerate(blocks(page, "python"), start=1):
        exec(compile(body, f"{page}, Python block {number}", "exec"), namespace)


def run(command: str) -> int:
    """Exit code of ``python -m MODULE ...``, run in this process, where imports are warm."""
    python, flag, module, *arguments = shlex.split(command)
    assert (python, flag) == ("python", "-m"), f"{command}: neither run nor listed in NOT_RUN"
    before = sys.argv
    sys.argv = [module, *arguments]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*found in sys.modules", RuntimeWarning)
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        return stop.code or 0
    finally:
        sys.argv = before
    return 0


def module_of(command: str) -> tuple[str, tuple[str, ...]] | None:
    """Module of this project that a command runs, and its arguments before the first flag."""
    words = shlex.split(command, comments=True)
    if "-m" not in words or words[0] not in ("python", "torchrun"):
        return None
    module, *rest = words[words.index("-m") + 1 :]
    leading = [word for i, word in enumerate(rest) if not any(w[0] == "-" for w in rest[: i + 1])]
    return module, tuple(leading)


@cache
def flags(module: str, leading: tuple[str, ...] = ()) -> frozenset[str]:
    """Flags in the help of a command."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        assert run(shlex.join(["python", "-m", module, *leading, "--help"])) == 0
    return frozenset(re.findall(FLAG, shown.getvalue()))


def every_flag() -> frozenset[str]:
    """Flags of all commands of the project."""
    packages = [path.parent for path in ROOT.glob("[br]*/*/__main__.py")]
    files = [*ROOT.glob("[pbr]*/*.py"), *ROOT.glob("benchmarks/*/study.py")]
    single = [p for p in files if '__name__ == "__main__"' in p.read_text()]
    modules = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in [*packages, *single]]
    deeds = {
        "prism.tokenizer": ("train", "cut"),
        "prism.kb": ("import", "export"),
        "prism.distill": tuple(DEEDS),
        "prism.probe": ("text", "replay", "census", "dead"),
    }
    theirs = [flags(module, (deed,)) for module, names in deeds.items() for deed in names]
    return frozenset().union(*theirs, *(flags(x) for x in modules if x != "benchmarks"))


def is_module(name: str) -> bool:
    """Whether a dotted name can be imported."""
    return importlib.util.find_spec(name) is not None


def links(page: str) -> list[Path]:
    """Files that a page links to or shows."""
    found = re.findall(r"\]\(([^)#\s]+)", text(page)) + re.findall(r'src="([^"]+)"', text(page))
    return [(ROOT / page).parent / link for link in found if "://" not in link]


def named_paths(page: str) -> list[str]:
    """Files and folders that a page names in backticks: from the root of the checkout, from the
    folder of the page, or with a ``*``."""
    names = re.findall(r"`([\w.*-]+(?:/[\w.*-]*)+|[\w*-]+\.(?:py|md|json|toml))`", text(page))
    return [
        name
        for name in names
        if name.split("/")[0] in FOLDERS or (name.endswith((".py", ".md")) and "*" not in name)
    ]


def exists(page: str, name: str) -> bool:
    """Whether a path that ``page`` names is there, or said to be not measured yet; a bare name on
    the page of a package may be anywhere in the package, or in its tests."""
    if f"Not measured yet: `{name}`" in text(page):
        return True
    near = (ROOT / page).parent
    if near.is_relative_to(ROOT / "prism") and "/" not in name:
        tests = ROOT / "tests" / near.relative_to(ROOT / "prism")
        return any(near.rglob(name)) or any(tests.rglob(name))
    return any(any(base.glob(name)) for base in (ROOT, near, ROOT / "prism"))


def anchors(page: str) -> set[str]:
    """Anchors of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}
