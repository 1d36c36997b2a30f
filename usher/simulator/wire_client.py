"""The smallest NATS client that a simulated server needs: one protocol object a connection, no task.

Rules:
1. Plain INFO first, then TLS without verification, then CONNECT, as a Choria server does (wire/protocol.md §6.1).
2. Nothing that a broker sends raises out of a callback; bytes that are no NATS end the connection with a reason.
3. What is sent in one turn of the loop is written at once; nothing is kept across connections.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import urlsplit

import orjson

from fsm.errors import UsherError
from transport.framing import Framing, FramingError
from usher.simulator.tls import Tls, TlsError

CONNECT_SECONDS: Final = 15.0
MAX_PAYLOAD: Final = 1024 * 1024  # until the broker says another


class LinkError(UsherError):
    """The broker could not be reached, or let the node not in"""

    def __init__(self, broker: str, why: str) -> None:
        """Hold which broker, and what it or the network said."""
        super().__init__()
        self.broker = broker
        self.why = why


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker listens; `plain` permits a connection without TLS, which real servers never make."""

    host: str
    port: int
    plain: bool = False

    @classmethod
    def parse(cls, url: str, *, plain: bool = False) -> Broker:
        """A broker of `[scheme://]host:port`, the port is 4222 if there is none; raises ValueError."""
        parts = urlsplit(url if "://" in url else f"nats://{url}")
        if not parts.hostname:
            raise ValueError(f"{url!r} names no host")
        return cls(parts.hostname, parts.port or 4222, plain)

    def __str__(self) -> str:
        """As a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"nats://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Login:
    """What an unprovisioned server shows: its provisioning token, and the user and password in it, if any."""

    token: str = field(repr=False)
    user: str = ""
    password: str = field(default="", repr=False)


class Link(asyncio.Protocol):
    """One connection. `deliver(sid, subject, payload)` gets each message; `closed` tells why it has ended."""

    def __init__(self, deliver: Callable[[int, bytes, bytes], None]) -> None:
        """Prepare a connection; `open_link` makes it."""
        loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[str] = loop.create_future()
        self.max_payload = MAX_PAYLOAD
        self._deliver = deliver
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._info: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._secured: asyncio.Future[None] = loop.create_future()
        self._ready: asyncio.Future[None] = loop.create_future()
        self._tls: Tls | None = None
        self._framing = Framing(self)
        self._outbox: list[bytes] = []
        self._said = ""

    async def open(self, broker: Broker, login: Login, name: str, context: ssl.SSLContext) -> None:
        """Connect and log in; raises LinkError."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._shake_hands(broker, login, name, context)
        except LinkError as error:
            self.abort(error.why)
            raise
        except asyncio.CancelledError:
            self.abort("nobody waits for it any more")
            raise
        except (OSError, TimeoutError, TlsError, _ClosedError) as error:
            self.abort(str(error) or "no answer in time")
            raise LinkError(str(broker), self._said) from None

    async def _shake_hands(self, broker: Broker, login: Login, name: str, context: ssl.SSLContext) -> None:
        await self._loop.create_connection(lambda: self, broker.host, broker.port)
        info = await self._info
        limit = info.get("max_payload")
        self.max_payload = limit if type(limit) is int else MAX_PAYLOAD
        if info.get("tls_required") or info.get("tls_available"):
            self._tls = Tls(context, broker.host)
            self._decrypt(self._tls, b"")
            await self._secured
        elif not broker.plain:
            raise LinkError(str(broker), "secure connection not available")
        self._write(b"CONNECT " + orjson.dumps(_options(login, name)) + b"\r\nPING\r\n")
        await self._ready

    def send(self, data: bytes) -> None:
        """Write with whatever else is sent in this turn of the loop; dropped if the connection has ended."""
        if not self._outbox:
            self._loop.call_soon(self._flush)
        self._outbox.append(data)

    def abort(self, why: str) -> None:
        """End the connection at once."""
        self._said = self._said or why
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End the connection when what was sent is written."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop: whoever waits learns why."""
        self._transport = None
        why = self._said or (str(exc) if exc else "the broker ended the connection")
        for waiting in (self._info, self._secured, self._ready):
            if not waiting.done():
                waiting.set_exception(_ClosedError(why))
                waiting.exception()  # it may be that nobody waits
        if not self.closed.done():
            self.closed.set_result(why)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        try:
            if self._tls is not None:
                data = self._decrypt(self._tls, data)
            if data:
                self._framing.feed(data)
        except (FramingError, TlsError) as error:
            self.abort(str(error))

    def _decrypt(self, tls: Tls, data: bytes) -> bytes:
        plain = tls.receive(data)
        self._pass_on(tls)
        if tls.established and not self._secured.done():
            self._secured.set_result(None)
        return plain

    def message(self, sid: int, subject: bytes, headers: bytes, payload: bytes) -> None:
        """Called by the framing."""
        self._deliver(sid, subject, payload)

    def info(self, text: bytes) -> None:
        """Called by the framing: the first one, in plain text, begins the log-in."""
        if self._info.done():
            return
        try:
            document = orjson.loads(text)
        except ValueError:
            document = None
        if isinstance(document, dict):
            self._info.set_result(document)
        else:
            self.abort("the broker's INFO is not a JSON object")

    def ping(self) -> None:
        """Called by the framing."""
        self.send(b"PONG\r\n")

    def pong(self) -> None:
        """Called by the framing: the broker has taken the CONNECT."""
        if not self._ready.done():
            self._ready.set_result(None)

    def complaint(self, text: str) -> None:
        """Called by the framing: what is said last before the end is the reason of the end."""
        self._said = text

    def _flush(self) -> None:
        data, self._outbox = b"".join(self._outbox), []
        self._write(data)

    def _write(self, data: bytes) -> None:
        if not data or self._transport is None or self._transport.is_closing():
            return
        if self._tls is None:
            self._transport.write(data)
            return
        try:
            self._tls.encrypt(data)
        except TlsError as error:
            self.abort(str(error))
        else:
            self._pass_on(self._tls)

    def _pass_on(self, tls: Tls) -> None:
        """Send what the TLS layer has ready."""
        if self._transport is not None and (data := tls.to_send()):
            self._transport.write(data)


class _ClosedError(Exception):
    """The connection ended while somebody waited."""


def subscription(subject: str, sid: int) -> bytes:
    """The line that begins a subscription."""
    return f"SUB {subject} {sid}\r\n".encode()


def end_of_subscription(sid: int) -> bytes:
    """The line that ends a subscription."""
    return b"UNSUB %d\r\n" % sid


def publication(subject: str, payload: bytes) -> bytes:
    """A message to a subject, without a reply subject."""
    return b"PUB %b %d\r\n%b\r\n" % (subject.encode(), len(payload), payload)


def _options(login: Login, name: str) -> dict[str, Any]:
    options = {
        "verbose": False,
        "pedantic": False,
        "auth_token": login.token,
        "tls_required": True,
        "name": name,
        "lang": "python",
        "version": "0",
        "protocol": 1,
        "echo": True,
        "headers": True,
        "no_responders": True,
    }
    if login.user and login.password:
        options |= {"user": login.user, "pass": login.password}
    return options
