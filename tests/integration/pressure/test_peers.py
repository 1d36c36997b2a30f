"""Peers in crowds, half open, and such as never read: at the monitor port and at the control socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from tests.fakes.control import FakeDaemon
from tests.fakes.whole import free_port
from tests.patience import PATIENCE
from usher.control import server as control
from usher.control.client import ask
from usher.control.protocol import Ask, Command
from usher.control.server import ControlServer
from usher.metrics import exporter as monitor
from usher.metrics.exporter import Exporter
from usher.peers import Places, part
from usher.state import StateDirectory

CROWD = 400
HUGE = "# " + "x" * 64 * 1024 * 1024 + "\n"
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def exporting(text: str = "a 1\n") -> AsyncIterator[tuple[Exporter, int]]:
    port = await free_port()
    exporter = Exporter(lambda: text, lambda: "", "127.0.0.1", port)
    await exporter.start()
    try:
        yield exporter, port
    finally:
        await exporter.close()


async def healthy(port: int) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz HTTP/1.1\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), PATIENCE)
    writer.close()
    return b"alive" in answer


async def ended(peer: Ends) -> None:
    with contextlib.suppress(ConnectionError):
        await asyncio.wait_for(peer[0].read(), PATIENCE)


async def test_a_crowd_at_the_monitor_port_takes_no_more_than_its_places():
    async with exporting() as (exporter, port):
        crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CROWD)]
        assert await healthy(port)
        for peer in crowd[: CROWD - monitor.MOST]:
            await ended(peer)
        assert len(exporter._places) <= monitor.MOST
        assert await healthy(port)
        for _, writer in crowd:
            writer.close()


async def test_a_peer_that_never_reads_its_answer_is_cut_in_the_end():
    """It is closed while its answer waits to be read; the timer that cuts it is rung here at once."""
    async with exporting(HUGE) as (exporter, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            while not exporter._places:  # noqa: ASYNC110 nobody tells it
                await asyncio.sleep(0)
        (talk,) = exporter._places._taken
        part(talk, 0.0)
        with contextlib.suppress(ConnectionError):
            assert len(await asyncio.wait_for(reader.read(), PATIENCE)) < len(HUGE)
        assert talk.transport.get_write_buffer_size() == 0
        assert await asyncio.wait_for(_none_left(exporter._places), PATIENCE)
        writer.close()


async def _none_left(places: Places) -> bool:
    while places:  # noqa: ASYNC110 nobody tells it
        await asyncio.sleep(0)
    return True


async def test_the_newest_peer_is_seated_and_the_oldest_leaves():
    seen: list[asyncio.StreamWriter] = []
    there = asyncio.Event()

    def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer)
        there.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    peers, places = [], Places(2)
    for number in range(3):
        there.clear()
        peers.append(await asyncio.open_connection("127.0.0.1", port))
        await asyncio.wait_for(there.wait(), PATIENCE)
        places.take(seen[number])
    assert len(places) == 2
    await ended(peers[0])
    places.leave(seen[0])
    places.leave(seen[2])
    assert len(places) == 1
    for writer in seen:
        part(writer, 0.0)
    for peer in peers:
        await ended(peer)
        peer[1].close()
    server.close()


async def test_a_crowd_at_the_control_socket_is_told_so_and_harms_nobody(tmp_path: Path):
    state, daemon = StateDirectory(tmp_path), FakeDaemon()
    server = ControlServer(state.socket, daemon, daemon)
    await server.start()
    crowd = [await asyncio.open_unix_connection(str(state.socket)) for _ in range(control.MOST)]
    reader, writer = await asyncio.open_unix_connection(str(state.socket))
    assert b"too many commands wait" in await asyncio.wait_for(reader.read(), PATIENCE)
    writer.close()
    for _, each in crowd:
        each.close()
    async with asyncio.timeout(PATIENCE):
        while server._talks:  # noqa: ASYNC110 nobody tells it
            await asyncio.sleep(0)
    assert (await asyncio.to_thread(ask, state, Ask(Command.STATUS)))["ok"]
    await server.close()
