"""The command asks whose packages these are before it imports any of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.architecture.house import ROOT


def test_a_stranger_called_fsm_is_named_and_not_run(tmp_path: Path):
    (tmp_path / "fsm").mkdir()
    (tmp_path / "fsm" / "__init__.py").write_text("raise SystemExit('the stranger ran')\n")
    code = "from usher.entry import main; raise SystemExit(main())"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert str(tmp_path) in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "the stranger ran" not in ended.stderr + ended.stdout


def test_streams_that_are_closed_are_no_bug():
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        command = f'exec "{sys.executable}" -P -m usher diagram {closed}'
        ended = subprocess.run(["/bin/sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (closed, ended.returncode, ended.stderr) == (closed, 0, "")


def test_an_answer_that_cannot_be_written_is_a_sentence(tmp_path: Path):
    command = f'exec "{sys.executable}" -P -m usher check-config --config "{tmp_path}/none" > /dev/full'
    ended = subprocess.run(["/bin/sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("usher: the answer could not be written: ")
