"""The node's side of the same broker: an unprovisioned server that only answers our own questions.

Rules:
1. It logs in exactly as a real server does: the token's own brokers, user and password, TLS that is not verified.
2. It says nothing by itself, and answers only requests whose reply subject is ours: a daemon beside us never sees it.
3. It is gone when the check ends.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

from transport.credentials import tls_context
from transport.discovery import Window
from transport.subjects import broadcast, node
from transport.wire.caller import Asks
from transport.wire.errors import WireError
from transport.wire.mcorpc import DISCOVERY_PING, PONG
from transport.wire.versions import WIRES, WireReply, decode_request
from usher.config.servers import Server
from usher.preflight.clocks import Reading, reading
from usher.preflight.line import Line
from usher.preflight.refusal import VIOLATION, node_refused
from usher.preflight.tokens import NodeToken
from usher.preflight.verdicts import Check, doubtful, fine, skipped, wrong
from usher.simulator.wire_client import Broker, Link, LinkError, Login, publication, subscription

BROKERS: Final = "node brokers"
LOGIN: Final = "node login"
REACH: Final = "node reach"
_AGENT: Final = "discovery"
_PROVISION: Final = "choria_provision"
_TTL: Final = 60
_WINDOW: Final = 2.0
_MOST_URLS: Final = 8
_MOST_COMPLAINTS: Final = 100


class NodeLink(Link):
    """A link that keeps what the broker complained of."""

    def __init__(self, deliver: Callable[[int, bytes, bytes], None]) -> None:
        """Prepare; nothing is connected yet."""
        super().__init__(deliver)
        self.complaints: list[str] = []
        self._settled = asyncio.Event()

    async def settle(self, within: float) -> None:
        """Wait until the broker has read what was sent before; a broker that does not answer is found out later."""
        self._settled.clear()
        self.send(b"PING\r\n")
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._settled.wait()

    def pong(self) -> None:
        """Called by the framing."""
        super().pong()
        self._settled.set()

    def complaint(self, text: str) -> None:
        """Called by the framing."""
        if len(self.complaints) < _MOST_COMPLAINTS:
            self.complaints.append(text[:200])
        super().complaint(text)


class NodeSide:
    """A server with a provisioning token: `login`, then it answers; `close` at the end."""

    def __init__(self, token: NodeToken, inbox: str, within: float) -> None:
        """Hold its token, the beginning of the reply subjects that it answers, and seconds for a login."""
        self.identity = f"usher-check-{secrets.token_hex(8)}.invalid"
        self.heard: set[str] = set()
        self._token, self._inbox, self._within = token, inbox, within
        self._link: NodeLink | None = None

    @property
    def complaints(self) -> Sequence[str]:
        """What the broker complained of."""
        return self._link.complaints if self._link is not None else ()

    async def login(self, urls: Sequence[str]) -> Iterable[Check]:
        """Log in at the first of these brokers that can be reached."""
        found: list[Check] = []
        for url in urls[:_MOST_URLS]:
            check = await self._enter(url)
            found.append(check)
            if self._link is not None:
                return (*[_softer(each) for each in found[:-1]], check)
        return found or (skipped(LOGIN, "it names no broker, and SRV records are not there"),)

    async def _enter(self, url: str) -> Check:
        token = self._token
        user, password = token.words("chusr"), token.words("chpwd")
        link = NodeLink(self._on_message)
        try:
            broker = Broker.parse(url)
            async with asyncio.timeout(self._within):
                await link.open(broker, Login(token.text, user, password), self.identity, tls_context())
        except TimeoutError:
            said = f"{broker} lets nobody in within {self._within:g}s"
            return wrong(LOGIN, said, "correct the --urls of the token, or the broker")
        except ValueError:
            return wrong(LOGIN, f"{url[:80]!r} is no address", "make the token again with --urls nats://HOST:4222")
        except LinkError as error:
            if VIOLATION in error.why.lower():
                cause, step = node_refused(user)
                return wrong(LOGIN, f"{error.broker} refused (Authorization Violation): {cause}", step)
            why = "nobody listens there" if "Connect call failed" in error.why else error.why[:200]
            return wrong(LOGIN, f"{error.broker}: {why}", "correct the --urls of the token, or the broker")
        self._link = link
        for number, subject in enumerate((broadcast(_AGENT), node(self.identity)), 1):
            link.send(subscription(subject, number))
        await link.settle(_WINDOW)
        who = f"as user {user[:80]}" if user and password else "by the token alone"
        return fine(LOGIN, f"{broker} lets a node with this token in, {who}")

    def _on_message(self, sid: int, _subject: bytes, payload: bytes) -> None:
        try:
            asked = decode_request(payload)
        except WireError:
            return
        if not asked.reply_to.startswith(self._inbox) or self._link is None:
            return
        self.heard.add("broadcast" if sid == 1 else "node")
        said = WIRES[asked.version].encode_reply(
            PONG, request_id=asked.request_id, sender=self.identity, agent=asked.agent, time_ns=time.time_ns()
        )
        self._link.send(publication(asked.reply_to, said))

    async def close(self) -> None:
        """Be gone."""
        if self._link is not None:
            self._link.abort("the check is over")
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._link.closed), 1)


class Asking:
    """Our side: one discovery as usher sends it, and one question to a single node; who answers, and their clocks."""

    def __init__(self, line: Line, caller: Asks, inbox: str) -> None:
        """Hold the connection, who asks, and where answers go."""
        self._line, self._caller, self._inbox, self._wire = line, caller, inbox, WIRES[caller.version]
        self.seen: dict[str, Reading] = {}
        self.directed = False
        self._asked = 0.0
        self._directing = False
        self._news = asyncio.Event()

    async def discover(self) -> None:
        """Ask everybody, and wait as long as usher does; raises LineError."""
        self._line.listen(f"{self._inbox}*", self._on_answer)
        await self._ask(broadcast(_AGENT), directed=False)
        loop = asyncio.get_running_loop()
        window = Window(loop.time())
        while await self._heard(window.until - loop.time()):
            window.answered(loop.time())

    async def question(self, name: str) -> None:
        """Ask one node; raises LineError."""
        await self._ask(node(name), directed=True)
        until = asyncio.get_running_loop().time() + _WINDOW
        while not self.directed and await self._heard(until - asyncio.get_running_loop().time()):
            pass

    async def _heard(self, within: float) -> bool:
        """Whether something was heard in this time, or since this was last asked."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._news.wait()
        heard = self._news.is_set()
        self._news.clear()
        return heard

    async def _ask(self, subject: str, *, directed: bool) -> None:
        self._asked = time.time()
        request_id = self._wire.make_id(int(self._asked * 1000), secrets.token_bytes(16))
        message = self._wire.encode_request(
            DISCOVERY_PING,
            caller=self._caller,
            agent=_AGENT,
            request_id=request_id,
            reply_to=self._inbox + request_id,
            ttl=_TTL,
            time_ns=int(self._asked * 1e9),
            filter_agents=(_PROVISION,),
        )
        self._directing = directed
        self._line.say(subject, message)
        await self._line.settle()

    def _on_answer(self, _headers: bytes, payload: bytes) -> None:
        try:
            reply: WireReply = self._wire.decode_reply(payload)
        except WireError:
            return
        if reply.agent != _AGENT or reply.payload != PONG or reply.sender != reply.header_sender:
            return
        self.seen.setdefault(reply.sender, reading(reply.time_ns / 1e9, self._asked, time.time()))
        self.directed = self.directed or self._directing
        self._news.set()


