"""`usher demo` from beginning to end: real broker, simulated fleet, real daemon, each a process."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from usher.children import usher

pytestmark = pytest.mark.network


@contextmanager
def demo(directory: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A demonstration under way, which ends with the test however that ends."""
    command = usher("demo", "--dir", str(directory), *words)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def descendants(pid: int) -> list[int]:
    """The processes below a process, all generations."""
    threads = Path(f"/proc/{pid}/task")
    below = [int(child) for task in threads.iterdir() for child in (task / "children").read_text().split()]
    return below + [each for child in below for each in descendants(child)]


def all_ended(handles: list[int]) -> bool:
    """Whether all these processes end."""
    ended = [bool(select.select([handle], [], [], PATIENCE)[0]) for handle in handles]
    for handle in handles:
        os.close(handle)
    return all(ended)


def until(running: subprocess.Popen[str], words: str) -> list[str]:
    """The lines that it prints up to one with these words; fails if it ends before."""
    assert running.stdout is not None
    lines: list[str] = []
    while not lines or words not in lines[-1]:
        line = running.stdout.readline()
        assert line, lines
        lines.append(line.rstrip("\n"))
    return lines


def test_all_are_provisioned_and_what_it_says_is_true(tmp_path: Path):
    state = tmp_path / "demo" / "state"
    with demo(tmp_path / "demo", "--nodes", "5", "--keep") as running:
        lines = until(running, "until Ctrl-C")
        assert any(line.endswith("5 of 5 provisioned") for line in lines)
        assert any(line.startswith("5 nodes were provisioned in ") for line in lines)
        assert "\x1b" not in "".join(lines)
        tried = [line.split()[1:] for line in lines if line.startswith("  usher ")]
        for words in tried:
            assert words[-2:] == ["--state", str(state)]
            done = subprocess.run(usher(*words), capture_output=True, text=True, check=False, timeout=PATIENCE)
            assert (done.returncode, done.stderr) == (0, ""), words
        below = [os.pidfd_open(pid) for pid in descendants(running.pid)]
        running.send_signal(signal.SIGINT)
        _, wrong = running.communicate(timeout=PATIENCE)
    assert (running.returncode, wrong) == (0, "")
    assert len(tried) >= 4
    assert len(below) >= 3
    assert all_ended(below)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_nothing_is_left_of_it_whatever_ends_it(tmp_path: Path, number: signal.Signals, code: int):
    with demo(tmp_path / "demo", "--nodes", "20") as running:
        until(running, "0 of 20 provisioned")
        below = [os.pidfd_open(pid) for pid in descendants(running.pid)]
        running.send_signal(number)
        running.communicate(timeout=PATIENCE)
    assert len(below) >= 3
    assert all_ended(below)
    assert running.returncode == code


def test_a_directory_that_is_not_empty_is_refused(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("mine")
    with demo(tmp_path) as running:
        said, wrong = running.communicate(timeout=PATIENCE)
    assert (running.returncode, said) == (2, "")
    assert "not empty" in wrong
    assert "Traceback" not in wrong


def test_numbers_that_are_none_are_refused(tmp_path: Path):
    with demo(tmp_path / "demo", "--nodes", "many") as running:
        _, wrong = running.communicate(timeout=PATIENCE)
    assert running.returncode == 2
    assert "'many' is not a number of nodes" in wrong
