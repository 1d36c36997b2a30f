"""The fault proxy itself: each fault really happens. Behind it is a server that sends back what it reads."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from tests.fakes.proxy import FaultProxy, Way
from tests.patience import PATIENCE

HOST = "127.0.0.1"


@dataclass
class Far:
    """What the far end read, in the pieces in which it came; it sends everything back."""

    pieces: list[bytes] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                self.pieces.append(data)
                self.changed.set()
                writer.write(data)
            self.ends.append("closed")
        except ConnectionResetError:
            self.ends.append("reset")
        finally:
            self.changed.set()
            writer.close()

    async def until(self, text: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            while b"".join(self.pieces) != text:
                self.changed.clear()
                await self.changed.wait()

    async def until_ended(self) -> str:
        async with asyncio.timeout(PATIENCE):
            while not self.ends:
                self.changed.clear()
                await self.changed.wait()
        return self.ends[0]


@dataclass
class Near:
    """Our end."""

    proxy: FaultProxy
    far: Far
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


@contextlib.asynccontextmanager
async def staged() -> AsyncIterator[Near]:
    far = Far()
    server = await asyncio.start_server(far.serve, HOST, 0)
    async with FaultProxy(HOST, server.sockets[0].getsockname()[1]) as proxy:
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        try:
            yield Near(proxy, far, reader, writer)
        finally:
            writer.close()
            server.close()


async def echo(near: Near, text: bytes) -> bytes:
    near.writer.write(text)
    return await asyncio.wait_for(near.reader.readexactly(len(text)), PATIENCE)


async def test_without_a_fault_everything_passes_both_ways():
    async with staged() as near:
        text = bytes(range(256)) * 1024
        assert await echo(near, text) == text
        assert near.proxy.passed == {Way.UP: len(text), Way.DOWN: len(text)}


async def test_latency_delays_each_piece_by_so_much():
    async with staged() as near:
        near.proxy.faults.latency = 0.05
        begun = asyncio.get_running_loop().time()
        await echo(near, b"x")
        assert asyncio.get_running_loop().time() - begun >= 0.1  # never less, however fast the machine


async def test_bandwidth_is_bytes_a_second():
    async with staged() as near:
        near.proxy.faults.bandwidth = 100_000.0
        begun = asyncio.get_running_loop().time()
        await echo(near, bytes(10_000))
        assert asyncio.get_running_loop().time() - begun >= 0.2  # a tenth each way


async def test_a_slicer_cuts_messages_into_small_pieces():
    async with staged() as near:
        near.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        near.proxy.faults.pieces = 3
        near.proxy.faults.latency = 0.001
        await echo(near, b"hello, world")
        assert len(near.far.pieces) > 1
        assert max(map(len, near.far.pieces)) <= 6  # two pieces may be read at once, a message never is


async def test_a_cut_is_a_reset_for_both_ends():
    async with staged() as near:
        await echo(near, b"x")
        near.proxy.cut()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(near.reader.read(1), PATIENCE)
        assert await near.far.until_ended() == "reset"


async def test_half_open_connections_stay_and_carry_nothing():
    async with staged() as near:
        await echo(near, b"x")
        near.proxy.silence()
        near.writer.write(b"y")
        waiting = asyncio.ensure_future(near.reader.read(1))
        await asyncio.wait({waiting}, timeout=0.05)
        assert not waiting.done()
        assert (near.far.pieces, near.far.ends) == ([b"x"], [])
        near.proxy.resume()
        assert await asyncio.wait_for(waiting, PATIENCE) == b"y"


async def test_one_way_alone_can_be_silent():
    async with staged() as near:
        near.proxy.silence(Way.DOWN)
        near.writer.write(b"y")
        await near.far.until(b"y")
        waiting = asyncio.ensure_future(near.reader.read(1))
        await asyncio.wait({waiting}, timeout=0.05)
        assert not waiting.done()
        near.proxy.resume()
        assert await asyncio.wait_for(waiting, PATIENCE) == b"y"


@pytest.mark.parametrize("passes", [0, 1, 7])
async def test_an_end_in_the_middle_lets_so_many_bytes_pass(passes: int):
    async with staged() as near:
        await echo(near, b"before")
        near.proxy.faults.cut_after[Way.UP] = passes
        near.writer.write(b"a message")
        assert await near.far.until_ended() == "reset"
        assert b"".join(near.far.pieces) == b"before" + b"a message"[:passes]
        assert near.proxy.faults.cut_after == {}  # the next connection is whole


async def test_the_end_may_be_in_what_comes_back():
    async with staged() as near:
        near.proxy.faults.cut_after[Way.DOWN] = 4
        near.writer.write(b"a message")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)) as caught:
            await asyncio.wait_for(near.reader.readexactly(9), PATIENCE)
        if isinstance(caught.value, asyncio.IncompleteReadError):
            assert caught.value.partial == b"a me"
        assert near.proxy.passed[Way.DOWN] == 4


async def test_refused_connections_end_at_once():
    async with staged() as near:
        near.proxy.refuse()
        reader, writer = await asyncio.open_connection(HOST, near.proxy.port)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(1), PATIENCE) == b""
        writer.close()
        assert await echo(near, b"the others stay") == b"the others stay"
