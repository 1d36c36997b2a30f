"""The house as text: its rooms, its modules, and what they import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from usher.house import PACKAGES

ROOT = Path(__file__).parent.parent.parent


def name(path: Path) -> str:
    """The path as messages say it."""
    return path.relative_to(ROOT).as_posix()


def modules() -> list[Path]:
    """Every module of the packages."""
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def scripts() -> list[Path]:
    """Tests and benchmarks."""
    return sorted(path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    """The syntax of a module."""
    return ast.parse(path.read_text(), filename=name(path))


@cache
def imported(path: Path) -> tuple[str, ...]:
    """The dotted names of the modules that a module imports, wherever in it."""
    found: list[str] = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(found)


@cache
def calls(path: Path) -> tuple[tuple[str, ast.Call], ...]:
    """Every call of a name, with that dotted name."""
    nodes = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    return tuple((called, node) for node in nodes if (called := dotted(node.func)))


def dotted(node: ast.expr) -> str:
    """The dotted name that an expression is; empty if it is something else."""
    if isinstance(node, ast.Name):
        return node.id
    before = dotted(node.value) if isinstance(node, ast.Attribute) else ""
    return f"{before}.{node.attr}" if before and isinstance(node, ast.Attribute) else ""


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public(within: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """The functions, classes and methods whose names do not begin with an underscore."""
    for node in within.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node, f"{node.name}.")
