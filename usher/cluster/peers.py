"""Peers: which ushers of this cluster were heard, when, and which decisions each of them has not seen.

Each tells all others who it is and what its decisions come to, at once when something changes and every few seconds.
Whoever hears marks that differ from its own tells what it holds in those buckets; what is news there is taken.

Rules:
1. What is not sealed with our key is counted and thrown away; so is a view that is not later than the one before it of
   the same process, or whose time is far from ours. Decisions need no such rule: to hear one again changes nothing.
2. A view is told at most once a PACE, decisions at most MOST at a time for each view that is heard.
3. Nothing here decides: usher.cluster.council takes what is told, this says what is known.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, Final, Protocol

from fsm.ports import Clock
from security.peers import PeerSeal
from transport import subjects
from transport.connection import Connection, NotSentError
from transport.reports import Discards
from transport.wire.decisions import Decision, View, decode, encode_decisions, encode_view
from transport.wire.errors import WireError
from usher import logs
from usher.cluster.council import Council
from usher.cluster.kept import who

EVERY: Final = 5.0
"""Seconds between two views that tell nothing new."""
PACE: Final = 0.5
"""Seconds between two views at least."""
MOST: Final = 1000
"""Decisions that one view of a peer is answered with."""
WINDOW: Final = 10 * 60 * 1000
"""Milliseconds by which the clock of a peer may differ from ours."""
PEERS: Final = 32
"""Peers that are remembered; the one that was not heard for longest makes room."""
ENDED: Final = 64
"""Processes of one peer that are known to be over; older ones are too old to be believed anyway (WINDOW)."""
SHOWN: Final = 20
"""Decisions that a status names of those that a peer has not seen."""
_logger = logging.getLogger("cluster")


class Leading(Protocol):
    """What is needed of usher.leading.Leadership."""

    name: str
    sender: str
    since: int


@dataclass(slots=True)
class Peer:
    """Another usher: its newest view, when that was heard, and the processes of it that are over."""

    view: View
    heard: int
    over: deque[str] = field(default_factory=partial(deque, maxlen=ENDED))


class Peers:
    """The talk of one usher with the others: `await start()`, `stop()`."""

    def __init__(
        self, usher: str, leading: Leading, council: Council, seal: PeerSeal, clock: Clock, discards: Discards
    ) -> None:
        """Hold who decides and who seals; `usher` names this process (16 hex)."""
        self._usher, self._leading, self._council, self._seal = usher, leading, council, seal
        self._clock, self._discards = clock, discards
        self._connection: Connection | None = None
        self._lineage = ""
        self._task: asyncio.Task[None] | None = None
        self._soon = asyncio.Event()
        self._at = 0
        self._peers: dict[str, Peer] = {}
        self._told: set[str] = set()
        self.refused = 0
        """Messages that were not sealed with our key."""
        council.changed = self._changed

    async def start(self, connection: Connection, lineage: str) -> None:
        """Listen, and tell who we are as soon as that is possible."""
        self._connection, self._lineage = connection, lineage
        if not self._seal.usable:
            what = "operators' decisions are not shared with the other ushers: there is no broker password to seal with"
            logs.say(_logger, logging.WARNING, what)
        await connection.subscribe(subjects.PEERS, self.hear)
        self._task = asyncio.get_running_loop().create_task(self._tell_again(), name="peers")

    def stop(self) -> None:
        """Tell nothing more."""
        if self._task is not None:
            self._task.cancel()

    async def _tell_again(self) -> None:
        assert self._connection is not None  # noqa: S101 start has set it
        await self._connection.ready()
        while True:
            self._soon.clear()
            self._tell(encode_view(self._view()))
            await asyncio.sleep(PACE)
            try:
                async with asyncio.timeout(EVERY - PACE):
                    await self._soon.wait()
            except TimeoutError:
                continue

    def _changed(self, news: Sequence[Decision]) -> None:
        """Tell what was decided here; what peers decided they have told everybody."""
        for body in encode_decisions(decision for decision in news if decision.lineage == self._lineage):
            self._tell(body)
        self._soon.set()

    def _view(self) -> View:
        self._at = max(self._clock.now(), self._at + 1)
        leading, marks = self._leading, self._council.register.marks
        return View(self._lineage, self._usher, leading.name, leading.sender, leading.since > 0, self._at, marks)

    def _tell(self, body: bytes) -> None:
        if self._connection is None or not self._seal.usable:
            return
        try:
            self._connection.publish(subjects.PEERS, self._seal.seal(body))
        except NotSentError:
            self._discards.count("peer_unsent")

    # -- what is heard -----------------------------------------------------------------------------------------------

    def hear(self, _subject: str, data: bytes, _status: int) -> None:
        """One message of whoever may publish there."""
        body = self._seal.open(data)
        if body is None:
            self.refused += 1
            self._discards.count("foreign_peer")
            self._once("foreign", "a message of a peer is not sealed with our key: is the broker's password the same?")
            return
        try:
            said = decode(body)
        except WireError:
            self._discards.count("bad_peer")
            return
        if not isinstance(said, View):
            if self._council.hear(said):
                self._discards.count("peer_full")
        elif said.lineage != self._lineage:
            self._see(said)
        elif said.usher != self._usher:
            self._once("copy", f"{said.name} works on a copy of this database: give it a state directory of its own")

    def _see(self, view: View) -> None:
        now, known = self._clock.now(), self._peers.get(view.lineage)
        if abs(view.at - now) > WINDOW:
            self._discards.count("stale_peer")
            what = f"what {view.name} says is {abs(view.at - now) // 60_000} minutes from our time: set the clocks"
            self._once(f"clock {view.lineage}", what)
            return
        if known is not None and _is_over(known, view):
            self._discards.count("replayed_peer")
            return
        self._remember(view, now)
        if known is None or known.view.usher != view.usher:
            logs.say(_logger, logging.INFO, f"{view.name} is there", leads=view.leads)
            self._soon.set()
        elif known.view.marks != view.marks != self._council.register.marks:
            self._soon.set()  # it may hold what we lack: it tells that when it knows what we have
        for body in encode_decisions(islice(self._unseen(view), MOST)):
            self._tell(body)

    def _remember(self, view: View, now: int) -> None:
        known = self._peers.pop(view.lineage, None)
        peer = self._peers[view.lineage] = Peer(view, now)
        if known is not None:
            peer.over = known.over
            if known.view.usher != view.usher:
                peer.over.append(known.view.usher)
        if len(self._peers) > PEERS:
            del self._peers[min(self._peers, key=lambda lineage: self._peers[lineage].heard)]

    def _once(self, key: str, message: str) -> None:
        if key not in self._told:
            self._told.add(key)
            logs.say(_logger, logging.WARNING, message)

    # -- what is known -----------------------------------------------------------------------------------------------

    def _unseen(self, view: View) -> list[Decision]:
        return list(self._council.register.beyond(view.marks))

    @property
    def unseen(self) -> tuple[int, ...]:
        """How many decisions each peer has not seen."""
        return tuple(len(self._unseen(peer.view)) for peer in self._peers.values())

    @property
    def heard(self) -> tuple[int, ...]:
        """When each peer was heard last (milliseconds since 1970)."""
        return tuple(peer.heard for peer in self._peers.values())

    def document(self) -> dict[str, Any]:
        """Who is there, as usher.cluster.telling has it; times are milliseconds since 1970."""
        return {
            "shared": self._seal.usable,
            "sender": self._leading.sender,
            "decisions": len(self._council.register),
            "refused": self.refused,
            "peers": [self._peer(peer) for peer in sorted(self._peers.values(), key=lambda peer: peer.view.name)],
        }

    def _peer(self, peer: Peer) -> dict[str, Any]:
        unseen = self._unseen(peer.view)
        return {
            "name": peer.view.name,
            "lineage": peer.view.lineage,
            "sender": peer.view.sender,
            "role": "leader" if peer.view.leads else "candidate",
            "heard": peer.heard,
            "unseen": len(unseen),
            "not_yet_seen": [self._decision(decision) for decision in unseen[:SHOWN]],
        }

    def _decision(self, decision: Decision) -> dict[str, Any]:
        by = who(decision, self._lineage)
        return {"kind": decision.kind.value, "node": decision.node or None, "by": by, "at": decision.stamp}


def _is_over(known: Peer, view: View) -> bool:
    """Whether something later was heard of it."""
    same = view.usher == known.view.usher
    return (same and view.at <= known.view.at) or view.usher in known.over
