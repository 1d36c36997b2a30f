"""What the transport's tests share: who logs in, who counts, who listens, and a node that answers."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from fsm.ports import Request
from fsm.runtime.clock import SystemClock
from tests.fakes.proxy import FaultProxy
from tests.patience import PATIENCE
from transport.connection import Connection, Options
from transport.credentials import tls_context
from transport.reports import Report
from transport.subjects import node
from transport.wire import mcorpc
from transport.wire.caller import INSECURE, Caller
from transport.wire.versions import WIRES, Version, WireRequest, decode_request
from usher.simulator.broker import EmbeddedBroker

SUBJECT = "provisioning.node.n1"
T = TypeVar("T")
K = TypeVar("K")

PEM = "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n"
"""A certificate file as it may look."""
QUICK = Options(backoff=(0.01,))
"""No test waits for a back-off."""


def _sign(data: bytes) -> bytes:
    return hashlib.sha512(data).digest()


CALLERS = {
    Version.V1: Caller(Version.V1, "usher.example.net", "choria=usher.mcollective", PEM, _sign),
    Version.V2: Caller(Version.V2, "usher.example.net", "up=usher", "e30.e30.e30", _sign),
}
"""Who asks, by version; their signatures are none."""
CALLER = CALLERS[Version.V2]
UNSECURED = Caller(Version.V1, "usher.example.net", "choria=usher.mcollective", INSECURE, None)
"""Who has no certificate (wire/protocol.md §2.2)."""


def in_the_name_of(message: bytes, name: str) -> bytes:
    """A message whose header names another sender than its document; made for one sender alone."""
    changed, count = re.subn(rb'"(sender|mc_sender)":"[^"]*"', rb'"\1":"%b"' % name.encode(), message)
    assert count == 1
    return changed


@dataclass(frozen=True)
class Known:
    """Credentials as the plain broker of the tests wants them."""

    user: str
    password: str
    token: str = ""

    def sign_nonce(self, nonce: bytes) -> bytes:
        """Not a signature; the plain broker does not look."""
        return hashlib.sha512(nonce).digest()


@dataclass
class Discarded:
    """Discards that can be read, and waited for."""

    counts: Counter[str] = field(default_factory=Counter)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def count(self, reason: str) -> None:
        """One more."""
        self.counts[reason] += 1
        self._changed.set()

    async def until(self, reason: str, least: int = 1) -> None:
        """Wait until so many were counted."""
        async with asyncio.timeout(PATIENCE):
            while self.counts[reason] < least:
                self._changed.clear()
                await self._changed.wait()


@dataclass
class Heard(Generic[T]):
    """A callback that keeps what it was given, and can be waited for."""

    items: list[T] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, item: T) -> None:
        """Keep it."""
        self.items.append(item)
        self._changed.set()

    async def until(self, enough: Callable[[list[T]], bool]) -> list[T]:
        """Wait until what was heard is enough."""
        async with asyncio.timeout(PATIENCE):
            while not enough(self.items):
                self._changed.clear()
                await self._changed.wait()
        return self.items

    async def kind(self, kind: type[K], least: int = 1) -> K:
        """Wait for the so-many-th of a type, and give it."""
        found = await self.until(lambda items: sum(isinstance(item, kind) for item in items) >= least)
        return [item for item in found if isinstance(item, kind)][least - 1]


def connection(
    purpose: str,
    url: str,
    user: str,
    password: str,
    *,
    options: Options = QUICK,
    discards: Discarded | None = None,
    report: Heard[Report] | None = None,
) -> Connection:
    """A connection to a broker of the tests, not started."""
    return Connection(
        purpose,
        [url],
        Known(user, password),
        tls_context(),
        name=f"test {purpose}",
        discards=discards or Discarded(),
        report=report or Heard(),
        options=options,
    )


def asking(name: str, action: str = "ping", *, timeout: float = 20.0, **data: object) -> Request:
    """A request; the timeout is far away unless a test is about it."""
    return Request(name, "rpcutil", action, data, ttl=30, timeout=timeout)


@dataclass(frozen=True)
class Asked:
    """What a node was asked, and how to answer it."""

    wire: WireRequest
    call: mcorpc.Call
    connection: Connection = field(repr=False)

    def answer(
        self, data: Mapping[str, object] | None = None, *, code: int = 0, message: str = "OK", **odd: Any
    ) -> None:
        """Answer; `odd` replaces arguments of encode_reply."""
        payload = mcorpc.encode_answer(self.call.action, code, message, data or {})
        self.raw(self.reply(payload, **odd))

    def reply(self, payload: bytes, **odd: Any) -> bytes:
        """The bytes of a reply."""
        name = odd.pop("name", "n1.example.net")
        given: dict[str, Any] = {
            "request_id": self.wire.request_id,
            "sender": name,
            "agent": self.wire.agent,
            "time_ns": SystemClock().now() * 1_000_000,
        }
        return WIRES[self.wire.version].encode_reply(payload, **(given | odd))

    def raw(self, data: bytes) -> None:
        """Send any bytes to where the answer goes."""
        self.connection.publish(self.wire.reply_to, data)


async def responder(connection: Connection, name: str, act: Callable[[Asked], None]) -> None:
    """A node of this name on a connection: `act` is called with each request that it gets."""

    def on_message(_subject: str, data: bytes, _status: int) -> None:
        wire = decode_request(data)
        act(Asked(wire, mcorpc.decode_call(wire.payload), connection))

    await connection.subscribe(node(name), on_message)


async def fill(link: Connection, proxy: FaultProxy, subject: str = "provisioning.node.filler") -> int:
    """Silence the proxy, and send until the sockets take no more; how many messages of 100,000 bytes."""
    proxy.silence()
    for count in range(1, 201):
        link.publish(subject, b"x" * 100_000)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if waiting(link) > 500_000:
            return count
    raise AssertionError("the sockets took 20 MB")


def waiting(link: Connection) -> int:
    """Bytes that were not handed to the socket yet."""
    login = link._login
    assert login is not None
    return login.waiting


async def handed_over(link: Connection) -> None:
    """Wait until the socket has everything."""
    await asyncio.sleep(0)
    while waiting(link):  # noqa: ASYNC110 nobody tells it, and it takes a turn of the loop
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def running(link: Connection) -> AsyncIterator[Connection]:
    """Started and logged in; closed at the end."""
    await link.start()
    try:
        async with asyncio.timeout(PATIENCE):
            await link.ready()
        yield link
    finally:
        await link.close()


@contextlib.asynccontextmanager
async def started(link: Connection) -> AsyncIterator[Connection]:
    """Started; closed at the end."""
    await link.start()
    try:
        yield link
    finally:
        await link.close()


def provisioner(url: str, broker: EmbeddedBroker, **more: object) -> Connection:
    return connection("rpc", url, "provisioner", broker.passwords.provisioner, **more)  # type: ignore[arg-type]


def receiver(broker: EmbeddedBroker, heard: Heard[bytes]) -> Connection:
    """A node that listens at SUBJECT, connected to the broker itself."""
    node = connection("node", broker.url, "node", broker.passwords.node)
    node._subscriptions[SUBJECT] = lambda _subject, data, _status: heard(data)
    return node
