"""Every check that depends on `strictness` is in the list that docs/checks.md is written from, and no other is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.house import ROOT
from usher.checks import OF_NODES, OF_SITES
from usher.pages import checks

_NAMED = re.compile(r"(csr|certificate)_[a-z_]+")
_VERIFIERS = ("security/csr.py", "security/supplied.py")


def parsed(path: str) -> Iterator[ast.AST]:
    return ast.walk(ast.parse((ROOT / path).read_text()))


def of_verifiers() -> set[str]:
    """The names in the modules that judge what nodes and helpers supply."""
    texts = {node.value for path in _VERIFIERS for node in parsed(path) if isinstance(node, ast.Constant)}
    return {text for text in texts if isinstance(text, str) and _NAMED.fullmatch(text)}


def of_claims() -> set[str]:
    """The names that a warning of the token's claims is kept under: `warnings[...] = NAME`."""
    names = {
        node.targets[0]: node.value for node in parsed("security/server_claims.py") if isinstance(node, ast.Assign)
    }
    used = {
        value.id for target, value in names.items() if isinstance(target, ast.Subscript) and isinstance(value, ast.Name)
    }
    return {
        node.value.value
        for node in parsed("security/server_claims.py")
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id in used
        and isinstance(node.value, ast.Constant)
    }  # fmt: skip


def of_files() -> set[str]:
    """The first words of problems that are fatal when it is strict."""
    found = {"ca_missing"}  # named in usher.config.appearance, since the configuration has problems of its own
    for path in sorted(str(each.relative_to(ROOT)) for each in (ROOT / "security").glob("*.py")):
        for node in parsed(path):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "Problem":
                continue
            if any(word.arg == "fatal" and getattr(word.value, "id", "") == "strict" for word in node.keywords):
                assert isinstance(node.args[0], ast.Constant)
                found.add(node.args[0].value)
    return found


def test_every_check_of_a_node_is_listed():
    assert set(OF_NODES) == of_verifiers() | of_claims()


def test_every_check_of_a_site_is_listed():
    assert set(OF_SITES) == of_files()


@pytest.mark.parametrize("name", [*OF_NODES, *OF_SITES])
def test_every_check_is_told(name: str):
    assert f"\n| `{name}` | " in checks()


@pytest.mark.parametrize("name", [*OF_NODES, *sorted(OF_SITES)])
def test_every_check_has_its_place_in_the_comparison(name: str):
    assert f"`{name}`" in (ROOT / "docs" / "compatibility.md").read_text()
