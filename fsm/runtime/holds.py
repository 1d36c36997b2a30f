"""Holds: why nothing goes on, and what stands still meanwhile.

Rules:
1. While one reason holds nobody is admitted, nothing comes due, nobody passes a breaker, and nothing new is sent.
2. All goes on when the last reason is released; what is turned back until then names a reason that holds.
3. The way to the broker is its breaker: it is open for as long as there is no way.
"""

from __future__ import annotations

from typing import Final

from fsm.effects import Port
from fsm.reasons import Reason
from fsm.runtime.admission import Admission
from fsm.runtime.executor import Executor
from fsm.runtime.hints import Hints
from fsm.runtime.timers import Timers

_NOTHING_NEW: Final = frozenset({Reason.DISK_FULL, Reason.STOPPING, Reason.STANDBY})
"""While these hold, names from hints stay in their bounded set: a unit each would wait for a commit in memory."""


class Holds:
    """The reasons, and the parts of an engine that they stop."""

    def __init__(self, hints: Hints, admission: Admission, timers: Timers, executor: Executor) -> None:
        """Hold nothing."""
        self._hints, self._admission, self._timers, self._executor = hints, admission, timers, executor
        self._reasons: set[Reason] = set()

    def __contains__(self, reason: Reason) -> bool:
        """Whether this reason holds."""
        return reason in self._reasons

    @property
    def reasons(self) -> frozenset[Reason]:
        """All that hold."""
        return frozenset(self._reasons)

    def hold(self, reason: Reason) -> None:
        """Stop all of it, if it does not stand still already."""
        if reason is Reason.DISCONNECTED and reason not in self._reasons:
            self._executor.breakers.lost(Port.RPC)
        self._reasons.add(reason)
        if reason in _NOTHING_NEW:
            self._hints.shut()
        self._admission.hold()
        self._timers.hold()
        self._executor.breakers.hold()
        self._executor.shut(reason)

    def release(self, reason: Reason) -> None:
        """This reason is over."""
        if reason is Reason.DISCONNECTED and reason in self._reasons:
            self._executor.breakers.found(Port.RPC)
        self._reasons.discard(reason)
        if not self._reasons & _NOTHING_NEW:
            self._hints.open()
        if self._reasons:
            self._executor.shut(min(self._reasons))
            return
        self._executor.open()
        self._executor.breakers.release()
        self._timers.release()
        self._admission.release()
