"""Changes: where today's table decides otherwise than an earlier version of it did, each with the reason.

Rules:
1. A change names the version of the table that brought it, the row that earlier versions fired, and what fires now in
   its place; where the same row fires and does something else, it names itself.
2. A row that does something else now, or is no more, stands here as it was: what an earlier usher did can be followed.
3. A field of the snapshot that rows began to set stands here with its version: rows of earlier ones left it as it was.
4. Replay believes these lists and nothing else: a difference that is not declared here is a fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fsm import actions as do
from fsm import guards as when
from fsm import retry
from fsm.events import Certainty, DueKind, Failed
from fsm.events import Trigger as On
from fsm.frozen import evolve
from fsm.guards import Turn
from fsm.reasons import Reason
from fsm.rows import Row, row
from fsm.snapshot import Snapshot
from fsm.states import ALL, READING, State
from fsm.table import ROWS
from fsm.waits import Changes, retry_at_once, wait


@dataclass(frozen=True, slots=True)
class Change:
    """Since `version` one of `now` fires where earlier ones fired `row`; `was` is that row as it was, if it differs."""

    version: int
    row: str
    now: frozenset[str]
    why: str
    was: Row | None = None


def _outage(turn: Turn) -> int:
    body = turn.event.body
    ours = isinstance(body, Failed) and body.certainty is Certainty.INTERRUPTED
    return 0 if ours else retry.spread(turn.policy.outage_delay, turn.event.entropy)


def _wait_out_outage(turn: Turn, changes: Changes) -> None:
    """The same step is due again when the way is likely to be open: at once where it was interrupted"""
    wait(turn, changes, DueKind.STEP, _outage(turn))


def _look_after_outage(turn: Turn, changes: Changes) -> None:
    """The look is due again when the way is likely to be open: at once where it was interrupted"""
    wait(turn, changes, DueKind.LOOK, _outage(turn))


_SOON: Final = "a step that our own end left unsent is due at once, and no longer after a wait"
_FIRST: Final = "who was told to leave is looked for before old facts begin it anew (docs/decisions/0016)"
_OLD: Final = "who is found there on old facts begins anew, and is not told to leave again (docs/decisions/0016)"
_IN_FLEET: Final = "a provisioned node is told so in the fleet, unless that would end it or it is busy"
_ASKED: Final = frozenset(
    {"asked-to-reprovision", "send-reprovision", "asked-before", "busy", "not-quiet", "stays-away", "may-stay-away"}
)
_RETURNS: Final = frozenset({"looping-soon", "came-back-soon", "token-ended", "back-in-provisioning"})
_COUNTED: Final = "the return that has a node held is counted like the others"
_KEPT: Final = "the returns that were counted are kept: who stays away for longer than returns_within ends them"
_SOON_BACK: Final = (
    "who is back within returns_within never took what it was given, and whose token has expired says why"
)

CHANGES: Final[tuple[Change, ...]] = (
    Change(2, "step-too-late", frozenset({"look-first"}), _FIRST),
    Change(2, "shutdown-again", frozenset({"still-there"}), _OLD),
    Change(2, "restart-again", frozenset({"still-there"}), _OLD),
    Change(2, "interrupted", frozenset({"interrupted"}), _SOON, row(
        "interrupted", READING | {State.CONFIGURED}, On.FAILED,
        "no fault of the node: the same step again, without a try", when=when.costs_nothing,
        do=(do.settle, _wait_out_outage))),
    Change(2, "look-interrupted", frozenset({"look-interrupted"}), _SOON, row(
        "look-interrupted", {State.INVENTORIED, State.CONFIGURED, State.RESTARTED}, On.FAILED,
        "the look was not made: look again", when=when.look_costs_nothing, do=(do.settle, _look_after_outage))),
    Change(3, "looping", frozenset({"looping"}), _COUNTED, row(
        "looping", {State.CONFIGURED, State.RESTARTED}, On.DONE, "it came back from its restart too often in a row",
        when=when.found_looping, to=State.FAILED, do=(do.settle, do.because(Reason.LOOPING), do.hold))),
    Change(3, "asked-to-reprovision", _ASKED, _IN_FLEET, row(
        "asked-to-reprovision", ALL - {State.UNSEEN}, On.OPERATOR_REPROVISION,
        "an operator asked: it is provisioned anew", to=State.REPROVISION,
        do=(do.abandon, do.because(Reason.ASKED), retry_at_once))),
    Change(4, "gone", frozenset({"gone"}), _KEPT, row(
        "gone", State.RESTARTED, On.DONE, "it left provisioning: two looks over one connection found nobody",
        when=when.found_gone_twice, to=State.PROVISIONED, do=(do.settle, do.finish, do.well_meanwhile, do.by_leaving))),
    Change(4, "silence", frozenset({"silence"}), _KEPT, row(
        "silence", State.RESTARTED, On.FAILED, "it acknowledged its restart and has been silent since",
        when=when.silence_will_do, to=State.PROVISIONED,
        do=(do.settle, do.finish, do.well_meanwhile, do.by_silence))),
    Change(4, "back-in-provisioning", _RETURNS, _SOON_BACK, row(
        "back-in-provisioning", State.PROVISIONED, On.DONE, "it is in provisioning mode again",
        when=when.found_somebody, to=State.REPROVISION,
        do=(do.settle, do.because(Reason.SEEN_AGAIN), retry_at_once))),
)  # fmt: skip
"""In the order of the versions."""

FIELDS: Final[Mapping[str, int]] = {"let_in": 2, "pairing": 3, "demand": 3, "network": 3}
"""Fields of the snapshot, each with the version of the table since which rows set it."""

_TODAY: Final = {(row.name, source, row.trigger): row for row in ROWS for source in row.sources if not row.ignored}


def as_of(version: int, name: str, source: State, trigger: On) -> Row | None:
    """The row of this name as that version of the table had it; None if no version that is known did."""
    for change in CHANGES:
        was = change.was
        if change.version > version and was is not None and was.name == name:
            return was if source in was.sources and trigger is was.trigger else None
    return _TODAY.get((name, source, trigger))


def as_left(version: int, before: Snapshot, after: Snapshot) -> Snapshot:
    """The snapshot after a row of that version of the table: what it did not know of is as it was before."""
    unknown = {name: getattr(before, name) for name, since in FIELDS.items() if since > version}
    return evolve(after, unknown) if unknown else after


def declared(version: int, name: str, now: str) -> Change | None:
    """The change that has `now` fire where this version of the table fired `name`; None if there is none."""
    changes = (change for change in CHANGES if change.version > version and change.row == name)
    return next((change for change in changes if now in change.now), None)
