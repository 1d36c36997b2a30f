"""The monitor port: what is answered, and what peers may do to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client.parser import text_string_to_metric_families

from usher.metrics.exporter import LONGEST, Exporter, MonitorPortError


class Probed:
    """An exporter of a daemon that is in trouble at will."""

    def __init__(self) -> None:
        self.why = ""
        self.exporter = Exporter(lambda: "a 1\n", lambda: self.why, "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /metrics HTTP/1.1", 200),
        (b"GET /metrics?x=1 HTTP/1.0", 200),
        (b"HEAD /healthz HTTP/1.1", 200),
        (b"GET /healthz HTTP/1.1", 200),
        (b"GET /readyz HTTP/1.1", 200),
        (b"GET / HTTP/1.1", 404),
        (b"GET /metrics/../../etc/passwd HTTP/1.1", 404),
        (b"POST /metrics HTTP/1.1", 405),
        (b"GET /metrics", 405),
        (b"", 405),
        (b"\xff\x00 \xff \xff", 405),
    ],
)
def test_what_is_answered(head: bytes, status: int):
    assert Probed().exporter.answer(head + b"\r\n\r\n")[0] == status


def test_ready_says_why_not_and_healthy_stays_healthy():
    probed = Probed()
    probed.why = "paused by anna: the broker is moved"
    status, body, _ = probed.exporter.answer(b"GET /readyz HTTP/1.1\r\n\r\n")
    assert (status, body) == (503, b"paused by anna: the broker is moved\n")
    assert probed.exporter.answer(b"GET /healthz HTTP/1.1\r\n\r\n")[:2] == (200, b"alive\n")


@asynccontextmanager
async def exporting() -> AsyncIterator[int]:
    probe = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port: int = probe.sockets[0].getsockname()[1]
    probe.close()
    await probe.wait_closed()
    exporter = Exporter(lambda: "choria_provisioner_paused 0\n", lambda: "", "127.0.0.1", port)
    await exporter.start()
    try:
        yield port
    finally:
        await exporter.close()


async def asked(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


async def test_it_is_scraped_over_http():
    async with exporting() as port:
        answer = await asked(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4")
        assert f"Content-Length: {len(body)}".encode() in head
        read = {family.name for family in text_string_to_metric_families(body.decode())}
        assert {"choria_provisioner_paused", "process_open_fds", "python_info"} <= read
        head = await asked(port, b"HEAD /healthz HTTP/1.1\r\n\r\n")
        assert head.endswith(b"\r\n\r\n")


async def test_peers_that_are_none_cost_one_connection():
    async with exporting() as port:
        _, silent = await asyncio.open_connection("127.0.0.1", port)
        assert await asked(port, b"\x16\x03\x01\x02\x00\r\n\r\n") != b""
        assert await asked(port, b"x" * LONGEST * 2 + b"\r\n\r\n") == b""
        _, gone = await asyncio.open_connection("127.0.0.1", port)
        gone.transport.abort()
        assert b"alive" in await asked(port, b"GET /healthz HTTP/1.1\r\n\r\n")
        silent.close()


async def test_a_port_that_is_taken_is_named():
    async with exporting() as port:
        with pytest.raises(MonitorPortError, match=str(port)):
            await Exporter(str, str, "127.0.0.1", port).start()


async def test_port_0_serves_nothing():
    exporter = Exporter(str, str, "", 0)
    await exporter.start()
    await exporter.close()
