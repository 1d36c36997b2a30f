"""Processes of our own: their output is kept, their end is known, and nothing of them is left."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from usher.children import Child, usher

IDLE = "import signal; signal.pause()"
SAY = "import signal, subprocess, sys; say = lambda words: open(sys.argv[1], 'w').write(str(words))"
DEAF = f"{SAY}; signal.signal(signal.SIGTERM, signal.SIG_IGN); say('deaf'); signal.pause()"
PARENT = f"{SAY}; say(subprocess.Popen([sys.executable, '-S', '-c', {IDLE!r}]).pid); signal.pause()"


def python(code: str, *words: object) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code, *map(str, words)]


@pytest.fixture
def ear(tmp_path: Path) -> Path:
    """A pipe with a name: to read it is to wait for what the child says and closes."""
    path = tmp_path / "ear"
    os.mkfifo(path)
    return path


async def test_its_output_and_its_exit_code_are_kept(tmp_path: Path):
    child = Child(
        "it", python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"), tmp_path / "log"
    )
    child.start()
    assert await child.ended == 7
    assert sorted(child.tail()) == ["err", "out"]
    assert child.pid == 0


async def test_it_is_asked_to_end(tmp_path: Path):
    child = Child("it", python(IDLE), tmp_path / "log")
    child.start()
    assert child.pid > 0
    await child.stop()
    assert child.ended.result() == -signal.SIGTERM


async def test_one_that_does_not_listen_is_ended_all_the_same(tmp_path: Path, ear: Path):
    child = Child("it", python(DEAF, ear), tmp_path / "log")
    child.start()
    assert await asyncio.to_thread(ear.read_text) == "deaf"
    await child.stop(seconds=0.01)
    assert child.ended.result() == -signal.SIGKILL


async def test_nothing_of_its_group_is_left(tmp_path: Path, ear: Path):
    child = Child("it", python(PARENT, ear), tmp_path / "log")
    child.start()
    grandchild = os.pidfd_open(int(await asyncio.to_thread(ear.read_text)))
    await child.stop()
    ended, _, _ = select.select([grandchild], [], [], PATIENCE)
    os.close(grandchild)
    assert ended


OWNER = f"""
import asyncio, sys
from pathlib import Path
from usher.children import Child
async def main():
    child = Child("it", [sys.executable, "-S", "-c", {IDLE!r}], Path(sys.argv[1]))
    child.start()
    print(child.pid, flush=True)
    await child.ended
asyncio.run(main())
"""


async def test_it_ends_when_its_owner_is_killed(tmp_path: Path, root: Path):
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c", OWNER, tmp_path / "log",
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert owner.stdout is not None
    child = os.pidfd_open(int(await owner.stdout.readline()))
    owner.kill()
    await owner.wait()
    ended, _, _ = select.select([child], [], [], PATIENCE)
    os.close(child)
    assert ended, "the child outlived its owner"


async def test_to_stop_twice_is_to_stop_once(tmp_path: Path):
    child = Child("it", python("pass"), tmp_path / "log")
    child.start()
    await child.ended
    await child.stop()
    await child.stop()
    assert child.ended.result() == 0


async def test_a_program_that_is_not_there_says_so_in_the_log(tmp_path: Path):
    child = Child("it", [str(tmp_path / "nothing")], tmp_path / "log")
    child.start()
    assert await child.ended == 1
    assert child.tail() == [f"cannot start {tmp_path / 'nothing'}: No such file or directory"]


async def test_one_that_was_never_started_is_no_trouble(tmp_path: Path):
    child = Child("it", python("pass"), tmp_path / "log")
    await child.stop()
    assert child.tail() == []
    with pytest.raises(RuntimeError, match="it was not started"):
        _ = child.ended


async def test_the_tail_is_the_end_of_a_long_log(tmp_path: Path):
    child = Child("it", python("[print('x' * 80, number) for number in range(1000)]"), tmp_path / "log")
    child.start()
    await child.ended
    assert [line.split()[1] for line in child.tail(3)] == ["997", "998", "999"]


def test_a_command_of_ours_never_takes_the_working_directory():
    assert usher("run", "--debug")[1] == "-P"
    assert usher("run", "--debug")[-2:] == ["run", "--debug"]
