"""Facter as a program: what it says, and everything that it can do wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.house import ROOT
from usher.config.puppet import PUPPETS_OWN

CODE = "from usher.config.puppet import fact; print(repr(fact('networking.domain')))"
pytestmark = pytest.mark.skipif(Path(PUPPETS_OWN).exists(), reason="this machine has Puppet's own facter")


def fact(where: Path, script: str | None) -> str:
    """What a process finds whose PATH has this facter first."""
    if script is not None:
        program = where / "facter"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    environment = os.environ | {"PATH": f"{where}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", CODE], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.strip().strip("'")


def test_what_it_says_without_line_ends(tmp_path: Path):
    assert fact(tmp_path, 'test "$1" = networking.domain && printf "example.net\\r\\n"') == "example.net"


@pytest.mark.parametrize("script", [None, "exit 1", "echo example.net; exit 3", "kill -9 $$", "#", "echo wrong >&2"])
def test_whatever_goes_wrong_it_says_nothing(tmp_path: Path, script: str | None):
    assert fact(tmp_path, script) == ""


def test_a_flood_is_cut(tmp_path: Path):
    assert len(fact(tmp_path, "head -c 100000 /dev/zero | tr '\\0' x")) == 1024


def test_what_is_no_program_says_nothing(tmp_path: Path):
    (tmp_path / "facter").write_bytes(b"\x7fELF nonsense")
    (tmp_path / "facter").chmod(0o755)
    assert fact(tmp_path, None) == ""
