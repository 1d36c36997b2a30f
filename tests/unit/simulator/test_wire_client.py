"""The smallest NATS client against a broker that does not behave."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from tests.patience import PATIENCE
from transport.credentials import tls_context
from usher.simulator.tls import Tls, TlsError
from usher.simulator.wire_client import Broker, Link, LinkError, Login, publication

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LOGIN = Login("token", "node", "secret")
INFO = b'INFO {"max_payload":2048}\r\n'


@asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[Broker]:
    """A broker that does this with its one connection, and is waited for."""
    done = asyncio.Event()

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            done.set()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    async with server:
        yield Broker("127.0.0.1", server.sockets[0].getsockname()[1], plain=True)
        await asyncio.wait_for(done.wait(), PATIENCE)


async def link_to(broker: Broker, heard: list[tuple[int, bytes]]) -> Link:
    link = Link(lambda sid, _subject, payload: heard.append((sid, payload)))
    await link.open(broker, LOGIN, "n1", tls_context())
    return link


async def test_it_logs_in_hears_and_speaks() -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(INFO)
        asked.extend([await reader.readline(), await reader.readline()])
        writer.write(b"PONG\r\nMSG a.b 7 3\r\nabc\r\nHMSG a\x0bb 8 r 12 14\r\nNATS/1.0\r\n\r\nxy\r\nPING\r\n")
        asked.extend([await reader.readline(), await reader.readline(), await reader.readline()])

    heard: list[tuple[int, bytes]] = []
    async with served(serve) as broker:
        link = await link_to(broker, heard)
        link.send(publication("x.y", b"hi"))
        await link.closed
    assert b'"auth_token":"token"' in asked[0]
    assert b'"user":"node","pass":"secret"' in asked[0]
    assert asked[1] == b"PING\r\n"
    assert sorted(asked[2:]) == sorted([b"PUB x.y 2\r\n", b"hi\r\n", b"PONG\r\n"])
    assert heard == [(7, b"abc"), (8, b"xy")]
    assert link.max_payload == 2048


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"-ERR 'Authorization Violation'\r\n", "Authorization Violation"),
        (b"HTTP/1.1 400 Bad Request\r\n", "not the NATS protocol"),
        (b"", "the broker ended the connection"),
        (b"INFO []\r\n", "not a JSON object"),
        (b"INFO 5\r\n", "not a JSON object"),
        (b"INFO {\r\n", "not a JSON object"),
        (b'INFO {"tls_required":true}\r\n', "WRONG_VERSION_NUMBER"),
    ],
)
async def test_a_broker_that_lets_nobody_in(said: bytes, why: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        if said.startswith(b"INFO"):
            await reader.read(100)
            writer.write(b"this is no TLS, whatever it is")

    async with served(serve) as broker:
        with pytest.raises(LinkError) as caught:
            await link_to(broker, [])
    assert why in caught.value.why


async def test_plain_text_has_to_be_permitted() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(INFO)
        await reader.read()

    async with served(serve) as broker:
        with pytest.raises(LinkError) as caught:
            await link_to(Broker(broker.host, broker.port), [])
    assert caught.value.why == "secure connection not available"


async def test_nonsense_ends_a_connection_with_a_reason() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(INFO)
        await reader.readline()
        writer.write(b"PONG\r\nMSG a 1 many\r\n")
        await reader.read()

    async with served(serve) as broker:
        link = await link_to(broker, [])
        assert "not the NATS protocol" in await link.closed
        link.send(b"PUB a 0\r\n\r\n")
        link.close()


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("nats://h:1", Broker("h", 1)),
        ("h:1", Broker("h", 1)),
        ("h", Broker("h", 4222)),
        ("tls://[::1]:5", Broker("::1", 5)),
    ],
)
def test_addresses(url: str, broker: Broker) -> None:
    assert Broker.parse(url) == broker
    assert Broker.parse(str(broker)) == broker


@pytest.mark.parametrize("url", ["", "nats://", "nats://h:port"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Broker.parse(url)


def test_tls_that_is_none() -> None:
    tls = Tls(tls_context(), "h")
    assert tls.receive(b"") == b""
    assert tls.to_send()
    with pytest.raises(TlsError):
        tls.receive(b"this is no TLS, whatever it is")
    assert tls_context().verify_mode is ssl.CERT_NONE
