"""Real processes: everything that a helper can do wrong, and what is left behind afterwards."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fsm.errors import HelperError
from fsm.ports import HelperCall, HelperReply
from fsm.reasons import Reason
from helpers.runners.exec import ExecHelper, ExecSettings
from tests.patience import PATIENCE


class Fifo:
    """A named pipe: what processes write to it, and whether any still holds it open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    async def line(self) -> str:
        """What was written up to the next newline."""
        said = b""
        while not said.endswith(b"\n"):
            await self._readable()
            said += os.read(self._fd, 1)
        return said.decode().strip()

    async def released(self) -> None:
        """Wait until every process that held it open has ended."""
        while self._held():
            await self._readable()

    def _held(self) -> bool:
        try:
            return os.read(self._fd, 100) != b""
        except BlockingIOError:
            return True

    async def _readable(self) -> None:
        readable = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._fd, readable.set)
        try:
            async with asyncio.timeout(PATIENCE):
                await readable.wait()
        finally:
            loop.remove_reader(self._fd)

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
async def fifo(tmp_path: Path) -> AsyncIterator[Fifo]:
    fifo = Fifo(tmp_path / "fifo")
    yield fifo
    fifo.close()


@pytest.fixture
def script(tmp_path: Path):
    def write(body: str, settings: ExecSettings | None = None) -> ExecHelper:
        path = tmp_path / "helper.sh"
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return ExecHelper(str(path), settings or ExecSettings(workers=4))

    return write


def ask(helper: ExecHelper, inventory: str = "{}", **environment: str):
    return helper.run(HelperCall("n1", inventory, None, {"cht": "node-s3cret"}, environment))


