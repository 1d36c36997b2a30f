"""The election, as a preflight sees it: the bucket, its TTL, who leads, and whether he is to nodes who we are.

Rules:
1. Nothing is written: the key of an election that runs is not touched.
2. Who leads is only heard where an usher leads, since the older program does not say so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from transport import subjects
from transport.campaign import LONGEST, SHORTEST
from transport.wire.errors import WireError
from transport.wire.peers import Leads, decode_leads
from transport.wire.streams import Bucket, read_info
from usher.config.site import Site
from usher.leading import TOLD
from usher.preflight.broker import BrokerProbe
from usher.preflight.verdicts import Check, doubtful, fine, wrong

NAME: Final = "election"
_MAKE: Final = "a broker with plugin.choria.network.stream.store makes it within a minute or so of its start"
_PATIENCE: Final = TOLD + 1.0


async def election(site: Site, probe: BrokerProbe, sender: str) -> Iterable[Check]:
    """What is to be said of it; `sender` is who usher is to the nodes."""
    heard: asyncio.Future[Leads] = asyncio.get_running_loop().create_future()

    def on_leader(_headers: bytes, payload: bytes) -> None:
        with suppress(WireError):
            said = decode_leads(payload)
            if not heard.done():
                heard.set_result(said)

    probe.line.listen(subjects.LEADER, on_leader)
    found = _bucket(await probe.ask(subjects.ELECTION_INFO))
    if found is not None:
        return (found,)
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            await heard
    return _leader(site, heard.result() if heard.done() else None, sender)


def _bucket(answer: tuple[bytes, float, float] | None) -> Check | None:
    """What is wrong with it; None if it can be used."""
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
    if not SHORTEST <= told.ttl <= LONGEST:
        what = f"the bucket's TTL is {told.ttl:g} s, and must be at least {SHORTEST:g} s and at most {LONGEST:g} s"
        return wrong(NAME, what, "set plugin.choria.network.stream.leader_election_ttl on the brokers")
    return None


def _leader(site: Site, said: Leads | None, sender: str) -> Iterable[Check]:
    ours = f"this usher is {site.election_name or 'its host'} in the election, and {sender} to the nodes"
    if said is None:
        return (fine(NAME, f"the bucket is there; no usher says that it leads; {ours}"),)
    if said.sender != sender:
        what = f"{said.name} leads, and is {said.sender} to the nodes; {ours}: a node locks out the other of the two"
        return (doubtful(NAME, what, "set the same sender_identity on both"),)
    return (fine(NAME, f"the bucket is there; {said.name} leads; {ours}"),)
