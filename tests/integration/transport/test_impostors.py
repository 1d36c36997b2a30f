"""Whoever is no broker, or ours no login: refused with a reason, and tried again."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.fakes.link import (
    QUICK,
    Discarded,
    Heard,
    Known,
    connection,
    started,
)
from transport.connection import Connection, Options
from transport.credentials import tls_context
from transport.reports import Complaint, Connected, Disconnected, Refused, Report
from usher.simulator.broker import HOST, EmbeddedBroker

pytestmark = pytest.mark.network


@contextlib.asynccontextmanager
async def impostor(*lines: bytes) -> AsyncIterator[tuple[str, Heard[bytes]]]:
    """Somebody who listens, says these lines, and keeps what he is told."""
    told: Heard[bytes] = Heard()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"".join(lines))
        try:
            told(await reader.read(65536))
        except ConnectionError:
            told(b"")
        writer.transport.abort()

    server = await asyncio.start_server(serve, HOST, 0)
    try:
        yield f"nats://{HOST}:{server.sockets[0].getsockname()[1]}", told
    finally:
        server.close()


async def test_a_broker_without_tls_gets_no_password():
    report: Heard[Report] = Heard()
    async with (
        impostor(b'INFO {"server_id":"x","max_payload":1000}\r\n') as (url, told),
        started(connection("rpc", url, "provisioner", "s3cret", report=report)),
    ):
        assert (await report.kind(Refused)).reason == "the broker does not offer TLS"
        assert set(await told.until(bool)) == {b""}


@pytest.mark.parametrize(
    "greeting",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n", b"INFO []\r\n", b"INFO not json\r\n", b"INFO \xff\xfe\r\n", b"", b"x" * 200_000,
        b'INFO {"tls_required":true,"max_payload":"many"}\r\n', b'INFO {"connect_urls":5}\r\n',
    ],
)  # fmt: skip
async def test_whoever_is_no_broker_is_refused_and_tried_again(greeting):
    report: Heard[Report] = Heard()
    options = Options(backoff=(0.01,), connect_timeout=0.2)
    link = impostor(greeting)
    async with link as (url, _), started(connection("rpc", url, "u", "p", report=report, options=options)):
        refused = await report.kind(Refused, 2)
        assert refused.reason
        assert "Error" not in refused.reason


class Broken:
    """Credentials whose file is unreadable."""

    user = "provisioner"
    token = ""

    @property
    def password(self) -> str:
        raise ValueError("s3cret")

    def sign_nonce(self, nonce: bytes) -> bytes:
        return nonce


async def test_credentials_that_cannot_be_used_are_told(broker):
    report: Heard[Report] = Heard()
    link = Connection(
        "rpc", [broker.url], Broken(), tls_context(), name="test", discards=Discarded(), report=report, options=QUICK
    )
    async with started(link):
        assert (await report.kind(Refused)).reason == "usher's own credentials cannot be used (ValueError)"


@contextlib.asynccontextmanager
async def liar(broker: EmbeddedBroker, *lines: bytes, info: bytes = b"") -> AsyncIterator[str]:
    """A broker that lets everybody in, and then says these lines once the subscriptions are in place."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(broker.certificate, broker.directory / "tls.key")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            writer.write(b'INFO {"tls_required":true,"headers":true,"max_payload":1048576%s}\r\n' % info)
            await writer.start_tls(context)
            pings = 0
            while line := await reader.readline():
                if line == b"PING\r\n":
                    pings += 1
                    writer.write(b"PONG\r\n")
                if pings == 2:
                    writer.write(b"".join(lines))
        writer.transport.abort()

    server = await asyncio.start_server(serve, HOST, 0)
    try:
        yield f"nats://{HOST}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def listening(url: str, report: Heard[Report]) -> Connection:
    """A connection with a subscription."""
    link = connection("rpc", url, "provisioner", "x", report=report)
    await link.subscribe("a", lambda _subject, _data, _status: None)
    return link


async def closed(link: Connection) -> None:
    """As an end in order has it."""
    await link.close()


async def abandoned(_: Connection) -> None:
    """As a loop has it that ends before whoever started this could close it: a stop in the middle of a start."""
    ours = [task for task in asyncio.all_tasks() if task.get_name().startswith(("connection", "login"))]
    for task in ours:
        task.cancel()
    await asyncio.gather(*ours, return_exceptions=True)


