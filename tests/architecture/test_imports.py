"""Imports point one way, and each library has its room (design.md §2)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.house import ROOT, imported, modules, name
from usher.house import PACKAGES

ROOMS: dict[str, tuple[str, ...]] = {
    "nats": ("transport/", "usher/simulator/"),
    "cryptography": ("security/",),
    "dns": ("transport/",),
    "nacl": ("security/",),
    "jwt": ("security/",),
    "sqlite3": ("store/",),
    "sqlite_utils": ("store/",),
    "prometheus_client": ("usher/",),
    "yaml": ("usher/",),
    "transitions": ("fsm/machine.py", "diagrams/"),
}
PURE = set(sys.stdlib_module_names) | {"fsm", "orjson", "transitions"}
every_module = pytest.mark.parametrize("path", modules(), ids=name)


def roots(path: Path) -> set[str]:
    return {used.partition(".")[0] for used in imported(path)}


@every_module
def test_a_library_stays_in_its_room(path: Path):
    strays = {library for library in roots(path) & ROOMS.keys() if not name(path).startswith(ROOMS[library])}
    assert not strays


@every_module
def test_the_machine_needs_next_to_nothing(path: Path):
    if name(path).startswith("fsm/"):
        assert roots(path) <= PURE


@every_module
def test_nothing_but_what_is_declared_is_imported(path: Path):
    known = set(sys.stdlib_module_names) | set(PACKAGES) | set(ROOMS) | {"orjson"}
    assert roots(path) <= known


@every_module
def test_no_relative_imports(path: Path):
    assert "from ." not in path.read_text()


def test_the_contracts_hold():
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
