"""The whole preflight, in order: files and tokens, the state directory, the helper, the brokers, the nodes' side.

Rules:
1. It changes nothing, takes no lock and no lease, and works beside a running daemon; with a provisioning token a node
   that answers only us is connected for a moment.
2. Nothing is sent before the files are in order, and no step is taken that rests on one that failed.
3. One broker that lets us in is enough for what follows; those that do not are told all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fsm.ports import Clock
from transport.srv import SrvResolver
from transport.wire.versions import Version
from usher.brokers import Brokers, Found
from usher.config.appearance import CertificateFiles, TokenFiles, Unsecured
from usher.config.client import ClientConfig
from usher.config.identity import Names, SystemNames
from usher.config.loading import Findings
from usher.config.problems import fatal
from usher.config.servers import Server
from usher.config.site import Site
from usher.preflight import certificate, election, nodeside, place, sample, tokens
from usher.preflight.asker import make_asker
from usher.preflight.broker import Asker, BrokerProbe
from usher.preflight.clocks import NAME as CLOCK
from usher.preflight.clocks import clock_checks
from usher.preflight.course import Course
from usher.preflight.nodeside import Asking, NodeSide
from usher.preflight.verdicts import Check, doubtful, fine, of_problems, skipped, wrong

FILES: Final = "files"
BROKERS: Final = "brokers"
BROKER: Final = "login at every broker"
DISCOVERY: Final = "discovery"
WITHIN: Final = 60.0
"""Seconds for the whole of it, unless another limit is given."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be checked besides: a provisioning token, a sample for the helper, whether to run it at all.

    `within` is seconds for the whole.
    """

    node: Path | None = None
    sample: Path | None = None
    helper: bool = True
    within: float = WITHIN


@dataclass(frozen=True, slots=True)
class Around:
    """The surroundings: environment, clock, DNS, names, and the machine as it is seen from a directory."""

    environ: Mapping[str, str]
    clock: Clock
    srv: SrvResolver
    names: Names
    machine: Callable[[Path], place.Machine] = place.machine


def around(environ: Mapping[str, str], clock: Clock) -> Around:
    """The surroundings of this process."""
    return Around(environ, clock, SrvResolver(), SystemNames())


async def preflight(
    found: Findings, wanted: Wanted, outside: Around, tell: Callable[[Check], None]
) -> tuple[Check, ...]:
    """Check everything, telling each check at once; answers all of them. Raises nothing."""
    course = Course(wanted.within, tell)
    said = [*of_problems(found.problems)] or [fine(FILES, "both configurations and all that they name")]
    course.note("what the files say", said)
    if fatal(found.problems):
        course.failing(FILES)
    if found.site is None or found.client is None:
        for name in (place.NAME, sample.NAME, BROKERS, DISCOVERY):
            course.note(name, (skipped(name, "a configuration cannot be used"),))
        return tuple(course.checks)
    async with AsyncExitStack() as stack:
        await _Preflight(found.site, found.client, wanted, outside, course, stack).run()
    return tuple(course.checks)


class _Preflight:
    """One run; what a step learns is here for the next."""

    def __init__(
        self, site: Site, client: ClientConfig, wanted: Wanted, outside: Around, course: Course, stack: AsyncExitStack
    ) -> None:
        self._site, self._client, self._wanted, self._outside = site, client, wanted, outside
        self._course, self._stack = course, stack
        self._node: tokens.NodeToken | None = None
        self._asker: Asker | None = None
        self._servers: tuple[Server, ...] = ()
        self._probe: BrokerProbe | None = None
        self._side: NodeSide | None = None
        self._asking: Asking | None = None

    async def run(self) -> None:
        course = self._course
        await course.step(place.NAME, self._state)
        await course.step(self._ourselves, self._client_files, FILES)
        if self._wanted.node is not None:
            await course.step(tokens.NODE, self._read_node)
            await course.step("node token and site", self._judge_node)
        if self._wanted.helper:
            await course.step(sample.NAME, self._helper)
        await course.step(BROKERS, self._brokers, FILES)
        for server in self._servers:
            await self._broker(server)
        if self._probe is None:
            course.failing(BROKER)
        if self._wanted.node is not None:
            await course.step(nodeside.BROKERS, self._same, tokens.NODE, BROKERS)
            await course.step(nodeside.LOGIN, self._node_login, tokens.NODE)
        if self._site.leader_election:
            await course.step(election.NAME, self._election, BROKERS, BROKER)
        await course.step(DISCOVERY, self._discover, BROKERS, BROKER)
        if self._wanted.node is not None:
            await course.step(nodeside.REACH, self._reach, nodeside.LOGIN, DISCOVERY)
        await course.step(CLOCK, self._clocks, BROKERS, BROKER)

    def _now(self) -> int:
        return self._outside.clock.wall()

    async def _state(self) -> Iterable[Check]:
        directory = self._site.state_directory

        def look() -> tuple[Check, ...]:
            seen = self._outside.machine(place.nearest(directory))
            return tuple(place.state_directory(self._site, self._outside.environ, seen))

        try:
            return await asyncio.to_thread(look)
        except OSError as error:
            what = f"{directory}: {(error.strerror or 'it cannot be looked at').lower()}"
            return (wrong(place.NAME, what, "choose a directory that this user can reach"),)

    @property
    def _ourselves(self) -> str:
        match self._client.appearance:
            case TokenFiles():
                return tokens.CLIENT
            case CertificateFiles():
                return certificate.NAME
            case Unsecured():
                return certificate.UNSECURED

    async def _client_files(self) -> Iterable[Check]:
        match self._client.appearance:
            case TokenFiles() as files:
                return tuple(tokens.client_token(self._site, files, self._now()))
            case CertificateFiles() as files:
                return tuple(certificate.client_certificate(files, self._now()))
            case Unsecured() as none:
                return tuple(certificate.unsecured(none))

    async def _read_node(self) -> Iterable[Check]:
        if self._wanted.node is None:
            return ()
        self._node, trouble = tokens.read_node_token(self._wanted.node)
        return trouble

    async def _judge_node(self) -> Iterable[Check]:
        if self._node is None:
            return ()
        version = Version.V2 if isinstance(self._client.appearance, TokenFiles) else Version.V1
        return tuple(tokens.node_token(self._site, self._node, version, self._now()))

    async def _helper(self) -> Iterable[Check]:
        try:
            asked = sample.read_sample(self._wanted.sample) if self._wanted.sample else sample.built_in()
        except sample.SampleError as error:
            step = "name the JSON of an inventory, or of a helper's whole input"
            return (wrong(sample.NAME, f"{error.file}: {error.detail}", step),)
        return await sample.run_sample(self._site, asked, self._claims(), self._now())

    def _claims(self) -> Mapping[str, Any]:
        """What the helper learns of the node's token: the one that was given, else one as most sites have it."""
        if self._node is not None:
            return self._node.claims
        urls = ",".join(server.url for server in self._client.servers)
        version = {"v2": True} if isinstance(self._client.appearance, TokenFiles) else {}
        return {"cht": self._site.token, "chu": urls, "chpd": True, **version, "purpose": "choria_provisioning"}

    async def _brokers(self) -> Iterable[Check]:
        client, outside = self._client, self._outside
        found: Found = await Brokers(client, outside.srv, outside.names, outside.clock.monotonic).find()
        asker = make_asker(BROKERS, self._site, client, outside.clock.wall)
        if isinstance(asker, Check):
            return (asker,)
        self._asker, self._servers = asker, found.servers
        what = f"{', '.join(found.urls)} (from {found.source})"
        if found.sure and not found.in_vain:
            return (fine(BROKERS, what),)
        asked = "; ".join(found.in_vain)
        step = "set plugin.choria.middleware_hosts, or correct the SRV records"
        return (doubtful(BROKERS, f"{what}; asked in vain: {asked}" if asked else what, step),)

    async def _broker(self, server: Server) -> None:
        if self._asker is None:
            return
        probe, course = BrokerProbe(server, self._asker), self._course
        self._stack.push_async_callback(probe.close)
        await course.step(probe.name("tcp"), probe.tcp)
        await course.step(probe.name("tls"), probe.tls, probe.name("tcp"))
        entered = await course.step(probe.name("login"), probe.login, probe.name("tls"), probe.name("tcp"))
        permitted = await course.step(probe.name("rights"), probe.rights, probe.name("login"))
        if entered and permitted and self._probe is None:
            self._probe = probe

    async def _same(self) -> Iterable[Check]:
        return () if self._node is None else await nodeside.same_brokers(self._node, self._servers)

    async def _node_login(self) -> Iterable[Check]:
        if self._node is None:
            return ()
        inbox = self._probe.inbox if self._probe is not None else "\0"
        self._side = NodeSide(self._node, inbox, 2 * self._client.connect_timeout)
        self._stack.push_async_callback(self._side.close)
        urls = self._node.urls or tuple(server.url for server in self._servers)
        return await self._side.login(urls)

    async def _discover(self) -> Iterable[Check]:
        if self._probe is None or self._asker is None:
            return ()
        self._asking = Asking(self._probe.line, self._asker.asks, self._probe.inbox)
        await self._asking.discover()
        ours = self._side.identity if self._side is not None else ""
        others = len([name for name in self._asking.seen if name != ours])
        what = f"{others} node{'' if others == 1 else 's'} in provisioning mode answered"
        return (fine(DISCOVERY, what if others else f"asked; {what}: there may be none now"),)

    async def _election(self) -> Iterable[Check]:
        if self._probe is None or self._asker is None:
            return ()
        return await election.election(self._site, self._probe, self._asker.asks.sender)

    async def _reach(self) -> Iterable[Check]:
        if self._asking is None or self._side is None:
            return ()
        return await nodeside.reach(self._asking, self._side)

    async def _clocks(self) -> Iterable[Check]:
        if self._probe is None:
            return ()
        ours = self._side.identity if self._side is not None else ""
        seen = self._asking.seen if self._asking is not None else {}
        return tuple(clock_checks(self._probe.clock, [each for name, each in seen.items() if name != ours]))