@pytest.mark.parametrize("end", [closed, abandoned])
@pytest.mark.parametrize("turns", range(0, 60, 20))
async def test_it_can_be_ended_at_every_turn_of_a_login(turns: int, end: Callable[[Connection], Awaitable[None]]):
    """A cancellation that comes together with what nats-py waits for is lost there; it ends all the same."""
    greeting = b'INFO {"max_payload":1048576}\r\nPONG\r\nPONG\r\n'
    for count in range(turns, turns + 20):
        async with impostor(greeting) as (url, _):
            link = Connection(
                "rpc", [url], Known("u", "p"), lambda: None, name="test", discards=Discarded(), report=Heard()
            )
            await link.start()
            for _ in range(count):
                await asyncio.sleep(0)
            async with asyncio.timeout(10):
                await end(link)
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith(("connection", "login"))]


LIES = [
    b"-ERR 'Server Shutdown'\r\n",
    b"-ERR 'Slow Consumer'\r\n",
    b"-ERR\r\n",
    b"-ERR \xff\xfe\r\n",
    b"MSG a b c d e f\r\n",
    b"MSG a 1 99999999999\r\n",
    b"HMSG a 1 7 3\r\nABC\r\n",
    b"HELLO\r\n",
    b"x" * 200_000,
]


@pytest.mark.parametrize("lie", LIES, ids=range(len(LIES)))
async def test_a_broker_that_lies_costs_a_login_and_no_more(broker, lie):
    report: Heard[Report] = Heard()
    async with (
        liar(broker, lie) as url,
        started(await listening(url, report)) as link,
    ):
        lost = await report.kind(Disconnected, 2)
        assert lost.reason
        assert lost.connection
        await report.kind(Connected, 3)
        assert link.server == url


@pytest.mark.parametrize(
    "harmless",
    [b"PONG\r\n" * 50, b"INFO not json\r\n", b"INFO []\r\n", b"+OK\r\n", b"MSG a 99 1\r\nA\r\n", b"PING\r\n"],
)
async def test_what_a_broker_may_say_at_any_time_ends_nothing(broker, harmless):
    report: Heard[Report] = Heard()
    async with (
        liar(broker, harmless, b"-ERR 'Permissions Violation for Publish to x'\r\n") as url,
        started(await listening(url, report)),
    ):
        await report.kind(Complaint)
        await report.kind(Connected)
        assert {type(item) for item in report.items} == {Connected, Complaint}


@pytest.mark.parametrize("size", [b'"many"', b"0", b"-5", b"true", b"null"])
async def test_a_broker_that_takes_no_messages_is_refused(broker, size):
    report: Heard[Report] = Heard()
    async with (
        liar(broker, info=b',"max_payload":%s' % size) as url,
        started(connection("rpc", url, "provisioner", "x", report=report)),
    ):
        assert (await report.kind(Refused)).reason == "the broker takes no messages"


async def test_a_broker_that_always_says_that_it_goes_is_not_asked_again_at_once():
    """It is used while the pause lasts, and what it names as its cluster is not believed to be addresses."""
    report: Heard[Report] = Heard()
    lines: Heard[bytes] = Heard()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","max_payload":1000}\r\n')
        async for line in reader:
            if line == b"PING\r\n":
                writer.write(b'PONG\r\nINFO {"ldm":true,"connect_urls":[7,"x","u:p@h:1"]}\r\nINFO {\r\n')
            lines(line)
        writer.transport.abort()

    server = await asyncio.start_server(serve, HOST, 0)
    url = f"nats://{HOST}:{server.sockets[0].getsockname()[1]}"
    link = Connection(
        "rpc", [url], Known("u", "p"), None, name="test", discards=Discarded(), report=report,
        options=Options(backoff=(1000.0,)),
    )  # fmt: skip
    async with started(link):
        await report.kind(Connected)
        for subject in ("b", "c"):  # each waits for a PONG, behind which is the news
            await link.subscribe(subject, lambda *_: None)
        link.publish("a", b"still")
        await lines.until(lambda items: b"still\r\n" in items)
        assert [type(item) for item in report.items] == [Connected, Complaint]
        assert sum(line.startswith(b"CONNECT") for line in lines.items) == 1
    server.close()
