"""One suite for everything that says that it is the port Rpc: the fake, and the client in each version of the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

import pytest

from fsm.errors import CallError
from fsm.events import Certainty
from fsm.ports import Rpc
from fsm.reasons import Reason
from fsm.runtime.clock import SystemClock
from tests.fakes.link import CALLERS, Asked, Discarded, Heard, asking, connection, responder
from tests.fakes.rpc import FakeRpc, Said, Silent
from tests.patience import PATIENCE
from transport.rpc import RpcClient
from transport.wire.caller import Caller
from transport.wire.versions import Version
from usher.simulator.broker import EmbeddedBroker

NODE = "n1.example.net"
SECOND = 1_000_000_000


class Harness(Protocol):
    """A port Rpc, and a node of the name NODE that says what it is told to."""

    rpc: Rpc

    def says(self, action: str, data: dict[str, Any], *, code: int = 0, message: str = "OK") -> None: ...

    def is_silent(self, action: str) -> None: ...

    async def goes_away(self) -> None: ...


class Fake:
    """The fake."""

    def __init__(self) -> None:
        self.fake = FakeRpc(SystemClock())
        self.rpc: Rpc = self.fake

    def says(self, action: str, data: dict[str, Any], *, code: int = 0, message: str = "OK") -> None:
        self.fake.on(NODE, action, Said(data, code, message))

    def is_silent(self, action: str) -> None:
        self.fake.on(NODE, action, Silent())

    async def goes_away(self) -> None:
        self.fake.connection = ""


class Real:
    """The client, a real broker, and a small responder."""

    def __init__(self, broker: EmbeddedBroker, caller: Caller) -> None:
        self.node = connection("node", broker.url, "node", broker.passwords.node)
        self.link = connection("rpc", broker.url, "provisioner", broker.passwords.provisioner)
        self.client = RpcClient(self.link, caller, SystemClock(), discards=Discarded(), on_second_answer=Heard())
        self.rpc: Rpc = self.client
        self.script: dict[str, Callable[[Asked], None]] = {}

    async def start(self) -> None:
        await responder(self.node, NODE, lambda asked: self.script[asked.call.action](asked))
        await self.client.start()
        for link in (self.node, self.link):
            await link.start()
            async with asyncio.timeout(PATIENCE):
                await link.ready()

    async def stop(self) -> None:
        self.client.close()
        await self.link.close()
        await self.node.close()

    def says(self, action: str, data: dict[str, Any], *, code: int = 0, message: str = "OK") -> None:
        self.script[action] = lambda asked: asked.answer(data, code=code, message=message)

    def is_silent(self, action: str) -> None:
        self.script[action] = lambda _asked: None

    async def goes_away(self) -> None:
        await self.link.close()


@pytest.fixture(params=["fake", *(pytest.param(version, marks=pytest.mark.network) for version in Version)])
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    """Each implementation in turn."""
    if request.param == "fake":
        yield Fake()
        return
    real = Real(request.getfixturevalue("broker"), CALLERS[request.param])
    await real.start()
    yield real
    await real.stop()


async def refused(harness: Harness, name: str = NODE, action: str = "ping", *, within: float = 20.0) -> CallError:
    with pytest.raises(CallError) as caught:
        await harness.rpc.call(asking(name, action, timeout=within))
    return caught.value


async def test_an_answer_is_the_nodes_own(harness: Harness):
    harness.says("ping", {"pong": 5, "deep": {"list": [1, None, "ä"]}})
    before = SystemClock().now()
    reply = await harness.rpc.call(asking(NODE))
    after = SystemClock().now()
    assert (reply.code, reply.message, reply.data) == (0, "OK", {"pong": 5, "deep": {"list": [1, None, "ä"]}})
    assert before <= reply.sent.at <= after
    assert reply.sent.connection
    assert before * 1_000_000 <= reply.time_ns < after * 1_000_000 + SECOND  # v1 tells no more than the second


async def test_a_status_is_an_answer(harness: Harness):
    harness.says("jwt", {}, code=1, message="Could not obtain provisioning lock")
    reply = await harness.rpc.call(asking(NODE, "jwt"))
    assert (reply.code, reply.message, reply.data) == (1, "Could not obtain provisioning lock", {})


async def test_nobody_is_there(harness: Harness):
    error = await refused(harness, "nobody.example.net")
    assert (error.certainty, error.reason) == (Certainty.NOT_DELIVERED, Reason.ABSENT)
    assert error.sent is not None


async def test_no_answer_is_unknown(harness: Harness):
    harness.is_silent("restart")
    error = await refused(harness, action="restart", within=0.05)
    assert (error.certainty, error.reason) == (Certainty.UNKNOWN, Reason.NO_ANSWER)
    assert error.sent is not None


async def test_without_a_broker_nothing_is_sent(harness: Harness):
    harness.says("ping", {})
    await harness.goes_away()
    error = await refused(harness)
    assert (error.certainty, error.reason, error.sent) == (Certainty.NOT_SENT, Reason.DISCONNECTED, None)


async def test_each_call_gets_its_own_answer(harness: Harness):
    for number in range(20):
        harness.says(f"action{number}", {"number": number})
    replies = await asyncio.gather(*(harness.rpc.call(asking(NODE, f"action{n}")) for n in range(20)))
    assert [reply.data["number"] for reply in replies] == list(range(20))
    assert len({reply.sent.connection for reply in replies}) == 1


async def test_a_call_that_is_given_up_disturbs_no_other(harness: Harness):
    harness.is_silent("restart")
    harness.says("ping", {"pong": 1})
    call = asyncio.ensure_future(harness.rpc.call(asking(NODE, "restart")))
    await harness.rpc.call(asking(NODE))
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await harness.rpc.call(asking(NODE))).data == {"pong": 1}
