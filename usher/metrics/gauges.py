"""The gauges: the daemon's present, read when somebody scrapes.

Rules:
1. Nothing is kept here: each scrape reads what is.
2. A scrape looks at sums that the rooms keep anyway; it never walks the fleet, but for the waiting room's oldest.
"""

from __future__ import annotations

from fsm.effects import Port
from fsm.reasons import Reason
from fsm.states import State
from transport.reports import Complaint, Connected
from usher.daemon import Daemon
from usher.metrics.families import labels
from usher.metrics.recorder import Recorder
from usher.tally import Tally


def read_gauges(recorder: Recorder, daemon: Daemon, tally: Tally) -> None:
    """Set every gauge of the recorder to what is now."""
    families, engine = recorder.families, daemon.engine
    admission, executor = engine.admission, engine.executor
    families["busy_workers"].set(admission.flying)
    families["work_queue_entries"].set(admission.waiting)
    families["waiting_nodes"].set(engine.active)
    families["paused"].set(Reason.PAUSED in engine.holds)
    families["usher_ready"].set(not engine.holds)
    families["usher_window"].set(admission.window)
    oldest = admission.oldest()
    families["usher_oldest_waiting_seconds"].set((daemon.clock.now() - oldest) / 1000 if oldest else 0)
    families["usher_hints_waiting"].set(len(engine.hints))
    families["usher_hints_dropped_total"].set(engine.hints.dropped)
    for port in Port:
        families["usher_effects_running"].set(executor.running(port), labels(port=port.value))
        families["usher_effects_queued"].set(executor.queued(port), labels(port=port.value))
    for purpose, report in daemon.reports.items():
        families["usher_connected"].set(isinstance(report, Connected | Complaint), labels(connection=purpose))
    for state in State:
        if state is not State.UNSEEN:
            families["usher_nodes"].set(tally.states[state], labels(state=state.value))
