"""Two daemons at one broker: who leads is killed, frozen, stopped or cut off, nodes in flight; the nodes keep watch.

Each usher asks nodes with a client token or a certificate of its own, under the one caller and sender that a cluster
has: so a node knows which of the two it was that a request came from.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from security.ca import SmallCa
from security.issuing import make_issuer, make_signer
from tests.fakes.proxy import FaultProxy
from tests.fakes.whole import Whole, whole
from transport.wire.messages import WireRequest
from usher.children import Child
from usher.config.appearance import file_certname
from usher.simulator import node as machine
from usher.simulator.bucket import make_bucket
from usher.simulator.command import add_arguments
from usher.simulator.fleet import Fleet
from usher.simulator.material import CALLER
from usher.simulator.model import Mode
from usher.simulator.networks import Kind
from usher.simulator.plan import make_plan
from usher.simulator.seats import Plan, Seat
from usher.simulator.unkind import Treatment

CHANGES = frozenset({"gen25519", "gencsr", "configure", "restart", "shutdown", "release_update"})
YEAR = 365 * 24 * 3600


_FILES = {Kind.ISSUER: ("signer.jwt", "signer.seed"), Kind.X509: ("client.pem", "client.key")}
"""What a site's usher shows of itself, and its key."""


class Blow(Enum):
    """What happens to who leads."""

    KILL = "killed"
    FREEZE = "frozen"
    STOP = "stopped"
    CUT = "cut off"


_SIGNALS = {Blow.KILL: signal.SIGKILL, Blow.FREEZE: signal.SIGSTOP, Blow.STOP: signal.SIGTERM}
_ENDS = frozenset({Blow.KILL, Blow.STOP})


@dataclass(frozen=True)
class Executed:
    """A request that changed a node: when (nanoseconds since 1970), which node, what, and whose credential it had."""

    at: int
    node: str
    action: str
    credential: str


class Watched(Fleet):
    """A fleet that notes what its nodes execute."""

    def __init__(self, plan: Plan, seen: list[Executed], news: asyncio.Event) -> None:
        super().__init__(plan, news.set)
        self._seen, self._news = seen, news

    def _take(self, seat: Seat, request: WireRequest | None, fate: Treatment, to: str) -> None:
        before = seat.node.process.counters.validated
        super()._take(seat, request, fate, to)
        action = machine.action_of(request)
        if request is not None and action in CHANGES and seat.node.process.counters.validated > before:
            self._seen.append(Executed(time.time_ns(), seat.node.identity, action, request.credential))
            self._news.set()


@dataclass
class Usher:
    """One of the two."""

    name: str
    words: list[str]
    state: Path
    credential: str
    way: FaultProxy
    child: Child | None = None


@dataclass(frozen=True)
class Taken:
    """One takeover: what happened to whom, and the seconds until the other led."""

    blow: Blow
    by: str
    seconds: float


