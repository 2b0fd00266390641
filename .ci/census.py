"""Counts the size of a checkout: files, module-level definitions and lines, by package.

    python .ci/census.py [ROOT]

A definition is a class or a function at the top level of a module, private ones included.
"""

import ast
import sys
from collections import Counter
from pathlib import Path

PACKAGES = ("prism", "tasks", "benchmarks", "renders", "tests")


def census(root: Path) -> dict[str, Counter]:
    """By package of ``root``: files, definitions, lines."""
    found = {}
    for name in PACKAGES:
        found[name] = counts = Counter()
        for path in (root / name).rglob("*.py"):
            text = path.read_text("utf-8")
            body = ast.parse(text).body
            counts["files"] += 1
            counts["lines"] += text.count("\n")
            counts["definitions"] += sum(
                isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                for node in body
            )
    return found


def fullest(root: Path) -> tuple[str, int]:
    """The package of ``prism`` with the most files beside its subfolders and ``__init__.py``; the
    root, which holds the commands, is not counted."""
    sizes = {
        str(folder.relative_to(root)): sum(p.stem != "__init__" for p in folder.glob("*.py"))
        for folder in (root / "prism").rglob("*")
        if folder.is_dir()
    }
    name = max(sizes, key=sizes.__getitem__)
    return name, sizes[name]


def main() -> None:
    """Print the counts of the checkout at ROOT."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    for name, counts in census(root).items():
        row = "  ".join(f"{counts[k]:6,} {k}" for k in ("files", "definitions", "lines"))
        print(f"{name:10} {row}")
    name, size = fullest(root)
    print(f"fullest package: {name}, {size} files")


if __name__ == "__main__":
    main()
