"""The election, as a preflight sees it: the bucket, its TTL, who takes part, and whether they are to nodes who we are.

Rules:
1. Nothing is written: the key of an election that runs is not touched.
2. Who takes part is only heard of ushers that run now, since the older program does not say so: who leads, and, where
   the broker's password opens what they say to each other, who stands by.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from security.peers import PeerSeal
from transport import subjects
from transport.campaign import LONGEST, SHORTEST
from transport.wire.decisions import View, decode
from transport.wire.errors import WireError
from transport.wire.peers import decode_leads
from transport.wire.streams import Bucket, read_info
from transport.wire.versions import SHORTEST_TTL, Version
from usher.cluster.peers import EVERY
from usher.config.site import Site
from usher.leading import TOLD
from usher.preflight.broker import BrokerProbe
from usher.preflight.verdicts import Check, doubtful, fine, wrong

NAME: Final = "election"
_MAKE: Final = "a broker with plugin.choria.network.stream.store makes it within a minute or so of its start"
_SET: Final = "set plugin.choria.network.stream.leader_election_ttl on the brokers"
_PATIENCE: Final = max(TOLD, EVERY) + 1.0
"""Seconds in which everybody who takes part has told who he is."""
_MOST: Final = 32
"""Others that are remembered, and named."""


@dataclass(frozen=True, slots=True)
class Other:
    """Another usher of the cluster: its election_name, who it is to the nodes, whether it leads."""

    name: str
    sender: str
    leads: bool


class Heard:
    """Who was heard, by election_name; `seal` opens what ushers say to each other."""

    def __init__(self, seal: PeerSeal) -> None:
        """Nobody yet."""
        self._seal = seal
        self.others: dict[str, Other] = {}

    def leader(self, _headers: bytes, payload: bytes) -> None:
        """Somebody says that he leads, and nothing proves it."""
        with suppress(WireError):
            said = decode_leads(payload)
            self._note(Other(said.name, said.sender, leads=True))

    def peer(self, _headers: bytes, payload: bytes) -> None:
        """Somebody says who is there."""
        body = self._seal.open(payload)
        if body is None:
            return
        with suppress(WireError):
            said = decode(body)
            if isinstance(said, View):
                self._note(Other(said.name, said.sender, said.leads))

    def _note(self, other: Other) -> None:
        known = self.others.get(other.name)
        if (known is None and len(self.others) < _MOST) or (known is not None and other.leads):
            self.others[other.name] = other


async def election(site: Site, probe: BrokerProbe, sender: str, version: Version) -> Iterable[Check]:
    """What is to be said of it; `sender` is who usher is to the nodes, in this version of the protocol."""
    heard = Heard(PeerSeal(lambda: probe.password))
    probe.line.listen(subjects.LEADER, heard.leader)
    probe.line.listen(subjects.PEERS, heard.peer)
    found = _bucket(await probe.ask(subjects.ELECTION_INFO), SHORTEST_TTL[version])
    if found is not None:
        return (found,)
    await asyncio.sleep(_PATIENCE)
    return told(site, sorted(heard.others.values(), key=lambda other: (not other.leads, other.name)), sender)


def _bucket(answer: tuple[bytes, float, float] | None, least: int) -> Check | None:
    """What is wrong with it; None if it can be used. `least` is the shortest life of a request (s)."""
    missing = f"there is no bucket {subjects.ELECTION_BUCKET}"
    if answer is None:
        return wrong(NAME, "the question what the bucket is like was not answered", "look at the broker's log")
    if answer[0].startswith(b"NATS/1.0 503"):
        what = f"nobody answers for the bucket {subjects.ELECTION_BUCKET}: the broker has no streams"
        return wrong(NAME, what, _MAKE)
    try:
        told = read_info(answer[0])
    except WireError as error:
        return wrong(NAME, f"the broker's answer is of another form ({error.detail})", "look at the broker's log")
    if not isinstance(told, Bucket):
        return wrong(NAME, f"{missing} (error {told.err_code or told.code})", _MAKE)
    return lasting(told.ttl, least)


def lasting(ttl: float, least: int) -> Check | None:
    """What is wrong with a lease of so many seconds; `least` is the shortest life of a request (s)."""
    if not SHORTEST <= ttl <= LONGEST:
        what = f"the bucket's TTL is {ttl:g} s, and must be at least {SHORTEST:g} s and at most {LONGEST:g} s"
        return wrong(NAME, what, _SET)
    if ttl <= least > 1:
        what = f"the bucket's TTL is {ttl:g} s: a leader would never send anything to a node"
        return wrong(NAME, f"{what}, since a request of protocol v1 lives at least {least} s", _SET)
    if ttl < 2 * least > 2:
        what = f"the bucket's TTL is {ttl:g} s: a leader sends only while {least} s of its lease are left"
        return doubtful(NAME, f"{what}, since a request of protocol v1 lives that long", _SET)
    return None


def told(site: Site, others: Sequence[Other], sender: str) -> Iterable[Check]:
    """What is to be said of those that were heard: a doubt for each that is somebody else to the nodes."""
    ours = f"this usher is {site.election_name or 'its host'} in the election, and {sender} to the nodes"
    step = "set the same sender_identity on both"
    doubts = [doubtful(NAME, _somebody_else(other, ours), step) for other in others if other.sender != sender]
    leader = next((f"{other.name} leads" for other in others if other.leads), "no usher says that it leads")
    standing = [other.name for other in others if not other.leads]
    stands = f"; {', '.join(standing)} {'stands' if len(standing) == 1 else 'stand'} by" if standing else ""
    return doubts or (fine(NAME, f"the bucket is there; {leader}{stands}; {ours}"),)


def _somebody_else(other: Other, ours: str) -> str:
    does = "leads" if other.leads else "stands by"
    return f"{other.name} {does}, and is {other.sender} to the nodes; {ours}: a node locks out the other of the two"