@dataclass
class Pair:
    """The broker, both ushers, and every node that there was."""

    made: Whole
    ttl: float
    ushers: dict[str, Usher] = field(default_factory=dict)
    seen: list[Executed] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    rounds: int = 0

    def start(self, name: str) -> None:
        """Start one of them."""
        usher = self.ushers[name]
        usher.child = self.made.start(name, *usher.words)

    async def leads(self, name: str) -> bool:
        """Whether it says that it leads."""
        said = await self.made.say("leader", "--json", "--state", str(self.ushers[name].state))
        return '"role": "leader"' in said.out and f'"leader": "{name}"' in said.out

    def won(self, name: str, since: float) -> float | None:
        """When it went to work after that time (seconds since 1970); None if it has not."""
        child = self.ushers[name].child
        if child is None:
            return None
        for line in self.made.log(child):
            if line["msg"] == "this usher leads" and (at := _seconds(line["time"])) >= since:
                return at
        return None

    async def until_won(self, name: str, since: float) -> float:
        """Wait until it has."""
        await self.made.until_so(lambda: self.won(name, since) is not None)
        return self.won(name, since) or 0.0

    async def takeover(self, blow: Blow, leader: str, other: str, nodes: int = 8) -> Taken:
        """New nodes; in the middle of them the blow; the other finishes them. Checks who did what, in which order."""
        self.rounds += 1
        begun = len(self.seen)
        await self.made.until_so(lambda: self._knows(other, leader))
        fleet = Watched(self._plan(nodes), self.seen, self.news)
        playing = asyncio.create_task(fleet.run())
        try:
            await self._until(lambda: len(self.seen) - begun >= nodes // 2)
            struck, child = time.time(), self._strike(blow, leader)
            won = await self.until_won(other, struck)
            if blow is Blow.FREEZE and child is not None:
                os.kill(child.pid, signal.SIGCONT)
            self.ushers[leader].way.resume()
            await self._until(lambda: all(node.process.mode is Mode.SERVER for node in fleet.nodes()))
            asked = [each.credential for each in self.seen[begun:]]
            in_order(asked, self.ushers[leader].credential, self.ushers[other].credential)
        finally:
            playing.cancel()
            with suppress(asyncio.CancelledError):
                await playing
        if blow in _ENDS and child is not None:
            await child.ended
            self.start(leader)
        return Taken(blow, other, won - struck)

    def _knows(self, name: str, leader: str) -> bool:
        child = self.ushers[name].child
        return child is not None and any(line["msg"] == f"{leader} leads" for line in self.made.log(child))

    def _strike(self, blow: Blow, name: str) -> Child | None:
        child = self.ushers[name].child
        assert child is not None
        if blow is Blow.CUT:
            self.ushers[name].way.silence()
        else:
            os.kill(child.pid, _SIGNALS[blow])
        return child

    def _plan(self, nodes: int) -> Plan:
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        words = self.made.site.fleet(nodes)[1:]
        return make_plan(parser.parse_args([*words, "--names", f"r{self.rounds}-{{:04d}}"]))

    async def _until(self, condition: Any) -> None:
        async with asyncio.timeout(120):
            while not condition():
                self.news.clear()
                await self.news.wait()


def in_order(asked: list[str], before: str, after: str) -> None:
    """What the leader before asked comes before all that its successor asked."""
    first = asked.index(after) if after in asked else len(asked)
    assert set(asked[:first]) <= {before}
    assert set(asked[first:]) <= {after}, "a request of an older epoch was executed after one of a newer"


def _seconds(said: str) -> float:
    return datetime.fromisoformat(said).timestamp()


@asynccontextmanager
async def pair(directory: Path, ttl: float, kind: Kind = Kind.ISSUER) -> AsyncIterator[Pair]:
    """`a` leads, `b` stands by; a third one, `c`, is there to be started."""
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(whole(directory, kind, leader_election=True, election_name="a"))
        await make_bucket(made.broker, ttl, made.site.ca)
        both, broker = Pair(made, ttl), urlsplit(made.site.url)
        ways = [await stack.enter_async_context(FaultProxy("127.0.0.1", broker.port or 0)) for _ in "abc"]
        client = made.site.choria_config.read_text()
        made.site.choria_config.write_text(client.replace(made.site.url, ways[0].url))
        shown = (made.site.site / _FILES[kind][0]).read_text()
        both.ushers["a"] = Usher("a", made.site.daemon(), made.site.state, shown, ways[0])
        for name, way in zip("bc", ways[1:], strict=True):
            own = dict(zip(_FILES[kind], _credentials(kind, made.site.site), strict=True))
            both.ushers[name] = _another(made, directory / name, client.replace(made.site.url, way.url), own, way)
        both.start("a")
        await both.until_won("a", 0.0)
        both.start("b")
        yield both


def _credentials(kind: Kind, site: Path) -> tuple[str, str]:
    """A token and its seed, or a certificate and its key, by which another usher is the same caller."""
    now = int(time.time())
    if kind is Kind.ISSUER:
        material = make_signer(make_issuer(bytes.fromhex((site / "issuer.seed").read_text())), CALLER, now, YEAR)
        return material.token, material.seed_hex
    authority = SmallCa.of((site / "ca.pem").read_text(), (site / "ca.key").read_text())
    certname, _ = file_certname(os.environ, CALLER, root=os.geteuid() == 0)
    return authority.issue(certname, now, YEAR)


def _another(made: Whole, home: Path, client: str, own: Mapping[str, str], way: FaultProxy) -> Usher:
    """Another usher, named as its directory: its own state directory, its own credentials, the same caller."""
    home.mkdir(mode=0o700)
    for name, text in own.items():
        (home / name).touch(mode=0o600)
        (home / name).write_text(text)
        client = client.replace(str(made.site.site / name), str(home / name))
    (home / "client.cfg").write_text(client)
    settings = yaml.safe_load(made.site.config.read_text())
    settings |= {"election_name": home.name, "state_directory": str(home / "state")}
    (home / "usher.yaml").write_text(yaml.safe_dump(settings))
    words = ["run", "--config", str(home / "usher.yaml"), "--choria-config", str(home / "client.cfg")]
    return Usher(home.name, words, home / "state", next(iter(own.values())), way)