async def refusal(helper: ExecHelper, inventory: str = "{}") -> HelperError:
    with pytest.raises(HelperError) as caught:
        await ask(helper, inventory)
    return caught.value


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def alive(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


async def test_environment_and_directory_are_inherited_and_only_our_names_are_added(script):
    helper = script('echo "{\\"msg\\":\\"$USHER_EFFECT_ID|$OTHER|$PWD|${PATH:+path}\\"}"')
    reply = await ask(helper, USHER_EFFECT_ID="e1", OTHER="not ours")
    assert reply.msg == f"e1||{Path.cwd()}|path"


async def test_standard_input_is_a_pipe_that_can_be_opened_by_name_and_ends(script):
    helper = script('test -p /dev/stdin && echo "{\\"msg\\":\\"$(wc -c < /dev/stdin | tr -d " ")\\"}"')
    inventory = "x" * 1_000_000
    assert int((await ask(helper, inventory)).msg) > len(inventory)


async def test_a_helper_that_reads_nothing_is_fine(script):
    helper = script("exec 0<&-\necho '{}'")
    assert await ask(helper, "x" * 1_000_000) == HelperReply()


async def test_what_it_says_on_standard_error_is_kept_redacted_and_capped(script):
    body = "echo site-s3cret >&2; yes 0000000000 | head -n 500 >&2; printf ' end' >&2; echo '{}'"
    reply = await ask(script(body, ExecSettings(workers=1, secrets=("site-s3cret",), max_stderr=100)))
    assert len(reply.stderr) == 100
    assert reply.stderr.endswith("00\n end")
    reply = await ask(script("printf 'node-s3cret site-s3cret \\033[1m' >&2; echo '{}'"))
    assert reply.stderr == "[redacted] site-s3cret \\x1b[1m"


async def test_half_of_a_long_secret_is_not_kept_either(script):
    body = "printf eyJ%0900d >&2; printf '\\nthe end' >&2; echo '{}'"
    assert (await ask(script(body, ExecSettings(workers=1, max_stderr=100)))).stderr == "… the end"


@pytest.mark.parametrize(
    ("body", "reason", "says"),
    [
        ("echo oops >&2\nexit 7", Reason.HELPER_FAILED, "exit status 7"),
        ("kill -TERM $$", Reason.HELPER_FAILED, "signal SIGTERM"),
        ("exit 0", Reason.HELPER_NO_OUTPUT, "nothing"),
        ("echo '{}'; exit 1", Reason.HELPER_FAILED, "exit status 1"),
        ("echo hello", Reason.HELPER_BAD_OUTPUT, "line 1 column 1"),
        ("head -c 2000000 /dev/zero", Reason.HELPER_BAD_OUTPUT, "helper_max_output"),
        ("yes", Reason.HELPER_BAD_OUTPUT, "helper_max_output"),
    ],
)
async def test_each_failure_has_its_reason(script, body: str, reason: Reason, says: str):
    error = await refusal(script(body))
    assert error.reason is reason
    assert says in error.detail
    assert error.stderr == ("oops" if "oops" in body else "")
    assert error.stdout == ("hello" if "hello" in body else "")
    assert "hello" not in str(error)
    assert "oops" not in str(error)


async def test_what_it_prints_in_place_of_an_answer_is_kept_apart_and_an_answer_is_not(script):
    error = await refusal(script("echo 'the CA says: node-s3cret\033 no'; exit 1"))
    assert error.stdout == "the CA says: [redacted]\\x1b no"
    assert (await refusal(script("""echo '{"configuration": {"a": "secret"}, "defer": 5}'"""))).stdout == ""
    assert (await refusal(script("""echo '{"configuration": {"a": "secret"}}'; exit 1"""))).stdout == ""


async def test_a_helper_that_cannot_be_started_says_why_and_what_to_do(tmp_path: Path):
    text = tmp_path / "text"
    text.write_text("no interpreter")
    expected = {str(tmp_path / "absent"): "check the setting helper", str(text): "make it executable"}
    for command, says in expected.items():
        error = await refusal(ExecHelper(command, ExecSettings(workers=1)))
        assert error.reason is Reason.HELPER_NOT_RUNNABLE
        assert command in error.detail
        assert says in error.detail
    text.chmod(0o755)
    assert "#!" in (await refusal(ExecHelper(str(text), ExecSettings(workers=1)))).detail


async def test_one_that_takes_too_long_is_ended_with_all_that_it_started(script, fifo: Fifo):
    body = f"exec 3>{fifo.path}\nsleep 1000 &\necho $$ >&3\necho slow >&2\nsleep 1000"
    error = await refusal(script(body, ExecSettings(workers=1, timeout=0.5)))
    assert error.reason is Reason.HELPER_TIMEOUT
    assert "helper_timeout (0.5s)" in error.detail
    await fifo.released()


async def test_a_grandchild_that_keeps_the_output_open_does_not_outlive_the_limit(script, fifo: Fifo):
    body = f"exec 3>{fifo.path}\nsleep 1000 &\necho '{{}}'"
    error = await refusal(script(body, ExecSettings(workers=1, timeout=1.5)))
    assert error.reason is Reason.HELPER_TIMEOUT
    assert "something that it started kept its standard output open" in error.detail
    await fifo.released()


def stand_still(pid: Path) -> None:
    """Until the child that writes its id there has ended; it is not reaped."""
    os.waitid(os.P_PID, int(pid.read_text()), os.WEXITED | os.WNOWAIT)


async def test_one_that_was_done_while_usher_stood_still_was_in_time(script, tmp_path: Path):
    os.mkfifo(tmp_path / "pid")
    body = f"echo $$ >{tmp_path / 'pid'}\necho '{{}}'"
    call = asyncio.create_task(ask(script(body, ExecSettings(workers=1, timeout=0.0))))
    await asyncio.sleep(0)  # it is started; from here to its end the loop does not turn
    stand_still(tmp_path / "pid")
    assert await call == HelperReply()


async def test_one_that_escapes_the_group_still_does_not_hold_us(script, fifo: Fifo):
    body = f"exec 3>{fifo.path}\nsetsid sh -c 'echo $$ >&3; exec sleep 1000'"
    error = await refusal(script(body, ExecSettings(workers=1, timeout=0.5)))
    assert error.reason is Reason.HELPER_TIMEOUT
    escaped = int(await fifo.line())
    os.kill(escaped, 9)
    await fifo.released()


async def test_a_cancelled_call_ends_the_group_without_a_thread_or_a_zombie(script, fifo: Fifo):
    before, threads = descriptors(), set(threading.enumerate())
    body = f"exec 3>{fifo.path}\nsleep 1000 &\necho $$ >&3\nsleep 1000"
    call = asyncio.create_task(ask(script(body)))
    child = int(await fifo.line())
    assert set(threading.enumerate()) == threads
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await fifo.released()
    assert not alive(child)
    assert descriptors() == before


async def test_a_background_process_that_lets_go_of_the_output_lives_on(script, fifo: Fifo):
    body = f"exec 3>{fifo.path}\nsleep 1000 >/dev/null 2>&1 &\necho $! >&3\necho '{{}}'"
    await ask(script(body))
    left = int(await fifo.line())
    os.kill(left, 9)
    await fifo.released()


async def test_no_more_than_workers_run_at_once(script, tmp_path: Path):
    body = f"mkdir {tmp_path}/turn || exit 9\nrmdir {tmp_path}/turn\necho '{{}}'"
    helper = script(body, ExecSettings(workers=1))
    assert await asyncio.gather(*(ask(helper) for _ in range(8))) == [HelperReply()] * 8


async def test_as_many_as_workers_run_at_once(script, tmp_path: Path):
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    body = f"touch {meeting}/$$\nuntil [ $(ls {meeting} | wc -l) -ge 3 ]; do sleep 0.01; done\necho '{{}}'"
    helper = script(body, ExecSettings(workers=3, timeout=PATIENCE))
    assert await asyncio.gather(*(ask(helper) for _ in range(3))) == [HelperReply()] * 3


async def test_nothing_stays_open_whatever_happened(script, tmp_path: Path):
    await ask(script("echo '{}'"))
    before = descriptors()
    for body in ("echo '{}'", "exit 1", "yes", "exec 1>&-; exec 2>&-; cat >/dev/null"):
        await asyncio.gather(*(ask(script(body)) for _ in range(3)), return_exceptions=True)
    await refusal(ExecHelper(str(tmp_path / "absent"), ExecSettings(workers=1)))
    assert descriptors() == before
