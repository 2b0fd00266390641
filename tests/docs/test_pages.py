"""What a page names is there: files, links, anchors, modules, flags, targets of the Makefile."""

from __future__ import annotations

import re

import pytest

from tests.docs import pages
from tests.docs.pages import ROOT

pytestmark = pytest.mark.long
PAGES = pages.pages()
FOREIGN = {"--nproc_per_node", "--no-deps", "--help"}  # flags of torchrun and pip


@pytest.mark.parametrize("page", PAGES)
def test_links_and_anchors_lead_somewhere(page: str) -> None:
    assert not [str(path) for path in pages.links(page) if not path.exists()]
    assert set(re.findall(r"\]\(#([^)]+)\)", pages.text(page))) <= pages.anchors(page)


@pytest.mark.parametrize("page", PAGES)
def test_named_files_are_there(page: str) -> None:
    assert not [name for name in pages.named_paths(page) if not pages.exists(page, name)]


@pytest.mark.parametrize("page", PAGES)
def test_modules_and_their_flags_exist(page: str) -> None:
    text = pages.text(page)
    modules = set(re.findall(r"-m ((?:prism|benchmarks|renders|tasks)[\w.]*\w)", text))
    assert not [name for name in modules if not pages.is_module(name)]
    for command, _ in pages.commands(page):
        found = pages.module_of(command)
        if found is not None and found[0] in modules:
            given = set(re.findall(pages.FLAG, command.partition(f"-m {found[0]}")[2]))
            assert given <= pages.flags(*found), command
    known = pages.every_flag() | FOREIGN
    unknown = set(re.findall(pages.FLAG, text)) - known
    assert not {flag for flag in unknown if not flag.endswith("-")}


@pytest.mark.parametrize("page", PAGES)
def test_targets_of_the_makefile_exist(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = re.findall(r"(?:^|`)make ([a-z-]+)", pages.text(page), re.MULTILINE)
    assert not [target for target in named if f"\n{target}:" not in makefile]
