"""An RPC client and a node over a real broker: the node keeps what it is asked, and answers when the test says so."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from fsm.errors import CallError
from fsm.ports import Reply
from fsm.runtime.clock import SystemClock
from tests.fakes.link import CALLER, QUICK, Asked, Discarded, Heard, asking, connection, responder
from tests.patience import PATIENCE
from transport.connection import Connection, Options
from transport.reports import Report
from transport.rpc import RpcClient
from transport.wire.caller import Caller
from usher.simulator.broker import EmbeddedBroker

NODE = "n1.example.net"


@dataclass
class Scene:
    """A client, and a node that keeps what it is asked and answers when the test says so."""

    rpc: RpcClient
    link: Connection
    node: Connection
    asked: Heard[Asked]
    seconds: Heard[str]
    discards: Discarded
    report: Heard[Report]

    def call(self, action: str = "ping", *, within: float = 20.0, **data: object) -> asyncio.Future[Reply]:
        return asyncio.ensure_future(self.rpc.call(asking(NODE, action, timeout=within, **data)))

    async def next(self, number: int = 1) -> Asked:
        """The so-many-th request that the node got."""
        return (await self.asked.until(lambda items: len(items) >= number))[number - 1]

    async def doubts(self) -> None:
        """Wait until a wait has run out and the broker is asked whether the way stands."""
        while self.rpc._doubting is None:  # noqa: ASYNC110 nobody tells it; a call's own timer begins it
            await asyncio.sleep(0)

    async def fails(self, call: asyncio.Future[Reply]) -> CallError:
        with pytest.raises(CallError) as caught:
            await call
        return caught.value


@contextlib.asynccontextmanager
async def staged(
    broker: EmbeddedBroker, url: str = "", *, caller: Caller = CALLER, way: Options = QUICK, **options: int
) -> AsyncIterator[Scene]:
    """All connected."""
    discards, report = Discarded(), Heard[Report]()
    link = connection(
        "rpc", url or broker.url, "provisioner", broker.passwords.provisioner,
        options=way, discards=discards, report=report,
    )  # fmt: skip
    node = connection("node", broker.url, "node", broker.passwords.node)
    asked, seconds = Heard[Asked](), Heard[str]()
    rpc = RpcClient(link, caller, SystemClock(), discards=discards, on_second_answer=seconds, **options)
    await responder(node, NODE, asked)
    await rpc.start()
    async with asyncio.timeout(PATIENCE):
        for each in (node, link):
            await each.start()
            await each.ready()
    try:
        yield Scene(rpc, link, node, asked, seconds, discards, report)
    finally:
        rpc.close()
        await link.close()
        await node.close()
