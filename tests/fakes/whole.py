"""The whole of it on this machine: a real broker, a simulated fleet, `usher run`, each a process of its own."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fsm.errors import StoreError
from fsm.states import State
from store.reader import open_reader
from usher.children import Child, usher
from usher.simulator.broker import EmbeddedBroker
from usher.simulator.material import DemoSite, make_broker, make_site

WITHIN = 240.0
"""Seconds in which a whole fleet must have come where it is awaited, however busy the machine is."""


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@dataclass
class Whole:
    """A broker, a site, and whatever was started."""

    broker: EmbeddedBroker
    site: DemoSite
    children: list[Child] = field(default_factory=list)

    def start(self, name: str, *words: str) -> Child:
        """A command of usher beside us."""
        child = Child(name, usher(*words), self.site.directory / f"{name}-{len(self.children)}.log")
        child.start()
        self.children.append(child)
        return child

    def fleet(self, nodes: int, *words: str) -> Child:
        """Simulated servers."""
        return self.start("fleet", *self.site.fleet(nodes), *words)

    def daemon(self) -> Child:
        """`usher run`."""
        return self.start("daemon", *self.site.daemon())

    async def say(self, *words: str) -> Said:
        """A command of usher, until it ends."""
        process = await asyncio.create_subprocess_exec(
            *usher(*words), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
        return Said(process.returncode or 0, out.decode(), err.decode())

    async def ask(self, *words: str) -> Said:
        """A command on this state directory."""
        return await self.say(*words, "--state", str(self.site.state))

    def counts(self) -> Mapping[State, int]:
        """What the database says; empty before there is one."""
        try:
            with open_reader(self.site.state / "usher.db") as reader:
                return reader.counts()
        except StoreError:
            return {}

    async def until(self, least: int, *states: State) -> None:
        """Wait until so many nodes are in one of these states."""
        await self.until_so(lambda: sum(self.counts().get(state, 0) for state in states) >= least)

    async def until_so(self, condition: Any) -> None:
        """Wait for a condition over files and sockets: the daemon's news are the lines of its log."""
        begun = time.monotonic()
        while not condition():
            assert time.monotonic() - begun < WITHIN, (self.counts(), [child.tail() for child in self.children])
            await self._news()

    async def _news(self) -> None:
        """Until a child ends or a moment has passed."""
        running = [child.ended for child in self.children if child.pid]
        never: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        await asyncio.wait([*running, never], timeout=0.05, return_when=asyncio.FIRST_COMPLETED)

    def log(self, child: Child) -> list[dict[str, Any]]:
        """The lines of a daemon's log."""
        return [json.loads(line) for line in child.log.read_text().splitlines()]


@asynccontextmanager
async def whole(directory: Path, **settings: Any) -> AsyncIterator[Whole]:
    """A broker and a site; `settings` are added to the YAML."""
    async with make_broker(directory) as broker:
        made = Whole(broker, make_site(directory, broker, int(time.time()), settings))
        try:
            yield made
        finally:
            await asyncio.gather(*(child.stop() for child in made.children))


async def free_port() -> int:
    """A port that nobody listens on now."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def fetched(port: int, target: str) -> tuple[int, str]:
    """Status and body of a page of the monitor port; status 0 if nobody listens."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return 0, ""
    writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body
