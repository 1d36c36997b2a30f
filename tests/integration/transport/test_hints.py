"""Discovery and lifecycle events over a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from fsm.events import HintKind
from fsm.runtime.clock import SystemClock
from tests.fakes.link import CALLER, Discarded, Heard, connection, in_the_name_of
from tests.patience import PATIENCE
from transport import subjects
from transport.connection import Connection
from transport.discovery import Cycle, Discovery
from transport.lifecycle import Lifecycle, decode_event
from transport.reports import Connected, Disconnected, Report
from transport.wire import mcorpc
from transport.wire.caller import Caller
from transport.wire.messages import Filter, WireRequest
from transport.wire.versions import WIRES, decode_request
from usher.simulator.broker import EmbeddedBroker

pytestmark = pytest.mark.network
Answer = Callable[[WireRequest], list[bytes]]


@dataclass
class Scene:
    """Usher's side of discovery and events, and a connection of nodes."""

    discovery: Discovery
    lifecycle: Lifecycle
    link: Connection
    node: Connection
    seen: Heard[str]
    hints: Heard[tuple[str, HintKind]]
    discards: Discarded
    report: Heard[Report]

    async def answering(self, answer: Answer) -> None:
        """What nodes say to discovery."""

        def on_message(_subject: str, data: bytes, _status: int) -> None:
            request = decode_request(data)
            for message in answer(request):
                self.node.publish(request.reply_to, message)

        await self.node.subscribe(subjects.broadcast("discovery"), on_message)


@contextlib.asynccontextmanager
async def staged(broker: EmbeddedBroker, url: str = "", *, caller: Caller = CALLER) -> AsyncIterator[Scene]:
    """All connected."""
    discards, report = Discarded(), Heard[Report]()
    link = connection(
        "events", url or broker.url, "provisioner", broker.passwords.provisioner, discards=discards, report=report
    )
    node = connection("node", broker.url, "node", broker.passwords.node)
    seen, hints = Heard[str](), Heard[tuple[str, HintKind]]()
    clock = SystemClock()
    discovery = Discovery(link, caller, clock, on_seen=seen, discards=discards)
    lifecycle = Lifecycle(
        link, clock, component="provision_mode_server", on_hint=lambda *hint: hints(hint), discards=discards
    )
    await discovery.start()
    await lifecycle.start()
    try:
        async with asyncio.timeout(PATIENCE):
            for each in (node, link):
                await each.start()
                await each.ready()
        yield Scene(discovery, lifecycle, link, node, seen, hints, discards, report)
    finally:
        await link.close()
        await node.close()


def pong(request: WireRequest, name: str, **odd: str | bytes) -> bytes:
    """The answer of a node, or one that is odd."""
    payload = odd.get("payload", mcorpc.PONG)
    assert isinstance(payload, bytes)
    return WIRES[request.version].encode_reply(
        payload,
        request_id=str(odd.get("request_id", request.request_id)),
        sender=name,
        agent=str(odd.get("agent", request.agent)),
        time_ns=1,
    )


async def test_everybody_who_answers_is_seen(broker, caller):
    async with staged(broker, caller=caller) as scene:
        names = [f"n{n}.example.net" for n in range(200)]
        asked: list[WireRequest] = []
        await scene.answering(lambda request: asked.append(request) or [pong(request, name) for name in names])
        assert await scene.discovery.run() == Cycle(sent=True, answers=200)
        assert scene.seen.items == names
        (request,) = asked
        assert (request.agent, request.payload) == ("discovery", mcorpc.DISCOVERY_PING)
        assert request.filter == Filter(agent=("choria_provision",))
        assert scene.discards.counts == {}


async def test_who_answers_after_the_window_is_seen_too(broker, caller):
    async with staged(broker, caller=caller) as scene:
        asked: list[WireRequest] = []
        await scene.answering(lambda request: asked.append(request) or [pong(request, "early")])
        assert (await scene.discovery.run()).answers == 1
        scene.node.publish(asked[0].reply_to, pong(asked[0], "late"))
        await scene.seen.until(lambda items: items == ["early", "late"])


async def test_what_is_not_an_answer_is_counted(broker, caller):
    async with staged(broker, caller=caller) as scene:
        await scene.answering(
            lambda request: [
                b"",
                b"\xff",
                b"x" * 100_000,
                pong(request, "n1", payload=b"ping"),
                pong(request, "n1", request_id="another"),
                pong(request, "n1", agent="rpcutil"),
                in_the_name_of(pong(request, "n1"), "n2"),
                pong(request, "*"),
                pong(request, "a b\r\nc"),
                pong(request, "n" * 300),
                pong(request, "honest"),
            ]
        )
        assert (await scene.discovery.run()).answers == 1
        assert scene.seen.items == ["honest"]
        assert scene.discards.counts == {"bad_discovery_reply": 3, "foreign_reply": 4, "unsafe_name": 3}


