"""A daemon behind a real control socket, on a loop of its own, for the commands that block while they ask it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

from fsm.errors import StoreError
from fsm.events import Event, Operator, Verb
from fsm.machine import Decision, Rejected, decide
from fsm.policy import Policy
from fsm.snapshot import Snapshot, unseen
from tests.fakes.runtime import POLICY
from tests.patience import PATIENCE
from transport.startups import Startups
from transport.wire.decisions import Kind
from usher.control.server import ControlServer

STATUS: dict[str, Any] = {
    "site": "test", "version": "0.1.0", "pid": 4711, "started": 1, "lineage": "0123456789abcdef", "epoch": 3,
    "ready": True, "connected": True,
    "connections": {"rpc": {"state": "connected", "server": "nats://b:4222", "reason": ""}},
    "holds": {}, "paused": None, "states": {"failed": 1, "provisioned": 2}, "waiting_room": 1,
    "oldest_waiting": 1, "in_flight": 0, "window": 64, "reasons": {"helper_failed": 1}, "bugs": 0, "recovery": None,
}  # fmt: skip


@dataclass
class FakeDaemon:
    """usher.control.server.Controlled and Documented over plain values and the real table."""

    policy: Policy = POLICY
    nodes: dict[str, Snapshot] = field(default_factory=dict)
    said: list[tuple[str, str, str]] = field(default_factory=list)
    paused: dict[str, Any] | None = None
    broken: bool = False
    never: asyncio.Event | None = None
    after: Callable[[], None] = lambda: None
    startups: Startups = field(default_factory=Startups)
    refused: dict[str, str] = field(default_factory=dict)

    async def pause(self, name: str, reason: str) -> None:
        if self.broken:
            raise StoreError("the journal is closed")
        self.said.append(("pause", name, reason))
        self.paused = {"since": 1, "by": name, "reason": reason}

    async def resume(self, name: str, reason: str) -> None:
        self.said.append(("resume", name, reason))
        self.paused = None

    async def deny(self, kind: Kind, patterns: Sequence[str], name: str, reason: str) -> None:
        self.said += [(f"{kind.value} {pattern}", name, reason) for pattern in patterns]

    def ask(self, node: str, wish: Operator) -> asyncio.Future[Decision | Rejected]:
        self.said.append((wish.verb.value, wish.name, wish.reason))
        answer: asyncio.Future[Decision | Rejected] = asyncio.get_running_loop().create_future()
        if self.never is not None:
            self.never.set()
            return answer
        decided = decide(self.nodes.get(node, unseen(node)), Event(1, bytes(16), wish), self.policy)
        if isinstance(decided, Decision):
            self.nodes[node] = decided.snapshot
        answer.set_result(decided)
        if wish.verb is Verb.QUARANTINE:
            self.after()
            self.after = lambda: None
        return answer

    def why(self, node: str) -> str:
        """Which setting refuses a name."""
        return self.refused.get(node, "")

    def document(self) -> dict[str, Any]:
        held = {"paused": "usher is paused"} if self.paused else {}
        return STATUS | {"paused": self.paused, "holds": held, "ready": not self.paused}


@contextmanager
def listening(state: Path, daemon: FakeDaemon) -> Iterator[ControlServer]:
    """The control socket of this state directory, served by a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="fake daemon", daemon=True)
    thread.start()
    server = ControlServer(
        state / "control.sock",
        daemon,
        daemon,
        heard=daemon.startups.of,
        refused=lambda node: daemon.refused.get(node, ""),
    )
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(PATIENCE)
        yield server
    finally:
        try:
            asyncio.run_coroutine_threadsafe(server.close(), loop).result(PATIENCE)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(PATIENCE)
            loop.close()
