"""What a provisioner does to one node, call by call, over usher's own transport."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest

from fsm.errors import CallError
from fsm.events import Certainty
from fsm.ports import Reply, Request
from fsm.runtime.clock import SystemClock
from tests.fakes.link import CALLER, Discarded, Heard, provisioner, running
from tests.fakes.simulated import CONFIGURATION, SECRET, server_token
from transport.connection import Connection
from transport.rpc import RpcClient
from transport.wire.caller import Caller
from usher.simulator.broker import EmbeddedBroker

YEAR_2100 = 4_102_444_800


@asynccontextmanager
async def asking(broker: EmbeddedBroker, caller: Caller = CALLER) -> AsyncIterator[tuple[RpcClient, Connection]]:
    async with running(provisioner(broker.url, broker)) as link:
        rpc = RpcClient(link, caller, SystemClock(), discards=Discarded(), on_second_answer=Heard())
        await rpc.start()
        try:
            yield rpc, link
        finally:
            rpc.close()


async def ask(rpc: RpcClient, node: str, action: str, *, within: float = 20.0, **data: object) -> Reply:
    agent = "rpcutil" if action in ("ping", "inventory", "daemon_stats") else "choria_provision"
    given = data if agent == "rpcutil" else {"token": SECRET, **data}
    return await rpc.call(Request(node, agent, action, given, ttl=30, timeout=within))


async def nobody(rpc: RpcClient, name: str = "nobody.example.net") -> None:
    """The broker says that nobody has this name; it has taken everything that was sent before."""
    with pytest.raises(CallError) as caught:
        await ask(rpc, name, "ping")
    assert caught.value.certainty is Certainty.NOT_DELIVERED


async def enrol(rpc: RpcClient, node: str, **claims: object) -> None:
    """All calls of a provisioning up to the acknowledged restart."""
    assert (await ask(rpc, node, "jwt")).data["jwt"]
    key = (await ask(rpc, node, "gen25519", nonce="abc")).data["public_key"]
    token = server_token(key, **{"identity": node, "exp": YEAR_2100, **claims})
    config = orjson.dumps({**CONFIGURATION, "identity": node}).decode()
    assert (await ask(rpc, node, "configure", config=config, server_jwt=token)).code == 0
    assert (await ask(rpc, node, "restart", splay=1)).data["message"] == "Restarting Choria Server after 2s"
