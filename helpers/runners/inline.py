"""The helper as a function in this process, for benchmarks, tests and sites that embed usher: it costs nothing.

Rules:
1. The function is given what a program would be given, and answers what a program's answer would decode to.
2. Whatever the function raises is a HelperError: nothing else crosses the port, and what it says is kept apart.
"""

from __future__ import annotations

from collections.abc import Callable

from fsm.errors import HelperError
from fsm.ports import HelperCall, HelperReply
from fsm.reasons import Reason
from helpers.redact import visible


class InlineHelper:
    """Asks a function; implements `fsm.ports.Helper`."""

    def __init__(self, function: Callable[[HelperCall], HelperReply]) -> None:
        """Hold the function; it must not block."""
        self._function = function

    async def run(self, call: HelperCall) -> HelperReply:
        """Ask it; raises HelperError."""
        try:
            return self._function(call)
        except HelperError:
            raise
        except Exception as error:  # noqa: BLE001 whatever a site's function raises is its failure, not ours
            raise HelperError(Reason.HELPER_FAILED, f"it raised {type(error).__name__}", visible(str(error))) from None
