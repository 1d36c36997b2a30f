"""Imports point one way, and each library has its room (design.md §2)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def roots(path: Path) -> set[str]:
    return {used.partition(".")[0] for used in imported(path)}


def test_a_library_stays_in_its_room():
    strays = [
        (name(path), library)
        for path in modules()
        for library in sorted(roots(path) & ROOMS.keys())
        if not name(path).startswith(ROOMS[library])
    ]
    assert not strays


def test_the_machine_needs_next_to_nothing():
    assert not {name(path): roots(path) - PURE for path in modules() if is_pure(path) and roots(path) - PURE}


def is_pure(path: Path) -> bool:
    return name(path).startswith("fsm/")


def test_nothing_but_what_is_declared_is_imported():
    known = set(sys.stdlib_module_names) | set(PACKAGES) | set(ROOMS) | {"orjson"}
    assert not {name(path): roots(path) - known for path in modules() if roots(path) - known}


def test_no_relative_imports():
    assert not [name(path) for path in modules() if "from ." in path.read_text()]


def test_the_contracts_hold():
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
