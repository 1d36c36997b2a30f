"""The helper as a program: one process for each question, as the older program runs it (wire/provisioning.md §4).

Rules:
1. Environment and working directory are the daemon's own; only `USHER_*` names are added.
2. At most `workers` run at once; the time limit counts from the start of the process, not from the queue.
3. Whatever goes wrong is one HelperError whose detail says what and what to do and quotes nobody, with the helper's
   own words beside it.
4. What it says is capped before it leaves this room, and the secrets that are known here are replaced.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from fsm.errors import HelperError
from fsm.ports import HelperCall, HelperReply
from fsm.reasons import Reason
from helpers.command import split_command
from helpers.gojson import is_document
from helpers.protocol import decode_reply, encode_call
from helpers.redact import printed, visible
from helpers.runners.process import End, Limits, Result, run

PREFIX: Final = "USHER_"
_SECRET_CLAIMS: Final = ("cht", "chpwd")
_READ_AHEAD: Final = 4
"""So many times the kept standard error is read, since what is redacted may be longer than what takes its place."""


@dataclass(frozen=True, slots=True)
class ExecSettings:
    """How helpers run: `workers` at once, `timeout` seconds each, bytes of output, characters of standard error kept.

    `secrets` are the values that must not appear in what is kept, the site's `token` for one.
    """

    workers: int
    timeout: float = 10.0
    max_output: int = 1 << 20
    max_stderr: int = 4096
    secrets: Collection[str] = ()


class ExecHelper:
    """Runs the configured command; implements `fsm.ports.Helper`."""

    def __init__(self, command: str, settings: ExecSettings) -> None:
        """Split the command line, once; raises CommandError."""
        self._argv = split_command(command)
        self._settings = settings
        self._limits = Limits(settings.timeout, settings.max_output, _READ_AHEAD * settings.max_stderr)
        self._turn = asyncio.Semaphore(settings.workers)
        self._inherited = dict(os.environb)

    async def run(self, call: HelperCall) -> HelperReply:
        """Ask the helper; raises HelperError."""
        async with self._turn:
            result = await self._execute(call)
        stderr = self._kept(result.stderr, call, cut=result.stderr_cut)
        try:
            self._check(result, stderr)
            return decode_reply(result.stdout, stderr)
        except HelperError as error:
            raise HelperError(error.reason, error.detail, stderr, self._unreadable(result, call)) from None

    async def _execute(self, call: HelperCall) -> Result:
        try:
            return await run(self._argv, self._environment(call.environment), encode_call(call), self._limits)
        except (OSError, ValueError) as error:
            raise HelperError(Reason.HELPER_NOT_RUNNABLE, self._not_runnable(error)) from None

    def _environment(self, added: Mapping[str, str]) -> dict[bytes, bytes]:
        """The daemon's own environment, and those of the added names that are ours to set."""
        ours = {os.fsencode(name): os.fsencode(value) for name, value in added.items() if name.startswith(PREFIX)}
        return self._inherited | ours

    def _check(self, result: Result, stderr: str) -> None:
        settings = self._settings
        match result.end:
            case End.TIMEOUT:
                reason, detail = Reason.HELPER_TIMEOUT, self._too_slow(result)
            case End.TOO_LARGE:
                reason = Reason.HELPER_BAD_OUTPUT
                detail = f"it printed more than helper_max_output allows ({settings.max_output} bytes) and was ended"
            case End.EXITED if result.status != 0:
                reason, detail = Reason.HELPER_FAILED, _status(result.status)
            case End.EXITED if not result.stdout:
                reason, detail = Reason.HELPER_NO_OUTPUT, "it ended well, but wrote nothing to its standard output"
            case End.EXITED:
                return
        raise HelperError(reason, detail, stderr)

    def _kept(self, data: bytes, call: HelperCall, *, cut: bool) -> str:
        claims = call.claims or {}
        mine = (str(claims[name]) for name in _SECRET_CLAIMS if claims.get(name))
        return printed(data, (*self._settings.secrets, *mine), self._settings.max_stderr, cut=cut)

    def _unreadable(self, result: Result, call: HelperCall) -> str:
        """What it printed in place of an answer: the words of a CA, for one. An answer is never repeated."""
        if result.end is End.TOO_LARGE or is_document(result.stdout):
            return ""
        most = _READ_AHEAD * self._settings.max_stderr
        return self._kept(result.stdout[-most:], call, cut=len(result.stdout) > most)

    def _too_slow(self, result: Result) -> str:
        detail = f"it took longer than helper_timeout ({self._settings.timeout:g}s) and was ended"
        if result.status is not None and result.status != -signal.SIGKILL:
            detail += ": the helper itself was done, but something that it started kept its standard output open"
        return detail

    def _not_runnable(self, error: OSError | ValueError) -> str:
        program = visible(self._argv[0])
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        hint = _HINTS.get(type(error), "")
        if isinstance(error, OSError) and error.strerror == "Exec format error":
            hint = ": a script must begin with #! and its interpreter"
        return f"{program}: {said}{hint}"


_HINTS: Final[dict[type[Exception], str]] = {
    FileNotFoundError: ": check the setting helper, and the interpreter in the file's first line",
    PermissionError: ": make it executable for the user that usher runs as",
}


def _status(status: int | None) -> str:
    if status is None or status >= 0:
        return f"it ended with exit status {status}"
    try:
        return f"it was ended by the signal {signal.Signals(-status).name}"
    except ValueError:
        return f"it was ended by the signal {-status}"
