"""A port Rpc that answers as it is told: for the tests of other rooms."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fsm.errors import CallError
from fsm.events import Certainty
from fsm.ports import Clock, Reply, Request
from fsm.reasons import Reason
from tests.fakes.clock import sent_over


@dataclass(frozen=True)
class Said:
    """What a node says to a request; the RPC status is 0 unless it is told otherwise."""

    data: Mapping[str, Any] = field(default_factory=dict)
    code: int = 0
    message: str = "OK"


class Silent:
    """No answer: the call ends with its timeout."""


Script = Said | CallError | Silent | Callable[[Request], "Said | CallError | Silent"]


@dataclass
class FakeRpc:
    """Scripts for each node and action, used up in order; the last one stays. Nodes without a script are absent."""

    clock: Clock
    connection: str = "fake-1"
    calls: list[Request] = field(default_factory=list)
    _scripts: dict[tuple[str, str], list[Script]] = field(default_factory=dict)

    def on(self, node: str, action: str, *scripts: Script) -> None:
        """What `node` says to `action`."""
        self._scripts[node, action] = list(scripts)

    async def call(self, request: Request) -> Reply:
        """As the port says."""
        self.calls.append(request)
        if not self.connection:
            raise CallError(Certainty.NOT_SENT, Reason.DISCONNECTED)
        sent = sent_over(self.clock, self.connection)
        said = self._next(request)
        if callable(said):
            said = said(request)
        if isinstance(said, CallError):
            raise said
        if isinstance(said, Said):
            await asyncio.sleep(0)
            return Reply(said.code, said.message, dict(said.data), self.clock.now() * 1_000_000, sent)
        if said is None:
            raise CallError(Certainty.NOT_DELIVERED, Reason.ABSENT, sent=sent)
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await asyncio.wait({never}, timeout=request.timeout)
        raise CallError(Certainty.UNKNOWN, Reason.NO_ANSWER, sent=sent)

    def _next(self, request: Request) -> Script | None:
        scripts = self._scripts.get((request.node, request.action))
        if not scripts:
            return None
        return scripts.pop(0) if len(scripts) > 1 else scripts[0]
