"""Whoever is no broker, or ours no login: refused with a reason, and tried again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.fakes.link import (
    QUICK,
    Discarded,
    Heard,
    connection,
    started,
)
from transport.connection import Connection, Options
from transport.credentials import tls_context
from transport.reports import Refused, Report
from usher.simulator.broker import HOST

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
