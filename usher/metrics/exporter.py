"""The exporter: `/metrics`, `/healthz` and `/readyz` over HTTP.

Rules:
1. It answers from the daemon's own loop: a healthy answer means that the loop turns.
2. /healthz says that the process lives; /readyz says 503 and why while no work is taken.
3. A request that is slow, long or not HTTP costs one connection and nothing else; there are MOST of them at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest

from fsm.errors import UsherError
from usher.peers import Places, part

PATIENCE: Final = 5.0
LONGEST: Final = 8192
MOST: Final = 64
"""Connections at once; beyond that the one that has lasted longest ends."""
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_STATUS: Final = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


class MonitorPortError(UsherError):
    """The monitor port cannot be listened on: choose another monitor_port or monitor_address"""

    def __init__(self, address: str, port: int, problem: str) -> None:
        """Hold where, and what the system said."""
        super().__init__()
        self.address = address or "all addresses"
        self.port = port
        self.problem = problem


class Exporter:
    """Serves one daemon: `await start()`, `await close()`. Port 0 serves nothing."""

    def __init__(self, text: Callable[[], str], trouble: Callable[[], str], address: str, port: int) -> None:
        """`text` gives the metrics, `trouble` why no work is taken (empty: it is)."""
        self._text, self._trouble = text, trouble
        self._address, self._port = address, port
        self._server: asyncio.Server | None = None
        self._places = Places(MOST)
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        GCCollector(registry=self._process)

    async def start(self) -> None:
        """Listen; raises MonitorPortError."""
        if not self._port:
            return
        try:
            self._server = await asyncio.start_server(self._serve, self._address or None, self._port, limit=LONGEST)
        except OSError as error:
            raise MonitorPortError(self._address, self._port, error.strerror or str(error)) from None

    async def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._places.take(writer)
        try:
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                status, body, kind = self.answer(head)
                writer.write(
                    f"HTTP/1.1 {status} {_STATUS[status]}\r\nContent-Type: {kind}\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                    + (b"" if head.startswith(b"HEAD ") else body)
                )
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # rule 3: the peer sees the connection end
        except asyncio.CancelledError:
            pass  # the process ends, and the task with it: nobody else waits for it
        finally:
            self._places.leave(writer)
            part(writer, PATIENCE)

    def answer(self, head: bytes) -> tuple[int, bytes, str]:
        """Status, body and type for a request's head."""
        words = head.split(b"\r\n", 1)[0].split()
        method, target = (words[0], words[1].split(b"?")[0]) if len(words) == 3 else (b"", b"")
        if method not in {b"GET", b"HEAD"}:
            return 405, b"only GET is answered\n", _TEXT
        match target:
            case b"/metrics":
                return 200, self._text().encode() + generate_latest(self._process), _TEXT
            case b"/healthz":
                return 200, b"alive\n", _TEXT
            case b"/readyz":
                why = self._trouble()
                return (503, f"{why}\n".encode(), _TEXT) if why else (200, b"ready\n", _TEXT)
            case _:
                return 404, b"/metrics, /healthz and /readyz are here\n", _TEXT
