"""Two daemons at one broker: who leads is killed, frozen or stopped, nodes in flight, and the nodes keep watch.

Each usher asks nodes with a client token of its own, under the one caller and sender that a cluster has: so a node
knows which of the two it was that a request came from.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

from security.issuing import make_issuer, make_signer
from tests.fakes.whole import Whole, whole
from transport.wire.v2 import WireRequest
from usher.children import Child
from usher.simulator import node as machine
from usher.simulator.bucket import make_bucket
from usher.simulator.command import add_arguments
from usher.simulator.fleet import Fleet
from usher.simulator.material import CALLER
from usher.simulator.model import Mode
from usher.simulator.plan import make_plan
from usher.simulator.seats import Plan, Seat
from usher.simulator.unkind import Treatment

CHANGES = frozenset({"gen25519", "gencsr", "configure", "restart", "shutdown", "release_update"})
YEAR = 365 * 24 * 3600


class Blow(Enum):
    """What happens to who leads."""

    KILL = "killed"
    FREEZE = "frozen"
    STOP = "stopped"


@dataclass(frozen=True)
class Executed:
    """A request that changed a node: when (nanoseconds since 1970), which node, what, and whose token it had."""

    at: int
    node: str
    action: str
    token: str


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
            self._seen.append(Executed(time.time_ns(), seat.node.identity, action, request.token))
            self._news.set()


@dataclass
class Usher:
    """One of the two."""

    name: str
    words: list[str]
    state: Path
    token: str
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
            await self._until(lambda: all(node.process.mode is Mode.SERVER for node in fleet.nodes()))
            in_order([each.token for each in self.seen[begun:]], self.ushers[leader].token, self.ushers[other].token)
        finally:
            playing.cancel()
            with suppress(asyncio.CancelledError):
                await playing
        if blow is not Blow.FREEZE and child is not None:
            await child.ended
            self.start(leader)
        return Taken(blow, other, won - struck)

    def _knows(self, name: str, leader: str) -> bool:
        child = self.ushers[name].child
        return child is not None and any(line["msg"] == f"{leader} leads" for line in self.made.log(child))

    def _strike(self, blow: Blow, name: str) -> Child | None:
        child = self.ushers[name].child
        assert child is not None
        os.kill(child.pid, {Blow.KILL: signal.SIGKILL, Blow.FREEZE: signal.SIGSTOP, Blow.STOP: signal.SIGTERM}[blow])
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


def in_order(tokens: list[str], before: str, after: str) -> None:
    """What the leader before asked comes before all that its successor asked."""
    first = tokens.index(after) if after in tokens else len(tokens)
    assert set(tokens[:first]) <= {before}
    assert set(tokens[first:]) <= {after}, "a request of an older epoch was executed after one of a newer"


def _seconds(said: str) -> float:
    return datetime.fromisoformat(said).timestamp()


@asynccontextmanager
async def pair(directory: Path, ttl: float) -> AsyncIterator[Pair]:
    """`a` leads, `b` stands by."""
    async with whole(directory, leader_election=True, election_name="a") as made:
        await make_bucket(made.broker, ttl)
        both = Pair(made, ttl)
        both.ushers["a"] = Usher("a", made.site.daemon(), made.site.state, (made.site.site / "signer.jwt").read_text())
        both.ushers["b"] = _second(made, directory)
        both.start("a")
        await both.until_won("a", 0.0)
        both.start("b")
        yield both


def _second(made: Whole, directory: Path) -> Usher:
    """The other usher: its own state directory, its own client token, the same caller."""
    issuer = make_issuer(bytes.fromhex((made.site.site / "issuer.seed").read_text()))
    material = make_signer(issuer, CALLER, int(time.time()), YEAR)
    home = directory / "b"
    home.mkdir(mode=0o700)
    for name, text in (("client.seed", material.seed_hex), ("client.jwt", material.token)):
        (home / name).touch(mode=0o600)
        (home / name).write_text(text)
    client = made.site.choria_config.read_text()
    client = client.replace(str(made.site.site / "signer.jwt"), str(home / "client.jwt"))
    (home / "client.cfg").write_text(client.replace(str(made.site.site / "signer.seed"), str(home / "client.seed")))
    settings = yaml.safe_load(made.site.config.read_text())
    settings |= {"election_name": "b", "state_directory": str(home / "state")}
    (home / "usher.yaml").write_text(yaml.safe_dump(settings))
    words = ["run", "--config", str(home / "usher.yaml"), "--choria-config", str(home / "client.cfg")]
    return Usher("b", words, home / "state", material.token)
