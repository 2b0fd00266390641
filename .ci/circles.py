"""Prints the import circles of a package: groups of modules that import one another.

    python .ci/circles.py [PACKAGE]

Strongly connected components of the module graph, each on a line. Imports inside functions count,
imports under ``TYPE_CHECKING`` do not. The exit status is 1 if there is a circle.
"""

import sys

import grimp


def circles(package: str) -> list[list[str]]:
    """Strongly connected components of two or more modules (Tarjan 1972)."""
    graph = grimp.build_graph(package, exclude_type_checking_imports=True, cache_dir=None)
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    components = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in sorted(graph.find_modules_directly_imported_by(module)):
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            cut = stack.index(module)
            components.append(sorted(stack[cut:]))
            del stack[cut:]

    for module in sorted(graph.modules):
        if module not in index:
            visit(module)
    return [component for component in components if len(component) > 1]


def main() -> int:
    """Print the circles of PACKAGE, ``prism`` by default."""
    package = sys.argv[1] if len(sys.argv) > 1 else "prism"
    components = circles(package)
    for component in components:
        print(" ".join(component))
    print(f"{len(components)} import circles in {package}")
    return 1 if components else 0


if __name__ == "__main__":
    sys.exit(main())
