"""Hints from registration data, which nodes in provisioning mode publish (wire/provisioning.md §6.6).

Protocol v1 nodes send some every two minutes where their provisioning token names a file (`chrd`). It is a whole
request to the agent `registration`, unsigned. Nothing of today publishes on the subject's old name
(wire/protocol.md §5).

Rules:
1. It brings a look forward and proves nothing: any unprovisioned node may forge it, for any name (law 7).
2. Its facts are not kept, nor even unpacked: they are whatever a stranger wrote, under whichever name, and usher asks
   the node itself for its inventory before anything depends on a fact. Who wants to see one finds the node's inventory.
3. What is no registration of a safe name is thrown away and counted; whatever it holds, nothing is raised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fsm.events import HintKind
from fsm.identity import is_safe
from transport.connection import Connection
from transport.reports import Discards
from transport.subjects import FORMER_REGISTRATION, REGISTRATION
from transport.wire.errors import WireError
from transport.wire.versions import Version, decode_request

__all__ = ["Registration", "registered"]

AGENT: Final = "registration"
SUBJECTS: Final = (REGISTRATION, FORMER_REGISTRATION)
LARGEST: Final = 256 * 1024
"""Bytes of a message; the file in it is packed, and an honest one has some ten thousand."""


class Registration:
    """Listens on both names; `on_hint` hears every node that registers, as often as it does."""

    def __init__(self, connection: Connection, *, on_hint: Callable[[str, HintKind], None], discards: Discards) -> None:
        """Hold whom to tell; nothing is subscribed yet."""
        self._connection, self._on_hint, self._discards = connection, on_hint, discards

    async def start(self) -> None:
        """Listen, in this login and in all that follow."""
        for subject in SUBJECTS:
            await self._connection.subscribe(subject, self._on_message)

    def _on_message(self, _subject: str, data: bytes, _status: int) -> None:
        try:
            identity = registered(data)
        except WireError as error:
            self._discards.count("unsafe_name" if error.reason == "unsafe_name" else "bad_registration")
            return
        self._on_hint(identity, HintKind.REGISTRATION)


def registered(data: bytes) -> str:
    """Whose registration this is, by either protocol: a safe name. Raises WireError."""
    if len(data) > LARGEST:
        raise WireError("too_large", "registration")
    request = decode_request(data)
    if request.version is Version.V1 and request.sender != request.header_sender:
        raise WireError("wrong_field", "envelope.senderid")
    if request.agent != AGENT:
        raise WireError("wrong_field", "request.agent")
    if not is_safe(request.sender):
        raise WireError("unsafe_name", "request.sender")
    return request.sender
