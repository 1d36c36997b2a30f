"""One long-lived connection of a purpose (discovery and events, or RPC): login after login, for as long as usher runs.

Rules:
1. It never gives up and never raises to its users: what happens is a Report, refusals and bad passwords included.
2. Publishing is possible only while logged in with all subscriptions in place; else NotSentError, at once.
3. Nothing crosses from one login to the next: what was unsent at the end of one is reported as unsent, and is gone.
4. Each login has an id of its own; it is what `fsm.events.Sent.connection` names.
5. A broker that says that it is about to go is left for another one, and heard until what it still carried is here.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from transport.cancelling import cancelled
from transport.credentials import Credentials, Tls, asked_of
from transport.login import Handler, Login
from transport.news import read_news
from transport.options import Options
from transport.refusals import describe
from transport.reports import Complaint, Connected, Discards, Disconnected, Refused, Report
from transport.rounds import Address, Rounds, Servers
from transport.sending import Ended, Handed, NotSentError, WhyNot, command
from transport.servers import BadServerError
from transport.settling import Settling

__all__ = ["BadServerError", "Connection", "Ended", "Handed", "Handler", "NotSentError", "Options", "WhyNot"]

_DEFAULT_PAYLOAD: Final = 1024 * 1024
_LOGIN: Final = 15.0
"""Seconds for a whole login, whatever its single steps take."""
_LASTING: Final = 10.0
"""Seconds after which a login counts as one: a broker that throws us out again and again is not asked at once."""
_LINGER: Final = 5.0
"""Seconds for which a login is heard whose successor is there: the routes of a cluster carry news of us that late."""
_LAME: Final = "the broker is about to go"


@dataclass(eq=False, slots=True)
class _Stay:
    """A login that came to be. It is over when it has ended, or when its broker said that it is about to go."""

    login: Login
    id: str
    address: Address
    over: asyncio.Future[None]

    def leave(self) -> None:
        """It is over."""
        if not self.over.done():
            self.over.set_result(None)


class Connection:
    """A connection; `await start()` begins, `await ready()` waits for the first login, `await close()` ends it."""

    def __init__(
        self,
        purpose: str,
        servers: Servers,
        credentials: Credentials,
        tls: Tls,
        *,
        name: str,
        discards: Discards,
        report: Callable[[Report], None],
        options: Options | None = None,
    ) -> None:
        """Hold what to connect to; `name` is what the broker's operator sees. Raises BadServerError."""
        self.purpose = purpose
        self._rounds = Rounds(servers)
        self._credentials = credentials
        self._tls = tls
        self._name = name
        self._discards = discards
        self._report = report
        self._options = options or Options()
        self.settling = Settling(self._options.settling)
        self._subscriptions: dict[str, Handler] = {}
        self._listeners: list[Ended] = []
        self._task: asyncio.Task[None] | None = None
        self._stay: _Stay | None = None
        self._watches: set[asyncio.Task[None]] = set()
        self._login: Login | None = None
        self._id = self._server = ""
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
        (task, self._task), login = (self._task, None), self._login
        self._forget_login()
        if login is not None:
            await login.leave(within)
        tasks = self._watches if task is None else {task, *self._watches}
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

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

    def publish(self, subject: str, payload: bytes, reply: str = "", headers: bytes = b"") -> Handed:
        """Send with the next turn of the loop; raises NotSentError. Subjects come from transport.subjects."""
        login = self._login
        if login is None or login.ended.done():
            raise NotSentError(WhyNot.DISCONNECTED)
        if len(payload) > login.max_payload:
            raise NotSentError(WhyNot.TOO_LARGE, f"{len(payload)} bytes, the broker takes {login.max_payload}")
        if login.waiting + len(payload) > self._options.most_waiting:
            raise NotSentError(WhyNot.CONGESTED, f"{login.waiting} bytes wait for the broker")
        handed = Handed(self._id, command(subject, payload, reply, headers))
        login.hand_over(handed.command)
        return handed

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
        failures = 0
        while True:
            address, begun = await self._rounds.next(), loop.time()
            reason = await self._one_login(address) if address is not None else "no broker is known"
            if cancelled():
                return
            self.settling.disturb()
            again = 0.0
            if not reason and loop.time() - begun > _LASTING:
                failures, again = 1, 0.0 if self._login else self._options.pause(1)
            elif not reason or not self._rounds.more:
                failures += 1
                again = self._options.pause(failures)
            if address is not None and not reason:
                self._rounds.left(address, going=self._login is not None)
            else:
                self._refused(address.url if address else "", reason, again)
            await asyncio.sleep(again)

    def _refused(self, server: str, reason: str, again: float) -> None:
        """Tell that an attempt was in vain: no news of the way while a login stands that is only to be left."""
        said = f"{_LAME}, and {server} is no way out: {reason}"
        refused = Refused(self.purpose, server, reason, again)
        self._tell(Complaint(self.purpose, self._id, self._server, said) if self._login else refused)

    async def _one_login(self, address: Address) -> str:
        """Log in and stay until that is over; answers why it did not come to be, nothing if it did."""
        identity = f"{self.purpose}-{secrets.token_hex(8)}"
        login = Login(
            self._credentials,
            self._discards,
            name=self._name,
            complained=lambda reason: self._tell(Complaint(self.purpose, identity, address.url, reason)),
            informed=lambda text: self._hear_news(stay, text),
        )
        stay = _Stay(login, identity, address, asyncio.get_running_loop().create_future())
        try:
            if reason := await self._enter(login, address):
                return reason
            self._take(stay)
            await stay.over
        finally:
            if stay is not self._stay:
                login.end("usher closed it")
        return ""

    def _take(self, stay: _Stay) -> None:
        """From now on messages go this way; a former login is heard for a while, and then left."""
        former, self._stay = self._stay, stay
        self._login, self._id, self._server = stay.login, stay.id, stay.address.url
        if former is not None:
            self._watch(self._retire(former.login))
        self.settling.begin()
        self._watch(self._see_out(stay))
        self._ready.set()
        self._tell(Connected(self.purpose, stay.id, stay.address.url))

    def _watch(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=f"login of {self.purpose}")
        self._watches.add(task)
        task.add_done_callback(self._watches.discard)

    async def _see_out(self, stay: _Stay) -> None:
        """Tell of the end of a login, whenever it comes."""
        reason = await asyncio.shield(stay.login.ended)
        unsent, is_present = stay.login.unsent, stay is self._stay
        if is_present:
            self._stay = None
            self._forget_login()
        for listener in self._listeners:
            self._guarded(lambda listener=listener: listener(stay.id, unsent))  # type: ignore[misc]
        if is_present:
            self._tell(Disconnected(self.purpose, stay.id, stay.address.url, reason, len(unsent)))
        stay.leave()

    async def _retire(self, login: Login) -> None:
        try:
            await asyncio.wait({login.ended}, timeout=_LINGER)
            await login.leave(self._options.connect_timeout)
        finally:
            login.end("usher closed it")

    def _hear_news(self, stay: _Stay, text: bytes) -> None:
        news = read_news(text)
        self._rounds.learn(news.places, stay.address)
        if news.lame and stay is self._stay and not stay.over.done():
            self._tell(Complaint(self.purpose, stay.id, stay.address.url, _LAME))
            stay.leave()

    async def _enter(self, login: Login, address: Address) -> str:
        """Log in, and put all subscriptions in place, those that are added meanwhile too; answers why not."""
        options = self._options
        try:
            tls = asked_of(self._tls)
            async with asyncio.timeout(_LOGIN):
                await login.enter(address, tls, within=options.connect_timeout, ping=options.ping)
                heard: set[str] = set()
                while missing := self._subscriptions.keys() - heard:
                    for subject in missing:
                        login.listen(subject, self._subscriptions[subject])
                    heard |= missing
                    await login.settle(options.connect_timeout)
        except Exception as error:  # noqa: BLE001 whatever it is, it is a Report
            login.end(describe(error, by_token=bool(self._credentials.token)))
            return login.ended.result()
        return "usher is stopping" if cancelled() else ""

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
