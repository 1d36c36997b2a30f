"""Commands that only read are quick to start: they load nothing that writes, connects or opens what is sealed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("asyncio", "cryptography", "nats", "nacl", "transitions", "store.journal", "usher.run")
PROGRAM = """
import sys
from usher.cli import main
code = main(sys.argv[1:])
print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize("words", [("nodes", "list"), ("nodes", "why", "n"), ("nodes", "show", "n"), ("history", "n")])
def test_a_question_loads_nothing_heavy(tmp_path: Path, words: tuple[str, ...]):
    command = [sys.executable, "-P", "-c", PROGRAM, *words, "--state", str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    loaded = done.stderr.splitlines()[-1].split()
    assert "usher.views.common" in loaded
    assert [module for module in HEAVY if module in loaded] == []
