"""One child process: something in, something out, within a time and a size, and nothing of it left behind.

Rules:
1. Standard input is a pipe, as helpers expect it (`/dev/stdin` cannot be opened when it is a socket).
2. The child leads a process group of its own; whoever ends it early ends the whole group, and reaps the child.
3. It is over when the child has ended and its standard output is closed, or the time is up, whichever is first. If this
   process stood still meanwhile and hears of both at once, the child was done: it was not the child that was late.
4. No thread is started: the kernel says through a pidfd when the child ended (a thread only where there is no pidfd).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

_CHUNK: Final = 64 * 1024
_REAP_TIME: Final = 1.0
"""Seconds that a killed child gets to be reaped; one that hangs in the kernel is reaped whenever it ends."""


class End(Enum):
    """How it ended."""

    EXITED = "exited"
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that the child and all that it starts may take; bytes of its output; last bytes of its errors."""

    seconds: float
    stdout: int
    stderr: int


@dataclass(frozen=True, slots=True)
class Result:
    """How it ended, its status as subprocess has it (None while it is not reaped), and what it printed."""

    end: End
    status: int | None
    stdout: bytes
    stderr: bytes
    stderr_cut: bool


async def run(argv: Sequence[str], env: Mapping[bytes, bytes], stdin: bytes, limits: Limits) -> Result:
    """Run one child; raises OSError if it cannot be started. A cancelled call ends the whole group."""
    child = _Child(_Pipes.spawn(argv, env), stdin, limits)
    end: End | None = None
    try:
        async with asyncio.timeout(limits.seconds):
            end = await child.over
    except TimeoutError:
        end = child.found()
    finally:
        child.close()
        if end is not End.EXITED:
            child.kill()
        await child.reaped()
    return Result(end, child.pipes.process.returncode, bytes(child.stdout), bytes(child.stderr), child.stderr_cut)


@dataclass(frozen=True, slots=True)
class _Pipes:
    """A started child and our ends of its standard input, output and error."""

    process: subprocess.Popen[bytes]
    stdin: int
    stdout: int
    stderr: int

    @staticmethod
    def spawn(argv: Sequence[str], env: Mapping[bytes, bytes]) -> _Pipes:
        """Start the child in a session of its own; nothing stays open if that fails."""
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            ends: list[tuple[int, int]] = []
            for mine in (1, 0, 0):
                pair = os.pipe()
                ends.append((pair[mine], pair[1 - mine]))
                ours.callback(os.close, pair[mine])
                theirs.callback(os.close, pair[1 - mine])
            (stdin, child_in), (stdout, child_out), (stderr, child_err) = ends
            process = subprocess.Popen(
                argv, stdin=child_in, stdout=child_out, stderr=child_err, env=env, start_new_session=True
            )
            for fd in (stdin, stdout, stderr):
                os.set_blocking(fd, False)
            ours.pop_all()
        return _Pipes(process, stdin, stdout, stderr)


class _Child:
    """What is under way with one child: what it has still to be told, and what it has said."""

    def __init__(self, pipes: _Pipes, stdin: bytes, limits: Limits) -> None:
        self.pipes = pipes
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.stderr_cut = False
        self._limits = limits
        self._unwritten = memoryview(stdin)
        self._loop = asyncio.get_running_loop()
        self.over: asyncio.Future[End] = self._loop.create_future()
        self._exited: asyncio.Future[None] = self._loop.create_future()
        self._open: dict[int, Callable[[int], object]] = {}
        self._listen(pipes.stdout, self._read_stdout)
        self._listen(pipes.stderr, self._read_stderr)
        self._open[pipes.stdin] = self._loop.remove_writer
        self._write()
        if pipes.stdin in self._open:
            self._loop.add_writer(pipes.stdin, self._write)
        self._watch()

    # -- its end -------------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        process = self.pipes.process
        try:
            pidfd = os.pidfd_open(process.pid)
        except (AttributeError, OSError):  # an old kernel, a sandbox, or no descriptor left
            waiting = self._loop.run_in_executor(None, process.wait)
            waiting.add_done_callback(lambda _: self._on_exit())
        else:
            self._loop.add_reader(pidfd, self._on_pidfd, pidfd)

    def _on_pidfd(self, pidfd: int) -> None:
        self._loop.remove_reader(pidfd)
        os.close(pidfd)
        self.pipes.process.wait()  # it has ended: this reaps it and does not wait
        self._on_exit()

    def _on_exit(self) -> None:
        if not self._exited.done():
            self._exited.set_result(None)
        self._settle()

    def _settle(self) -> None:
        if self._exited.done() and self.pipes.stdout not in self._open:
            self._end(End.EXITED)

    def _end(self, end: End) -> None:
        if not self.over.done():
            self.over.set_result(end)

    def found(self) -> End:
        """How it ended, now that the time is up: what has arrived is read, and the child is asked for."""
        before = -1
        while self.pipes.stdout in self._open and before < len(self.stdout) <= self._limits.stdout:
            before = len(self.stdout)
            self._read_stdout()
        if len(self.stdout) > self._limits.stdout:
            return End.TOO_LARGE
        if self.pipes.stdout in self._open or self.pipes.process.poll() is None:
            return End.TIMEOUT
        return End.EXITED

    def kill(self) -> None:
        """End the whole group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pipes.process.pid, signal.SIGKILL)

    async def reaped(self) -> None:
        """Wait for the child to be reaped, but not for ever."""
        if not self._exited.done():
            await asyncio.wait({self._exited}, timeout=_REAP_TIME)

    # -- its pipes -----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of every pipe; what has already arrived on standard error is kept."""
        if self.pipes.stderr in self._open:
            self._read_stderr()
        for fd in tuple(self._open):
            self._close(fd)

    def _listen(self, fd: int, read: Callable[[], None]) -> None:
        self._open[fd] = self._loop.remove_reader
        self._loop.add_reader(fd, read)

    def _close(self, fd: int) -> None:
        forget = self._open.pop(fd, None)
        if forget is not None:
            forget(fd)
            os.close(fd)

    def _write(self) -> None:
        try:
            while self._unwritten:
                self._unwritten = self._unwritten[os.write(self.pipes.stdin, self._unwritten) :]
        except BlockingIOError:
            return
        except OSError:  # the helper does not read its input: that is its own affair
            pass
        self._close(self.pipes.stdin)

    def _read_stdout(self) -> None:
        chunk = _read(self.pipes.stdout)
        if chunk is None:
            return
        self.stdout += chunk
        if not chunk:
            self._close(self.pipes.stdout)
            self._settle()
        elif len(self.stdout) > self._limits.stdout:
            self._end(End.TOO_LARGE)

    def _read_stderr(self) -> None:
        chunk = _read(self.pipes.stderr)
        if chunk is None:
            return
        if not chunk:
            self._close(self.pipes.stderr)
            return
        self.stderr += chunk
        surplus = len(self.stderr) - self._limits.stderr
        if surplus > 0:
            del self.stderr[:surplus]
            self.stderr_cut = True


def _read(fd: int) -> bytes | None:
    """What has arrived, nothing at the end, None if there is nothing now."""
    try:
        return os.read(fd, _CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        return b""
