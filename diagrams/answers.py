"""Answers: what docs/continuity.md says in words, because no row of the table says it.

Rules:
1. Why an effect may be repeated stands here once for each effect; a test fails where one is missing.
2. A sentence says what happens and what to do, in the words of somebody who was woken by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fsm.effects import Effect

PROMISE: Final = """Kill usher at any instruction, cut its power, kill it again while it starts: the next start goes
on from the last fact that was committed, for every node, and nobody has to do anything. Nothing is sent before the
intention to send it is on the disk, and nothing is believed before it is on the disk, so a start knows exactly what
it does not know. What may be sent twice is sent again, the same order under the same number. What may not (a
restart, a shutdown) is looked for first. Our end costs no node a try, and usher never signs a second credential for
the same key."""

MOMENTS: Final = (
    ("the intent is committed, nothing was sent", "`intended`", "NOT_SENT: it did not happen"),
    ("it was sent (or was about to be), no outcome is known", "`started`", "INTERRUPTED: it may have happened"),
    (
        "the outcome is known and not committed", "`started`",
        "INTERRUPTED: what is not committed did not happen, the answer went with the process",
    ),
    (
        "the outcome is committed", "closed; the next effect `intended`, or a due time",
        "the next effect, NOT_SENT; or the due time",
    ),
    ("between two effects", "a due time", "nothing open; the due time stands, and what is overdue is due at once"),
)  # fmt: skip
"""Killed when, what the database says, what a start finds."""

WHY: Final[Mapping[Effect, str]] = {
    Effect.FETCH_JWT: "it only reads; the lock that it takes is ours, and the node gives it to us again",
    Effect.FETCH_INVENTORY: "it only reads",
    Effect.NEW_KEY: "the node makes another key and proves it with a new nonce, and only the last proof is used; a node"
    " that ends with an older token than its key finds out when it starts, and comes back by itself",
    Effect.NEW_CSR: "the node makes another key, so a request that is still alive could leave it without the one that"
    " its certificate will name: it is sent again only when that cannot be any more",
    Effect.RUN_HELPER: "the helper is told the same id in its environment (`USHER_EFFECT_ID`), so it can see that it"
    " was asked before; an answer that was not committed was never used",
    Effect.SIGN_TOKEN: "claims, time and id follow from the order, so the same order gives the same token; another"
    " signing key, or an order older than `facts_max_age`, is a new order and recorded as one",
    Effect.EXCHANGE_KEY: "the node makes another half of the secret and we draw another of ours, and only the last pair"
    " is used; while a request that is still alive could change the node's half once more, it is not sent",
    Effect.WRAP_KEY: "nothing leaves usher, and what was not committed was never sent",
    Effect.CONFIGURE: "the bytes follow from the helper's stored reply, the stored token and the stored key as it was"
    " wrapped, so the node writes the same files twice",
    Effect.RESTART: "the request may wait at the node, and a second one could reach the node that has already left",
    Effect.SHUTDOWN: "the request may wait at the node, and a second one could reach a machine that was started again",
    Effect.LOOK: "it only reads, and it is how everything else is found out",
    Effect.SEND_REPROVISION: "the node may have taken it and be on its way; it is looked for in the fleet and then in"
    " provisioning, and only one that is still in the fleet may be asked again",
    Effect.SEND_RESTART: "a second restart would be one too many; how old the process in the fleet is tells",
    Effect.SEND_SHUTDOWN: "a second shutdown could reach a machine that was started again",
    Effect.LOOK_IN_FLEET: "it only reads",
}
"""Why an effect may be repeated, or may not."""

WAITING: Final = (
    "Waiting is a time in the database, so a restart changes none of it: what is not due yet comes when it was to",
    "come, what came due meanwhile comes at once, 250 nodes a turn, and no clock that jumps makes a wait longer",
    "than it was to be. A node in the waiting room has no time: it keeps its place (the oldest first), and the",
    "window of nodes in flight begins small again and grows. A held node (`quarantined`, `duplicate_identity`,",
    "`looping`) stays held. Nodes at rest (`provisioned`, `retired`, `gone`) are not even read.",
)

FLEET: Final = (
    ("`usher pause`, `usher resume`", "nothing changed, and the command says that it had no answer",
     "it holds, at every later start too; if its answer was lost, `usher status` tells"),
    ("`usher nodes retry`, `forget`, `quarantine`, `release`, `reprovision`",
     "nothing changed, and the command says that it had no answer: ask again",
     "it is done; asking again is answered by the row that ignores it"),
    ("`usher reprovision`, `restart`, `shutdown`", "the plan, or a piece of it, is not noted: nobody was asked",
     "the plan is noted, and each node's record says whether it was asked: `--resume` goes on"),
    ("a node that discovery or an event named", "forgotten: names wait in memory only; discovery lists it again",
     "it is in the waiting room"),
    ("the epoch of a start", "the next start raises it",
     "the next start raises it once more: epochs have gaps, that is all"),
    ("the first key of the vault", "there is none, and nothing was sealed: the next start makes one",
     "the file is complete (written beside, synced, renamed) before anything is sealed with it"),
    ("a new database", "none: it is made under another name, and is not there until it is whole", "it has its lineage"),
    ("a migration", "the old schema, whole, and a backup of it", "the new schema, whole"),
    ("`usher db backup`", "no backup; what is half written has a name of its own", "the backup, whole"),
    ("`usher db restore`", "nothing was touched: restore again",
     "the copy waits beside the database: the next start puts it in place, and what was there is kept"),
    ("`usher db rekey`, `vacuum`", "as before; both keys open, and the job can be begun again", "it is done"),
    ("a full disk", "nothing: work had stopped, nothing was sent",
     "the start waits for room, says so, and goes on when there is some"),
)  # fmt: skip
"""What, killed before its commit, killed after it."""

PLAIN: Final = (
    (
        "What if it is killed twice?",
        (
            "Then it is taken up twice. Closing what was open is an ordinary event: committed, it leaves a due time",
            "or a new intent, which are two of the [moments](#the-moments) above; not committed, it did not happen,",
            "and the next start closes the same effect again. A hundred ends in a row cost a node no try, and the",
            "look at a node that was told to restart is made once more.",
        ),
    ),
    (
        "What if it is killed while it starts?",
        (
            "Nothing was sent yet: the way to the nodes opens only when all are taken up. The start raises the",
            "epoch, closes what was open, and each of these is a commit of its own; the next start does what is",
            "left.",
        ),
    ),
    (
        "What if the old process is not quite dead?",
        (
            "It holds the lock on the state directory as long as it lives, and a second start ends with 2 and names",
            "it. One that lost its lock all the same (somebody deleted the file) finds its intents closed: none is",
            "marked as started any more, so none is sent, and its next commit ends it, naming the row. A copy of the",
            "directory is another matter: see [recovery](recovery.md#the-machine-is-lost).",
        ),
    ),
    (
        "What if a schema is being migrated?",
        (
            "Each version is one transaction with its number, so the database has the old schema or the new one and",
            "never half of one. Start usher again. If that was the older usher: it refuses the newer schema by its",
            "number and says what to do; see [recovery](recovery.md#upgraded-or-downgraded).",
        ),
    ),
    (
        "What if a backup runs?",
        (
            "The database is not touched by it: a backup reads. What is half written is under a name of its own and",
            "is no backup; delete it and make another. See [recovery](recovery.md#last-nights-backup).",
        ),
    ),
    (
        "What if a checkpoint is being written?",
        (
            "A checkpoint copies committed pages from the log (`usher.db-wal`) into `usher.db` and forgets the log",
            "only when those are synced. Half a checkpoint is done again from the log at the next start. So never",
            "delete `usher.db-wal` by hand, and never copy `usher.db` without it: committed transitions are in",
            "there.",
        ),
    ),
    (
        "What if the machine loses its power?",
        (
            "Every commit waits for fsync (`synchronous=FULL`), and nothing is sent, shown or counted before it",
            "returned. So what a node or an operator was told is on the disk, if the disk keeps what it has",
            "confirmed. A torn end of the log is recognised by its checksums and cut off at the last whole commit.",
            "What no software can heal is a disk, or a network file system, that confirms and does not keep: the",
            "state directory belongs on a local disk.",
        ),
    ),
    (
        "What if the clock was set while it was down?",
        (
            "Due times carry the span that they were set with: none is waited for longer than that, whatever the",
            "clock says. A clock that went forward makes things due early, which costs nothing but order, and facts",
            "old, which starts nodes in the middle anew. A request that may still be alive is waited for a minute",
            "from the start.",
        ),
    ),
    (
        "What if it was down for a day?",
        (
            "Nodes in the middle begin anew, since what they said is older than `facts_max_age`; those that were",
            "told to restart are looked at; the others are where they were. Servers that were switched on meanwhile",
            "are found by the first discovery.",
        ),
    ),
    (
        "What if the disk, the key file or everything is lost?",
        ("Then there is a walk for it: [recovery](recovery.md).",),
    ),
)
"""Questions, and the lines of each answer."""