async def test_without_a_broker_no_question_is_sent(broker, caller, proxy):
    async with staged(broker, proxy.url, caller=caller) as scene:
        proxy.refuse()
        proxy.cut()
        await scene.report.kind(Disconnected)
        assert await scene.discovery.run() == Cycle(sent=False, answers=0)
        assert not scene.lifecycle.announce("usher.example.net", "0.1.0")
        proxy.refuse(refusing=False)
        await scene.report.kind(Connected, 2)
        await scene.answering(lambda request: [pong(request, "n1")])
        assert (await scene.discovery.run()).answers == 1


def event(kind: str, name: object, component: object = "provision_mode_server", **more: object) -> bytes:
    """A bare event."""
    body = {"protocol": f"io.choria.lifecycle.v1.{kind}", "id": "x", "identity": name, "component": component}
    return json.dumps(body | {"timestamp": 1} | more).encode()


def wrapped(inner: bytes, **odd: object) -> bytes:
    """A CloudEvent."""
    outer = {"specversion": "1.0", "source": "io.choria.lifecycle", "type": "x", "data": json.loads(inner)}
    return json.dumps(outer | odd).encode()


STARTUP = subjects.lifecycle("startup", "provision_mode_server")


async def test_events_are_hints(broker):
    async with staged(broker) as scene:
        publish = scene.node.publish
        publish(STARTUP, event("startup", "bare", version="1"))
        publish(STARTUP, wrapped(event("startup", "wrapped")))
        publish(subjects.lifecycle("shutdown", "provision_mode_server"), wrapped(event("shutdown", "going")))
        publish(subjects.lifecycle("startup", "server"), wrapped(event("startup", "done", "server")))
        await scene.hints.until(lambda items: len(items) == 4)
        assert scene.hints.items == [
            ("bare", HintKind.STARTUP),
            ("wrapped", HintKind.STARTUP),
            ("going", HintKind.SHUTDOWN),
            ("done", HintKind.SERVER_STARTUP),
        ]


async def test_the_clock_and_the_version_of_a_startup_are_remembered(broker):
    async with staged(broker) as scene:
        scene.node.publish(STARTUP, event("startup", "bare", version="0.30.2", timestamp=1_700_000_000))
        scene.node.publish(subjects.lifecycle("startup", "server"), event("startup", "done", "server"))
        await scene.hints.until(lambda items: len(items) == 2)
        started = scene.lifecycle.startups.of("bare")
        assert started is not None
        assert started.version == "0.30.2"
        assert started.ahead == 1_700_000_000_000 - started.at // 1000 * 1000
        assert scene.lifecycle.startups.of("done") is None


BAD_EVENTS = [
    b"",
    b"\xff",
    b"[]",
    b"[" * 60_000,
    b"x" * 100_000,
    event("shutdown", "another-kind"),
    event("startup", "another-component", "server"),
    event("startup", 5),
    event("startup", "n1", None),
    event("startup", "n1", timestamp="1"),
    event("startup", "n1", timestamp=True),
    event("startup", "n1", version=1),
    wrapped(event("startup", "n1"), specversion="0.3"),
    wrapped(event("startup", "n1"), source="somebody"),
    wrapped(event("startup", "n1"), data="x"),
    wrapped(event("startup", "n1"), data=json.loads(wrapped(event("startup", "n1")))),
    event("startup", "n1", protocol="choria:lifecycle:startup:1"),
]
UNSAFE = ["*", ">", "a/b", "..", "a b", "ä", "n" * 300]


async def test_what_is_no_event_is_counted(broker):
    async with staged(broker) as scene:
        for bad in [*BAD_EVENTS, *(event("startup", name) for name in UNSAFE), event("startup", "honest")]:
            scene.node.publish(STARTUP, bad)
        await scene.hints.until(bool)
        assert scene.hints.items == [("honest", HintKind.STARTUP)]
        assert scene.discards.counts == {"bad_event": len(BAD_EVENTS), "unsafe_name": len(UNSAFE)}


async def test_our_own_startup_is_announced(broker):
    heard: Heard[bytes] = Heard()
    async with staged(broker) as scene:
        await scene.link.subscribe(
            subjects.lifecycle("startup", "provisioner"), lambda _subject, data, _status: heard(data)
        )
        assert scene.lifecycle.announce("usher.example.net", "0.1.0")
        (said,) = await heard.until(bool)
        started = decode_event(said)
        assert (started.identity, started.component, started.version) == ("usher.example.net", "provisioner", "0.1.0")
        assert json.loads(said)["id"].count("-") == 4
