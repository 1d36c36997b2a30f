"""The catalogue: every metric of usher, with the question that it answers.

Rules:
1. The names, types and labels of the older program are kept (wire/provisioning.md §8); values are honest: a deferral is
   no error, and only a node that left provisioning is provisioned.
2. Where a word of the older program has no exact counterpart, the text says what is counted now.
"""

from __future__ import annotations

from typing import Final

from fsm.effects import Effect
from usher.metrics.families import Family, Kind

PREFIX: Final = "choria_provisioner_"

_INHERITED: Final = (
    ("rpc_time", Kind.SUMMARY, "Seconds that requests to nodes took, each try"),
    ("rpc_errors", Kind.COUNTER, "Requests to nodes that were given up, after all their tries"),
    ("helper_time", Kind.SUMMARY, "Seconds that helpers took"),
    ("helper_errors", Kind.COUNTER, "Helpers that failed"),
    ("helper_shutdown_requests", Kind.COUNTER, "Nodes that acknowledged a shutdown that the helper wanted"),
    ("discovered", Kind.COUNTER, "Nodes taken into the waiting room after a discovery listed them"),
    ("event_discovered", Kind.COUNTER, "Nodes taken into the waiting room after an event of theirs"),
    ("discover_cycles", Kind.COUNTER, "Discoveries that were begun"),
    ("discovery_errors", Kind.COUNTER, "Discoveries that could not be sent"),
    ("provision_errors", Kind.COUNTER, "Generations of nodes that failed; deferrals are not among them"),
    ("provisioned", Kind.COUNTER, "Nodes that were configured, restarted and left provisioning"),
    ("busy_workers", Kind.GAUGE, "Nodes in flight: admitted, and not yet restarted, failed or put off"),
    ("work_queue_entries", Kind.GAUGE, "Nodes in the waiting room"),
    ("waiting_nodes", Kind.GAUGE, "Nodes that something is to happen to: waiting, in flight, or due later"),
    ("paused", Kind.GAUGE, "1 while an operator has paused usher"),
)
_OWN: Final = (
    ("usher_nodes", Kind.GAUGE, "Nodes in each state: where is my fleet?"),
    ("usher_ready", Kind.GAUGE, "1 while work is taken: connected, not paused, room on the disk"),
    ("usher_connected", Kind.GAUGE, "1 while this connection to the broker stands"),
    ("usher_window", Kind.GAUGE, "Nodes that may be in flight: is something slow?"),
    ("usher_oldest_waiting_seconds", Kind.GAUGE, "How long the oldest node of the waiting room has waited"),
    ("usher_effects_running", Kind.GAUGE, "Effects being carried out, by port"),
    ("usher_effects_queued", Kind.GAUGE, "Effects that wait for a place, by port: which port is the slowest?"),
    ("usher_hints_waiting", Kind.GAUGE, "Names from discovery and events that were not looked at yet"),
    ("usher_hints_dropped_total", Kind.COUNTER, "Names that were dropped because a million others waited"),
    ("usher_transitions_total", Kind.COUNTER, "Committed transitions, by row of the table"),
    ("usher_rejected_total", Kind.COUNTER, "Events that changed nothing, by what ignored or rejected them"),
    ("usher_discards_total", Kind.COUNTER, "Messages that were received and not used, by why"),
    ("usher_compat_total", Kind.COUNTER, "What strictness: strict would refuse, by check"),
    ("usher_aged_total", Kind.COUNTER, "Nodes at rest for longer than keep_nodes, whose record was closed"),
    ("usher_bugs_total", Kind.COUNTER, "Nodes that usher quarantined because it could not handle them"),
    ("usher_recovered_nodes", Kind.GAUGE, "Nodes that the start took up: waiting, in flight, or due later"),
    (
        "usher_recovered_effects_total",
        Kind.COUNTER,
        "Effects that an earlier process had left open, by effect and certainty: not_sent or interrupted",
    ),
    (
        "usher_recovered_waiting_total",
        Kind.COUNTER,
        "Nodes that our own end made wait until an earlier request could not be alive any more, by effect",
    ),
    ("usher_recovery_seconds", Kind.GAUGE, "Seconds from the start until all of these effects were closed"),
    ("usher_effect_seconds", Kind.HISTOGRAM, "Seconds that effects took, by effect"),
    ("usher_decision_seconds", Kind.HISTOGRAM, "Seconds from taking an event to handing its unit to the store"),
    ("usher_commit_seconds", Kind.HISTOGRAM, "Seconds from there until the unit was durable"),
    ("usher_loop_lag_seconds", Kind.HISTOGRAM, "Seconds that the event loop was late: is the process overloaded?"),
)

RPC: Final = {
    Effect.FETCH_JWT: "choria_provision#jwt",
    Effect.FETCH_INVENTORY: "rpcutil#inventory",
    Effect.NEW_KEY: "choria_provision#gen25519",
    Effect.NEW_CSR: "choria_provision#gencsr",
    Effect.CONFIGURE: "choria_provision#configure",
    Effect.RESTART: "choria_provision#restart",
    Effect.SHUTDOWN: "choria_provision#shutdown",
    Effect.LOOK: "rpcutil#daemon_stats",
}
"""The label `rpc` of each effect that is a request to a node."""


def families() -> dict[str, Family]:
    """Every family, by its name without the older program's prefix."""
    inherited = {name: Family(PREFIX + name, kind, what) for name, kind, what in _INHERITED}
    return inherited | {name: Family(name, kind, what) for name, kind, what in _OWN}
