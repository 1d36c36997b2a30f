"""Waits: the actions that set the one due time of a node, and those that count partings and looks.

Rules:
1. Waiting is a due time, never an open step (design §3): back-off, quiet, a refused lock, an outage are one mechanism.
2. Every time is the event's time plus a wait of the policy, spread by the event's entropy.
3. Its docstring says in one sentence what changes, since the documents print it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fsm import retry
from fsm.effects import Effect
from fsm.events import OUTCOMES, Certainty, Done, DueKind, Failed, Sent
from fsm.guards import Turn
from fsm.reasons import Reason
from fsm.snapshot import NO_LOOKS, Awaited, Doing, Looks, Parting, Quiet

Changes = dict[str, Any]


def wait(turn: Turn, changes: Changes, kind: DueKind, span: int) -> None:
    """Set the one due time: `span` milliseconds from the event."""
    changes["awaited"] = Awaited(turn.event.at + span, kind, span)


# -- waiting ----------------------------------------------------------------------------------------------------------


def wait_for_try(turn: Turn, changes: Changes) -> None:
    """The same step is due again after a short wait"""
    tries = turn.snapshot.doing.tries if turn.snapshot.doing else 1
    wait(turn, changes, DueKind.STEP, retry.before_try(turn.policy, tries, turn.event.entropy))


def wait_out_outage(turn: Turn, changes: Changes) -> None:
    """The same step is due again when the way is likely to be open: at once where it was our own end"""
    wait(turn, changes, DueKind.STEP, _outage(turn))


def wait_until_quiet(turn: Turn, changes: Changes) -> None:
    """The step is due when no earlier request that changes the node can be alive any more"""
    _outlive(turn, changes, "quiet", turn.snapshot.quiet)


def wait_until_alone(turn: Turn, changes: Changes) -> None:
    """The exchange is due when no earlier request for a half can be alive any more"""
    _outlive(turn, changes, "pairing", turn.snapshot.pairing)


def wait_to_look(turn: Turn, changes: Changes) -> None:
    """A look is due after look_delay"""
    wait(turn, changes, DueKind.LOOK, turn.policy.look_delay)


def wait_for_shutdown(turn: Turn, changes: Changes) -> None:
    """A look is due after shutdown_delay"""
    wait(turn, changes, DueKind.LOOK, turn.policy.shutdown_delay)


def look_after_outage(turn: Turn, changes: Changes) -> None:
    """The look is due again when the way is likely to be open: at once where it was our own end"""
    wait(turn, changes, DueKind.LOOK, _outage(turn))


def wait_for_lock(turn: Turn, changes: Changes) -> None:
    """It joins the waiting room when the node's lock has run out"""
    wait(turn, changes, DueKind.RETRY, turn.policy.lock_delay)


def wait_as_deferred(turn: Turn, changes: Changes) -> None:
    """It is asked about again after defer_delay"""
    wait(turn, changes, DueKind.RETRY, retry.spread(turn.policy.defer_delay, turn.event.entropy))


def wait_as_observed(turn: Turn, changes: Changes) -> None:
    """It is read again after observe_delay"""
    wait(turn, changes, DueKind.RETRY, retry.spread(turn.policy.observe_delay, turn.event.entropy))


def wait_after_return(turn: Turn, changes: Changes) -> None:
    """It came back once more, and begins anew after a wait that grows with every return"""
    returns = turn.snapshot.returns + 1
    changes["returns"] = returns
    span = 0 if returns == 1 else retry.before_generation(turn.policy, returns - 1, turn.event.entropy)
    wait(turn, changes, DueKind.RETRY, span)


def retry_at_once(turn: Turn, changes: Changes) -> None:
    """The new generation is due at once"""
    wait(turn, changes, DueKind.RETRY, 0)


def retry_soon(turn: Turn, changes: Changes) -> None:
    """The next try is brought forward to hint_delay from now"""
    wait(turn, changes, DueKind.RETRY, turn.policy.hint_delay)


