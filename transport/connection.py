"""One long-lived connection of a purpose (discovery and events, or RPC): login after login, for as long as usher runs.

Rules:
1. It never gives up and never raises to its users: what happens is a Report, refusals and bad passwords included.
2. Publishing is possible only while logged in with all subscriptions in place; else NotSentError, at once.
3. Nothing crosses from one login to the next: what was unsent at the end of one is reported as unsent, and is gone.
4. Each login has an id of its own; it is what `fsm.events.Sent.connection` names.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from random import SystemRandom
from typing import Final

from fsm.errors import UsherError
from transport.credentials import Credentials
from transport.login import Handler, Login
from transport.refusals import describe
from transport.reports import Complaint, Connected, Discards, Disconnected, Refused, Report
from transport.servers import BadServerError, server_url

__all__ = ["BadServerError", "Connection", "Handed", "Handler", "NotSentError", "Options", "WhyNot"]

BACKOFF: Final = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0)
"""Seconds before the n-th attempt to log in, each randomised to 50 to 150 %; the last repeats (protocol.md §6.1)."""
_DEFAULT_PAYLOAD: Final = 1024 * 1024
_LOGIN: Final = 15.0
"""Seconds for a whole login, whatever its single steps take."""
_LASTING: Final = 10.0
"""Seconds after which a login counts as one: a broker that throws us out again and again is not asked at once."""


class WhyNot(StrEnum):
    """Why nothing was sent."""

    DISCONNECTED = "disconnected"
    CONGESTED = "congested"
    TOO_LARGE = "too_large"


class NotSentError(UsherError):
    """Nothing was sent"""

    def __init__(self, why: WhyNot, detail: str = "") -> None:
        """Hold why, and in figures."""
        super().__init__()
        self.why = why
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Options:
    """How a connection behaves; seconds and bytes. A silent broker is noticed after two to three `ping`."""

    connect_timeout: float = 2.0
    ping: float = 10.0
    backoff: tuple[float, ...] = BACKOFF
    most_waiting: int = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Handed:
    """A message that is on its way: over which login; `command` is what to ask `Connection.withdraw` for."""

    connection: str
    command: bytes


Ended = Callable[[str, Sequence[bytes]], None]
"""Told at the end of a login: its id, and the commands that were never handed to a socket."""


class Connection:
    """A connection; `await start()` begins, `await ready()` waits for the first login, `await close()` ends it."""

    def __init__(
        self,
        purpose: str,
        servers: Sequence[str],
        credentials: Credentials,
        tls: ssl.SSLContext | None,
        *,
        name: str,
        discards: Discards,
        report: Callable[[Report], None],
        options: Options | None = None,
    ) -> None:
        """Hold what to connect to; `name` is what the broker's operator sees. Raises BadServerError."""
        self.purpose = purpose
        self._servers = [server_url(server) for server in servers]
        if not self._servers:
            raise BadServerError("")
        self._credentials = credentials
        self._tls = tls
        self._name = name
        self._discards = discards
        self._report = report
        self._options = options or Options()
        self._random = SystemRandom()
        self._subscriptions: dict[str, Handler] = {}
        self._listeners: list[Ended] = []
        self._task: asyncio.Task[None] | None = None
        self._login: Login | None = None
        self._id = ""
        self._server = ""
        self._ready = asyncio.Event()

    # -- the life of the connection --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to log in; returns at once."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"connection {self.purpose}")

    async def ready(self) -> None:
        """Wait until it is logged in, with all subscriptions in place."""
        await self._ready.wait()

    async def close(self, within: float = 2.0) -> None:
        """Hand over what is pending if that is possible in so many seconds, and end."""
        login = self._login
        self._forget_login()
        if login is not None:
            await login.leave(within)
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    @property
    def connection(self) -> str:
        """The id of the present login; empty while there is none."""
        return self._id

    @property
    def server(self) -> str:
        """The broker of the present or last login."""
        return self._server

    @property
    def max_payload(self) -> int:
        """The largest message that the broker takes, in bytes."""
        return self._login.max_payload if self._login is not None else _DEFAULT_PAYLOAD

    # -- what users do -----------------------------------------------------------------------------------------------

    def on_ended(self, listener: Ended) -> None:
        """Hear of the end of each login, before the Report of it."""
        self._listeners.append(listener)

    async def subscribe(self, subject: str, handler: Handler) -> None:
        """Listen, in this login and in all that follow; returns when the broker knows, or at once if there is none."""
        self._subscriptions[subject] = handler
        login = self._login
        if login is not None:
            login.listen(subject, handler)
            with suppress(Exception):  # the login ends by itself, and the next one listens from its start
                await login.settle(self._options.connect_timeout)

    def publish(self, subject: str, payload: bytes, reply: str = "") -> Handed:
        """Send with the next turn of the loop; raises NotSentError. Subjects come from transport.subjects."""
        login = self._login
        if login is None or login.ended.done():
            raise NotSentError(WhyNot.DISCONNECTED)
        if len(payload) > login.max_payload:
            raise NotSentError(WhyNot.TOO_LARGE, f"{len(payload)} bytes, the broker takes {login.max_payload}")
        if login.waiting + len(payload) > self._options.most_waiting:
            raise NotSentError(WhyNot.CONGESTED, f"{login.waiting} bytes wait for the broker")
        head = f"PUB {subject} {reply} {len(payload)}\r\n" if reply else f"PUB {subject} {len(payload)}\r\n"
        command = b"".join((head.encode("ascii"), payload, b"\r\n"))
        login.hand_over(command)
        return Handed(self._id, command)

    def withdraw(self, handed: Handed) -> bool:
        """Take a message back that was not handed to the socket yet; whether that was possible."""
        return self._login is not None and handed.connection == self._id and self._login.withdraw(handed.command)

    async def standing(self, since: float) -> str:
        """The id of the login over which the broker answers now, and has not paused since then (the loop's time).

        Empty if none does within `connect_timeout`. What the broker sent before its answer has been handed on.
        """
        login, identity = self._login, self._id
        if login is None:
            return ""
        try:
            await login.settle(self._options.connect_timeout)
        except Exception:  # noqa: BLE001 however it ends, there was no answer; the login's own end is reported elsewhere
            return ""
        return identity if login.paused < since else ""

    # -- login after login -------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        failures = turn = 0
        while True:
            server = self._servers[turn % len(self._servers)]
            turn += 1
            begun = loop.time()
            reason = ""
            try:
                await self._one_login(server)
            except _RefusedError as refused:
                reason = refused.reason
            failures = 1 if not reason and loop.time() - begun > _LASTING else failures + 1
            again = self._pause(failures)
            if reason:
                self._tell(Refused(self.purpose, server, reason, again))
            await asyncio.sleep(again)

    def _pause(self, failures: int) -> float:
        steps = self._options.backoff
        return steps[min(failures, len(steps)) - 1] * self._random.uniform(0.5, 1.5)

    async def _one_login(self, server: str) -> None:
        """Log in and stay until the login ends; raises _RefusedError if it did not come to be."""
        identity = f"{self.purpose}-{secrets.token_hex(8)}"
        login = Login(
            self._credentials,
            self._discards,
            name=self._name,
            complained=lambda reason: self._tell(Complaint(self.purpose, identity, server, reason)),
        )
        try:
            await self._enter(login, server)
            self._login, self._id, self._server = login, identity, server
            self._ready.set()
            self._tell(Connected(self.purpose, identity, server))
            reason = await asyncio.shield(login.ended)
        finally:
            login.end("usher closed it")
            self._forget_login()
        for listener in self._listeners:
            self._guarded(lambda listener=listener: listener(identity, login.unsent))  # type: ignore[misc]
        self._tell(Disconnected(self.purpose, identity, server, reason, len(login.unsent)))

    async def _enter(self, login: Login, server: str) -> None:
        """Log in, and put all subscriptions in place, those that are added meanwhile too."""
        options = self._options
        try:
            async with asyncio.timeout(_LOGIN):
                await login.enter(server, self._tls, within=options.connect_timeout, ping=options.ping)
                heard: set[str] = set()
                while missing := self._subscriptions.keys() - heard:
                    for subject in missing:
                        login.listen(subject, self._subscriptions[subject])
                    heard |= missing
                    await login.settle(options.connect_timeout)
        except Exception as error:
            login.end(describe(error))
            raise _RefusedError(login.ended.result()) from error

    def _forget_login(self) -> None:
        self._login, self._id = None, ""
        self._ready.clear()

    def _tell(self, report: Report) -> None:
        self._guarded(lambda: self._report(report))

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:  # noqa: BLE001 who listens must not end the connection (law 8); it is counted
            self._discards.count("report_bug")


class _RefusedError(Exception):
    """The login did not come to be."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
