"""Hints from lifecycle events, and usher's own startup event (wire/protocol.md §8).

Rules:
1. A hint brings a look forward and proves nothing: any unprovisioned node may forge it.
2. An event whose body is not what its subject says is thrown away and counted.
3. To miss events costs latency only: discovery lists again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

from fsm.events import HintKind
from fsm.ports import Clock
from transport.connection import Connection, NotSentError
from transport.reports import Discards
from transport.startups import Startups
from transport.subjects import lifecycle
from transport.wire.errors import WireError
from transport.wire.events import PROVISIONER, LifecycleEvent, decode_event, encode_startup

__all__ = ["Lifecycle", "LifecycleEvent", "decode_event", "encode_startup"]

SERVER: Final = "server"
"""The component of a server that is not in provisioning mode."""


class Lifecycle:
    """Listens for one component (`lifecycle_component`, default `provision_mode_server`) and for `server`."""

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        *,
        component: str,
        on_hint: Callable[[str, HintKind], None],
        discards: Discards,
    ) -> None:
        """Hold whom to tell; nothing is subscribed yet."""
        self._connection = connection
        self._clock = clock
        self._on_hint = on_hint
        self._discards = discards
        self.startups = Startups()
        self._hints = {
            lifecycle("startup", component): ("startup", component, HintKind.STARTUP),
            lifecycle("shutdown", component): ("shutdown", component, HintKind.SHUTDOWN),
        }
        self._hints.setdefault(lifecycle("startup", SERVER), ("startup", SERVER, HintKind.SERVER_STARTUP))

    async def start(self) -> None:
        """Listen, in this login and in all that follow."""
        for subject in self._hints:
            await self._connection.subscribe(subject, self._on_event)

    def announce(self, identity: str, version: str) -> bool:
        """Publish our own startup event; whether it was handed over. To miss it is no error: the older only logs it."""
        event = encode_startup(
            identity=identity,
            version=version,
            event_id=str(UUID(bytes=self._clock.entropy(), version=4)),
            timestamp=self._clock.wall() // 1000,
        )
        try:
            self._connection.publish(lifecycle("startup", PROVISIONER), event)
        except NotSentError:
            return False
        return True

    def _on_event(self, subject: str, data: bytes, _status: int) -> None:
        expected = self._hints.get(subject)
        try:
            event = decode_event(data)
        except WireError as error:
            self._discards.count("unsafe_name" if error.reason == "unsafe_name" else "bad_event")
            return
        if expected is None or (event.kind, event.component) != expected[:2]:
            self._discards.count("bad_event")
            return
        if expected[2] is HintKind.STARTUP:
            self.startups.note(event.identity, self._clock.wall(), event.timestamp, event.version)
        self._on_hint(event.identity, expected[2])