def due_now(turn: Turn, changes: Changes) -> None:
    """What is awaited is due at once"""
    awaited = turn.snapshot.awaited
    if awaited is not None:
        wait(turn, changes, awaited.kind, 0)


def stop_waiting(turn: Turn, changes: Changes) -> None:
    """The wait is over"""
    changes["awaited"] = None


def looked(turn: Turn, changes: Changes) -> None:
    """The time of this look is noted"""
    changes["looked"] = turn.event.at


def await_shutdown(turn: Turn, changes: Changes) -> None:
    """The step that waits is the shutdown"""
    _plan(turn, changes, Effect.SHUTDOWN)


def await_csr(turn: Turn, changes: Changes) -> None:
    """The step that waits is new_csr"""
    _plan(turn, changes, Effect.NEW_CSR)


def await_configure(turn: Turn, changes: Changes) -> None:
    """The step that waits is configure"""
    _plan(turn, changes, Effect.CONFIGURE)


def await_exchange(turn: Turn, changes: Changes) -> None:
    """The step that waits is exchange_key"""
    _plan(turn, changes, Effect.EXCHANGE_KEY)


def await_restart(turn: Turn, changes: Changes) -> None:
    """The step that waits is the restart"""
    _plan(turn, changes, Effect.RESTART)


# -- partings and looks -----------------------------------------------------------------------------------------------


def parted(turn: Turn, changes: Changes) -> None:
    """The restart or shutdown was sent; the looks that follow start from nothing"""
    snapshot, body = turn.snapshot, turn.event.body
    if isinstance(body, OUTCOMES) and snapshot.doing is not None:
        at = body.sent.at if body.sent else snapshot.doing.since
        changes["parting"] = Parting(at, isinstance(body, Done), snapshot.parting.count + 1)
        changes["looks"] = NO_LOOKS


def count_gone(turn: Turn, changes: Changes) -> None:
    """It was found gone once more over this connection"""
    sent = _sent(turn)
    connection, looks = (sent.connection if sent else ""), turn.snapshot.looks
    again = looks.gone > 0 and looks.connection == connection
    changes["looks"] = Looks(looks.gone + 1 if again else 1, connection, 0)


def count_return(turn: Turn, changes: Changes) -> None:
    """It came back once more"""
    changes["returns"] = turn.snapshot.returns + 1


def count_silence(turn: Turn, changes: Changes) -> None:
    """A look was in vain"""
    changes["looks"] = Looks(0, "", turn.snapshot.looks.silent + 1)


# -- small pieces ------------------------------------------------------------------------------------------------------


def _plan(turn: Turn, changes: Changes, effect: Effect) -> None:
    """Make `effect` the current step without opening it: its first opening comes with its due time."""
    at, entropy = turn.event.at, turn.event.entropy
    changes["doing"] = Doing(effect, 0, 0, turn.event.epoch, 0, at, entropy, at, open=False)


def _outlive(turn: Turn, changes: Changes, name: str, before: Quiet | None) -> None:
    """Wait for the end of what may be alive, which is the snapshot's field of this name."""
    still: Quiet | None = changes.get(name, before)
    longest = turn.event.at + turn.policy.request_life
    if still is not None and still.until > longest:  # the clock went back; nothing lives longer than that
        still = changes[name] = replace(still, until=longest)
    wait(turn, changes, DueKind.STEP, max(still.until - turn.event.at, 0) if still else 0)


def _outage(turn: Turn) -> int:
    body = turn.event.body
    ours = isinstance(body, Failed) and (body.certainty is Certainty.INTERRUPTED or body.reason is Reason.RESTARTED_US)
    return 0 if ours else retry.spread(turn.policy.outage_delay, turn.event.entropy)


def _sent(turn: Turn) -> Sent | None:
    body = turn.event.body
    return body.sent if isinstance(body, OUTCOMES) else None