async def reach(asking: Asking, side: NodeSide) -> Iterable[Check]:
    """Whether a discovery and a question of ours reach the node, and its answers us."""
    found: list[Check] = []
    await asking.question(side.identity)
    ours = side.identity in asking.seen
    if {"broadcast", "node"} <= side.heard and ours and asking.directed:
        return (fine(REACH, "a discovery and a question reach the node, and its answers reach usher"),)
    step = "look at the broker's accounts"
    found += [wrong(REACH, f"the node may not do what nodes do: {said}", step) for said in side.complaints[:3]]
    if not side.heard:
        what = "both are logged in, and nothing that usher asks reaches the node: they are in different accounts or"
        step = "compare the brokers of the token with those of usher, and their clustering"
        found.append(wrong(REACH, f"{what} on brokers that are not of one cluster", step))
    elif not ours or not asking.directed:
        step = "look at the permissions of nodes in the account provisioning"
        found.append(wrong(REACH, "the node hears usher, and its answers do not arrive", step))
    elif not found:
        missing = "a discovery" if "broadcast" not in side.heard else "a question to its name"
        found.append(wrong(REACH, f"{missing} does not reach the node", "look at the permissions of nodes"))
    return found


async def same_brokers(token: NodeToken, servers: Sequence[Server]) -> Iterable[Check]:
    """Whether the token's brokers are ours; by name first, then by address."""
    ours = {(server.host, server.port) for server in servers}
    theirs = {(broker.host, broker.port) for url in token.urls if (broker := _parsed(url)) is not None}
    said = ", ".join(token.urls)[:200]
    if not theirs:
        domain = token.words("chsrv")
        what = f"it names no broker: nodes look for SRV records in {domain[:80]}" if domain else "it names no broker"
        return (doubtful(BROKERS, what, "nodes that find none stay silent: make it with --urls or --srv"),)
    if theirs & ours:
        return (fine(BROKERS, f"it names usher's broker: {said}"),)
    if await _addresses(theirs) & await _addresses(ours):
        return (fine(BROKERS, f"it names usher's broker by another name: {said}"),)
    what = f"it names {said}, and usher uses {', '.join(server.url for server in servers)[:200]}"
    return (doubtful(BROKERS, what, "make sure that they are of one cluster; node reach tells"),)


def _parsed(url: str) -> Broker | None:
    try:
        return Broker.parse(url)
    except ValueError:
        return None


async def _addresses(places: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
    found: set[tuple[str, int]] = set()
    for host, port in places:
        with suppress(OSError, UnicodeError):
            for entry in await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM):
                found.add((str(entry[4][0]), port))
    return found


def _softer(check: Check) -> Check:
    """Another broker let the node in: real nodes go on to it too."""
    return doubtful(check.name, check.what, check.next_step)
