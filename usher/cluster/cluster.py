"""The cluster: what a daemon is among other ushers, composed and with one life.

Rules:
1. There is one where there is an election, and an election is held in a network that is the only one
   (usher.config.networks refuses it otherwise).
2. It begins standing by: what the cluster has decided is in force before this usher could lead.
3. It ends before the engines do: what is told and decided first, then the lead.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable

from fsm.ports import Clock
from fsm.reasons import Reason
from security.peers import PeerSeal
from store.journal import Journal
from transport.wire.decisions import Decision
from usher.cluster.council import Carried, Council
from usher.cluster.peers import Peers
from usher.leading import Leadership
from usher.network import Way
from usher.networks.member import Member
from usher.terms import Led


class Cluster:
    """The lead of one daemon, the decisions that its cluster shares, and who else there is."""

    def __init__(
        self,
        way: Way,
        member: Member,
        journal: Journal,
        clock: Clock,
        carried: Carried,
        *,
        working: Callable[[], None],
        epoch: Callable[[int], None],
        fatal: Callable[[BaseException], None],
    ) -> None:
        """Compose; nothing moves before `start`.

        `carried` carries decisions out, `working` hears that this usher leads, or no more, `epoch` of a new one.
        """
        network = member.network
        if network.gate is None:
            raise ValueError("there is no election in this network")
        self._member, self._journal, self._fatal = member, journal, fatal
        self.leadership = Leadership(
            way.election_name,
            way.caller.sender,
            clock,
            member.engine,
            journal,
            network.gate,
            network.tracked,
            take_back=network.rpc.take_back,
            working=working,
            epoch=epoch,
            fatal=fatal,
        )
        self.council = Council(way.election_name, clock, journal, carried)
        seal = PeerSeal(lambda: way.credentials.password)
        self.peers = Peers(secrets.token_hex(8), self.leadership, self.council, seal, clock, member.discards)

    def stand_by(self) -> None:
        """Take no work until this usher leads."""
        self._member.engine.hold(Reason.STANDBY)

    async def start(self, last: Led, decided: Iterable[tuple[Decision, int]]) -> None:
        """Take part in the election, and in what the ushers of the cluster decide.

        `last` is the last term, `decided` what operators of the cluster decided before.
        """
        network = self._member.network
        lease = network.lease
        if lease is None:
            raise ValueError("there is no connection for the lease")
        self.council.start(decided, self._fatal)
        await self.peers.start(lease, self._journal.lineage)
        await self.leadership.start(network.election(lease, self.leadership.changed, self.leadership.heard_of), last)

    async def stop(self) -> None:
        """Hear no more, decide no more, and hand the lead over."""
        self.peers.stop()
        self.council.stop()
        self._member.engine.hold(Reason.STOPPING)
        await self.leadership.stop()
