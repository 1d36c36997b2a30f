"""A TCP proxy that breaks what passes through it: latency, bandwidth, slices, silence, and sudden ends."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Final, Self

from tests.patience import PATIENCE

_RESET: Final = struct.pack("ii", 1, 0)
_CHUNK: Final = 64 * 1024


class Way(Enum):
    """Which way bytes travel."""

    UP = "from the client to the target"
    DOWN = "from the target to the client"


@dataclass(slots=True)
class Faults:
    """What is wrong at the moment, in both directions: seconds a piece, bytes a second, bytes a piece; 0 is none."""

    latency: float = 0.0
    bandwidth: float = 0.0
    pieces: int = 0
    cut_after: dict[Way, int] = field(default_factory=dict)
    """Bytes that may still pass that way, over all connections; the next one resets the connection that it came on."""


class FaultProxy:
    """Listens on loopback and forwards to one target; `faults` may be changed at any time.

    `receive_buffer` (bytes, 0: the system's) makes a silent proxy push back early.
    """

    def __init__(self, host: str, port: int, *, receive_buffer: int = 0) -> None:
        """Hold where to forward to."""
        self.faults = Faults()
        self.port = 0
        self.accepted = 0
        self._target = (host, port)
        self._receive_buffer = receive_buffer
        self._refusing = False
        self.passed = dict.fromkeys(Way, 0)
        self._flowing = {way: asyncio.Event() for way in Way}
        self.resume()
        self._links: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._gone = asyncio.Event()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where clients connect to."""
        return f"nats://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        """Listen."""
        listening = socket.create_server(("127.0.0.1", 0))
        if self._receive_buffer:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        self.port = listening.getsockname()[1]
        self._server = await asyncio.start_server(self._accepted, sock=listening, limit=_CHUNK)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cut everything and stop listening."""
        if self._server is not None:
            self._server.close()
        links = list(self._links)
        self.cut()
        await asyncio.gather(*links, return_exceptions=True)

    def cut(self) -> None:
        """Reset every connection, as a rebooted firewall does."""
        for task in list(self._links):
            self._reset(task)

    def _reset(self, task: asyncio.Task[None]) -> None:
        for writer in self._links.get(task, ()):
            with suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
        task.cancel()

    def silence(self, *ways: Way) -> None:
        """Half open: connections stay, nothing passes, these ways or both."""
        for way in ways or Way:
            self._flowing[way].clear()

    def resume(self) -> None:
        """Let everything pass again."""
        for flowing in self._flowing.values():
            flowing.set()

    def refuse(self, *, refusing: bool = True) -> None:
        """Reset new connections at once."""
        self._refusing = refusing

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        if task is None or self._refusing:
            writer.transport.abort()
            return
        writers = self._links.setdefault(task, [writer])
        with suppress(OSError, asyncio.CancelledError):
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            writers.append(far_writer)
            pumps = {
                asyncio.ensure_future(self._pump(reader, far_writer, Way.UP, task)),
                asyncio.ensure_future(self._pump(far_reader, writer, Way.DOWN, task)),
            }
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        for each in writers:
            each.close()
        self._links.pop(task, None)
        self._gone.set()

    async def until_links(self, most: int) -> None:
        """Wait until there are no more connections than this."""
        async with asyncio.timeout(PATIENCE):
            while len(self._links) > most:
                self._gone.clear()
                await self._gone.wait()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way, task: asyncio.Task[None]
    ) -> None:
        while data := await reader.read(self.faults.pieces or _CHUNK):
            await self._flowing[way].wait()
            delay = self.faults.latency + (len(data) / self.faults.bandwidth if self.faults.bandwidth else 0.0)
            if delay:
                await _after(delay)
            left = self.faults.cut_after.get(way, len(data))
            writer.write(data[:left])
            await writer.drain()
            self.passed[way] += min(left, len(data))
            if left < len(data):
                await self._end(writer, way, task)
                return
            if way in self.faults.cut_after:
                self.faults.cut_after[way] -= len(data)

    async def _end(self, writer: asyncio.StreamWriter, way: Way, task: asyncio.Task[None]) -> None:
        """In the middle of a message: what passed arrives, and then the connection is reset."""
        del self.faults.cut_after[way]
        while writer.transport.get_write_buffer_size():  # noqa: ASYNC110 the transport tells nobody
            await asyncio.sleep(0)
        self._reset(task)


async def _after(seconds: float) -> None:
    """The fault itself: time that passes."""
    due: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    timer = asyncio.get_running_loop().call_later(seconds, due.set_result, None)
    try:
        await due
    finally:
        timer.cancel()
