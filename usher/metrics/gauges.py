"""The gauges: the daemon's present, read when somebody scrapes.

Rules:
1. Nothing is kept here: each scrape reads what is.
2. A scrape looks at sums that the rooms keep anyway; it never walks the fleet, but for the waiting room's oldest.
3. What cannot be read now is left as it was: a scrape is always answered.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from fsm.effects import Port
from fsm.reasons import Reason
from fsm.states import State
from transport.reports import Complaint, Connected
from usher.daemon import Daemon
from usher.metrics.families import labels
from usher.metrics.library import VERSION
from usher.metrics.recorder import Recorder
from usher.outages import measure
from usher.tally import Tally

HOLDS: Final = (Reason.PAUSED, Reason.DISCONNECTED, Reason.DISK_FULL, Reason.RESTORED, Reason.STOPPING)
"""Whatever can hold everything."""


def read_gauges(recorder: Recorder, daemon: Daemon, tally: Tally, database: Path) -> None:
    """Set every gauge of the recorder to what is now, and the sums that others keep; `database` is the file."""
    _flow(recorder, daemon)
    _fleet(recorder, tally)
    _broker(recorder, daemon)
    _store(recorder, daemon, database)


def _flow(recorder: Recorder, daemon: Daemon) -> None:
    families, engine = recorder.families, daemon.engine
    admission, executor = engine.admission, engine.executor
    families["busy_workers"].set(admission.flying)
    families["work_queue_entries"].set(admission.waiting)
    families["waiting_nodes"].set(engine.active)
    families["paused"].set(Reason.PAUSED in engine.holds)
    families["usher_observes"].set(daemon.policy.observe)
    families["usher_ready"].set(not engine.holds)
    for hold in HOLDS:
        families["usher_held"].set(hold in engine.holds, labels(reason=hold.value))
    measure(families, engine.breakers)
    families["usher_window"].set(admission.window)
    oldest = admission.oldest()
    families["usher_oldest_waiting_seconds"].set((daemon.clock.now() - oldest) / 1000 if oldest else 0)
    families["usher_due_nodes"].set(len(engine.timers))
    families["usher_hints_waiting"].set(len(engine.hints))
    families["usher_hints_dropped_total"].set(engine.hints.dropped)
    for port in Port:
        families["usher_effects_running"].set(executor.running(port), labels(port=port.value))
        families["usher_effects_queued"].set(executor.queued(port), labels(port=port.value))


def _fleet(recorder: Recorder, tally: Tally) -> None:
    for state in State:
        if state is not State.UNSEEN:
            recorder.families["usher_nodes"].set(tally.states[state], labels(state=state.value))
    failed = {labels(reason=reason.value): count for reason, count in tally.reasons.items()}
    recorder.families["usher_failed_nodes"].only(failed)


def _broker(recorder: Recorder, daemon: Daemon) -> None:
    families = recorder.families
    for purpose, report in daemon.reports.items():
        families["usher_connected"].set(isinstance(report, Connected | Complaint), labels(connection=purpose))
    both = (daemon.network.rpc.counts, daemon.network.discovery.counts)
    version = labels(version=VERSION)
    families["choria_protocol_valid"].set(sum(counts.valid for counts in both), version)
    families["choria_protocol_invalid"].set(sum(counts.invalid for counts in both), version)
    families["choria_protocol_error"].set(sum(counts.errors for counts in both), version)
    families["choria_protocol_json_parse_failures"].set(sum(counts.unparsable for counts in both), version)


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
