"""The gauges: the daemon's present, read when somebody scrapes.

Rules:
1. Nothing is kept here: each scrape reads what is.
2. A scrape looks at sums that the rooms keep anyway; it never walks the fleet, but for the waiting room's oldest.
3. What cannot be read now is left as it was: a scrape is always answered.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from fsm.effects import Port
from fsm.reasons import Reason
from fsm.runtime.engine import Engine
from fsm.states import State
from transport.lease import Role
from transport.reports import Complaint, Connected
from transport.subjects import ELECTION
from usher.daemon import Daemon
from usher.metrics.families import Family, labels
from usher.metrics.library import VERSIONS
from usher.metrics.recorder import Recorder
from usher.metrics.within import within
from usher.network import Network
from usher.outages import measure
from usher.tally import Tally

HOLDS: Final = (
    Reason.PAUSED, Reason.DISCONNECTED, Reason.DISK_FULL, Reason.RESTORED, Reason.STANDBY, Reason.STOPPING,
)  # fmt: skip
"""Whatever can hold everything."""


PRESENT: Final = 30_000
"""Milliseconds for which a peer that was heard is there."""


def read_gauges(recorder: Recorder, daemon: Daemon, tally: Tally, database: Path) -> None:
    """Set every gauge of the recorder to what is now, and the sums that others keep; `database` is the file."""
    _flow(recorder, daemon)
    _fleet(recorder, tally)
    _election(recorder, daemon)
    _peers(recorder, daemon)
    _broker(recorder, daemon)
    _store(recorder, daemon, database)


def _flow(recorder: Recorder, daemon: Daemon) -> None:
    families, engines = recorder.families, [member.engine for member in daemon.members]
    families["busy_workers"].set(sum(engine.admission.flying for engine in engines))
    families["work_queue_entries"].set(sum(engine.admission.waiting for engine in engines))
    families["waiting_nodes"].set(daemon.engine.active)
    families["paused"].set(Reason.PAUSED in daemon.engine.holds)
    families["usher_observes"].set(daemon.observes)
    for member in daemon.members:
        _engine(within(families, member.name), member.engine, daemon.clock.now(), ready=daemon.works(member))


def _engine(families: Mapping[str, Family], engine: Engine, now: int, *, ready: bool) -> None:
    families["usher_ready"].set(ready)
    for hold in HOLDS:
        families["usher_held"].set(hold in engine.holds, labels(reason=hold.value))
    measure(families, engine.breakers)
    families["usher_window"].set(engine.admission.window)
    oldest = engine.admission.oldest()
    families["usher_oldest_waiting_seconds"].set((now - oldest) / 1000 if oldest else 0)
    families["usher_due_nodes"].set(len(engine.timers))
    families["usher_hints_waiting"].set(len(engine.hints))
    families["usher_hints_dropped_total"].set(engine.hints.dropped)
    for port in Port:
        families["usher_effects_running"].set(engine.executor.running(port), labels(port=port.value))
        families["usher_effects_queued"].set(engine.executor.queued(port), labels(port=port.value))


def _fleet(recorder: Recorder, tally: Tally) -> None:
    for state in State:
        if state is not State.UNSEEN:
            recorder.families["usher_nodes"].set(tally.states[state], labels(state=state.value))
    failed = {labels(reason=reason.value): count for reason, count in tally.reasons.items()}
    recorder.families["usher_failed_nodes"].only(failed)


def _election(recorder: Recorder, daemon: Daemon) -> None:
    if daemon.cluster is None:
        return
    leadership, families = daemon.cluster.leadership, recorder.families
    standing, where = leadership.standing(), labels(election=ELECTION, identity=leadership.name)
    for role in Role:
        families["usher_election_role"].set(standing.role is role, labels(role=role.value))
    families["usher_election_lease_seconds"].set(standing.rest)
    families["choria_election_leader"].set(standing.ours, where)
    families["choria_election_interval_seconds"].set(standing.interval, where)
    for state, count in standing.campaigns.items():
        families["choria_election_campaigns"].set(count, (*where, *labels(state=state)))


def _peers(recorder: Recorder, daemon: Daemon) -> None:
    if daemon.cluster is None:
        return
    peers, families = daemon.cluster.peers, recorder.families
    ages = [max(daemon.clock.now() - at, 0) for at in peers.heard]
    families["usher_peers"].set(sum(age < PRESENT for age in ages))
    families["usher_peers_silent_seconds"].set(max(ages, default=0) / 1000)
    families["usher_peers_unseen_decisions"].set(max(peers.unseen, default=0))


def _broker(recorder: Recorder, daemon: Daemon) -> None:
    families = recorder.families
    for member in daemon.members:
        connected = within(families, member.name)["usher_connected"]
        for purpose, report in member.reports.items():
            connected.set(isinstance(report, Connected | Complaint), labels(connection=purpose))
    for version in {member.network.version for member in daemon.members}:
        _spoken(families, [member.network for member in daemon.members if member.network.version is version])


def _spoken(families: Mapping[str, Family], networks: Sequence[Network]) -> None:
    """What the networks that speak one version of the protocol have received."""
    version = labels(version=VERSIONS[networks[0].version])
    counts = [each for network in networks for each in (network.rpc.counts, network.discovery.counts)]
    families["choria_protocol_valid"].set(sum(each.valid for each in counts), version)
    families["choria_protocol_invalid"].set(sum(each.invalid for each in counts), version)
    families["choria_protocol_error"].set(sum(each.errors for each in counts), version)
    families["choria_protocol_json_parse_failures"].set(sum(each.unparsable for each in counts), version)


def _store(recorder: Recorder, daemon: Daemon, database: Path) -> None:
    families = recorder.families
    families["usher_epoch"].set(daemon.epoch)
    families["usher_commits_total"].set(daemon.journal.commits)
    families["usher_commits_waiting"].set(daemon.journal.waiting)
    for file, suffix in (("main", ""), ("wal", "-wal")):
        with suppress(OSError):
            size = Path(f"{database}{suffix}").stat().st_size
            families["usher_database_bytes"].set(size, labels(file=file))
    with suppress(OSError):
        room = os.statvfs(database.parent)
        families["usher_state_free_bytes"].set(room.f_bavail * room.f_frsize)
