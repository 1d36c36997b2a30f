"""The catalogue: every metric of usher, with the question that it answers.

Rules:
1. The names, types and labels of the older program and of its libraries are kept (wire/provisioning.md §8); values are
   honest: a deferral is no error, and only a node that left provisioning is provisioned.
2. Where a word of the older program has no exact counterpart, the text says what is counted now.
3. The values of each label are bounded by the program, never by the fleet.
"""

from __future__ import annotations

from typing import Final

from fsm.effects import Effect
from usher.metrics.families import Family, Kind
from usher.metrics.library import library

PREFIX: Final = "choria_provisioner_"
_COUNTER, _GAUGE, _SUMMARY, _HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.SUMMARY, Kind.HISTOGRAM
_Row = tuple[str, Kind, str, str]

_INHERITED: Final[tuple[_Row, ...]] = (
    ("rpc_time", _SUMMARY, "rpc", "Seconds that requests to nodes took, each try"),
    ("rpc_errors", _COUNTER, "rpc", "Requests to nodes that were given up, after all their tries"),
    ("helper_time", _SUMMARY, "", "Seconds that helpers took"),
    ("helper_errors", _COUNTER, "", "Helpers that failed"),
    ("helper_shutdown_requests", _COUNTER, "", "Nodes that acknowledged a shutdown that the helper wanted"),
    ("discovered", _COUNTER, "", "Nodes taken into the waiting room after a discovery listed them"),
    ("event_discovered", _COUNTER, "", "Nodes taken into the waiting room after an event of theirs"),
    ("discover_cycles", _COUNTER, "", "Discoveries that were begun"),
    ("discovery_errors", _COUNTER, "", "Discoveries that could not be sent"),
    ("provision_errors", _COUNTER, "", "Generations of nodes that failed; deferrals are not among them"),
    ("provisioned", _COUNTER, "", "Nodes that were configured, restarted and left provisioning"),
    ("busy_workers", _GAUGE, "", "Nodes in flight: admitted, and not yet restarted, failed or put off"),
    ("work_queue_entries", _GAUGE, "", "Nodes in the waiting room"),
    ("waiting_nodes", _GAUGE, "", "Nodes that something is to happen to: waiting, in flight, or due later"),
    ("paused", _GAUGE, "", "1 while an operator has paused usher"),
)
_FLEET: Final[tuple[_Row, ...]] = (
    ("usher_nodes", _GAUGE, "state", "Where is my fleet? Nodes in each state"),
    ("usher_failed_nodes", _GAUGE, "reason", "What is wrong with those that failed? Nodes in failed now, by reason"),
    ("usher_failures_total", _COUNTER, "reason", "What goes wrong? Generations of nodes that failed, by reason"),
    (
        "usher_returns_total",
        _COUNTER,
        "reason",
        "Do nodes come back by themselves? Nodes that are to be provisioned anew, by reason",
    ),
    ("usher_transitions_total", _COUNTER, "row", "What happens to nodes? Committed transitions, by row of the table"),
    (
        "usher_rejected_total",
        _COUNTER,
        "by",
        "What came that changed nothing? Events, by what ignored or rejected them",
    ),
    (
        "usher_aged_total",
        _COUNTER,
        "",
        "How many records were closed after keep_nodes? Nodes that were at rest so long",
    ),
    (
        "usher_bugs_total",
        _COUNTER,
        "",
        "Is usher itself at fault? Nodes that it quarantined since it could not handle them",
    ),
    ("usher_compat_total", _COUNTER, "check", "What would strictness: strict refuse? Times, by check"),
)
_FLOW: Final[tuple[_Row, ...]] = (
    (
        "usher_ready",
        _GAUGE,
        "",
        "Is all well? 1 while work is taken, or while it stands by as it should",
    ),
    ("usher_observes", _GAUGE, "", "Does it only look on? 1 while it observes, and touches nothing"),
    ("usher_held", _GAUGE, "reason", "Why is no work taken? 1 while this holds everything"),
    ("usher_election_role", _GAUGE, "role", "Who leads? 1 for where this usher stands; absent without an election"),
    ("usher_election_lease_seconds", _GAUGE, "", "Is the lease renewed? Seconds that are left of it; 0 without one"),
    (
        "usher_peers",
        _GAUGE,
        "",
        "Who is there? Other ushers that were heard in the last 30 s; absent without an election",
    ),
    ("usher_peers_silent_seconds", _GAUGE, "", "Is one of them away? Seconds since the most silent of them was heard"),
    (
        "usher_peers_unseen_decisions",
        _GAUGE,
        "",
        "Does everybody know? Operators' decisions that a peer has not seen, of the one that lacks most",
    ),
    (
        "usher_breaker",
        _GAUGE,
        "dependency",
        "Is something away? 0 closed, 1 half-open, 2 open: the breaker of the broker, the helper or the signer",
    ),
    ("usher_breaker_opened_total", _COUNTER, "dependency", "How often was it away? Times that the breaker opened"),
    ("usher_breaker_waiting", _GAUGE, "dependency", "Who waits for it? Nodes whose next step the breaker holds back"),
    ("usher_window", _GAUGE, "", "Is something slow? Nodes that may be in flight; it follows the slowest port"),
    ("usher_oldest_waiting_seconds", _GAUGE, "", "How long does a node wait? Age of the oldest in the waiting room"),
    ("usher_due_nodes", _GAUGE, "", "How many wait for a time? Nodes that are due later: back-off, deferral, a look"),
    ("usher_hints_waiting", _GAUGE, "", "Is discovery ahead of us? Names that were not looked at yet"),
    ("usher_hints_dropped_total", _COUNTER, "", "Were names lost? Those dropped because a million others waited"),
    ("usher_effects_running", _GAUGE, "port", "What is busy? Effects that are carried out now"),
    ("usher_effects_queued", _GAUGE, "port", "Which port is the slowest? Effects that wait for a place"),
    ("usher_effect_seconds", _HISTOGRAM, "effect", "Which step is slow? Seconds that effects took"),
    ("usher_effect_failures_total", _COUNTER, "effect certainty", "Which step fails, and how? Effects that failed"),
    ("usher_decision_seconds", _HISTOGRAM, "", "Is deciding slow? Seconds from taking an event to the store"),
    ("usher_loop_lag_seconds", _HISTOGRAM, "", "Is the process overloaded? Seconds that the event loop was late"),
)
_STORE: Final[tuple[_Row, ...]] = (
    ("usher_commit_seconds", _HISTOGRAM, "", "Is the disk slow? Seconds from handing a unit over until it was durable"),
    ("usher_commits_total", _COUNTER, "", "How large are batches? Transactions; transitions divided by them tell"),
    ("usher_commits_waiting", _GAUGE, "", "Is the disk behind? Units and marks that wait for a transaction"),
    ("usher_database_bytes", _GAUGE, "file", "Does the database grow? Size of main, and of wal, the write-ahead log"),
    ("usher_state_free_bytes", _GAUGE, "", "Is there room? Bytes that usher may still write where its state is"),
)
_BROKER: Final[tuple[_Row, ...]] = (
    ("usher_connected", _GAUGE, "connection", "Is the broker there? 1 while this connection stands"),
    ("usher_logins_total", _COUNTER, "connection", "Does the connection come and go? Logins that succeeded"),
    ("usher_logins_refused_total", _COUNTER, "connection", "Does somebody refuse us? Attempts to log in that did not"),
    ("usher_disconnections_total", _COUNTER, "connection", "Does the connection break? Logins that ended"),
    (
        "usher_complaints_total",
        _COUNTER,
        "connection",
        "What does the broker mind? Permissions, lame duck, and the like",
    ),
    ("usher_discovery_answers", _GAUGE, "", "Who is there to be provisioned? Answers to the last discovery"),
    ("usher_discards_total", _COUNTER, "reason", "What is thrown away? Messages that were received and not used"),
)
_START: Final[tuple[_Row, ...]] = (
    ("usher_info", _GAUGE, "version", "Which usher is this? Always 1"),
    ("usher_epoch", _GAUGE, "", "How often was it started on this database? Raised at each start"),
    ("usher_recovered_nodes", _GAUGE, "", "What did the start take up? Nodes waiting, in flight, or due later"),
    (
        "usher_recovered_effects_total",
        _COUNTER,
        "effect certainty",
        "What did the earlier process leave open? Effects, not_sent or interrupted",
    ),
    (
        "usher_recovered_waiting_total",
        _COUNTER,
        "effect",
        "Whom did our own end hold up? Nodes that waited until an earlier request could not be alive any more",
    ),
    ("usher_recovery_seconds", _GAUGE, "", "How long did taking up last? Seconds until all of these were closed"),
)
_ROTATION: Final[tuple[_Row, ...]] = (
    ("usher_reloads_total", _COUNTER, "setting result", "Was a changed file used? Changes, taken or refused"),
    (
        "usher_credential_expiry_seconds",
        _GAUGE,
        "credential",
        "What is to be renewed? Seconds until what is in use expires",
    ),
    ("usher_credential_warning", _GAUGE, "credential", "Is it time to renew? 1 while usher status warns of it"),
    (
        "usher_tokens_accepted_total",
        _COUNTER,
        "position token",
        "Who still has the old token? Nodes that let us in, by place in the list and mark",
    ),
)
_AUDIT: Final[tuple[_Row, ...]] = (
    ("usher_checkpoints_total", _COUNTER, "", "Is the history signed? Checkpoints that were taken"),
    ("usher_checkpoint_failures_total", _COUNTER, "", "Why not? Checkpoints that could not be taken: the log says why"),
    (
        "usher_checkpoint_command_failures_total",
        _COUNTER,
        "",
        "Does somebody else hold them? Times that audit.checkpoint_command failed",
    ),
    (
        "usher_checkpoints_unsent",
        _GAUGE,
        "",
        "What would nobody miss? Checkpoints that audit.checkpoint_command has not taken yet",
    ),
)
OWN: Final = {
    "The fleet": _FLEET,
    "The flow": _FLOW,
    "The store": _STORE,
    "The broker": _BROKER,
    "The start": _START,
    "Rotation": _ROTATION,
    "The audit": _AUDIT,
}
"""Our own, by what they are about."""

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
    found = {name: Family(PREFIX + name, kind, what, tuple(names.split())) for name, kind, names, what in _INHERITED}
    for rows in OWN.values():
        found |= {name: Family(name, kind, what, tuple(names.split())) for name, kind, names, what in rows}
    return found | library()
