"""The intake: whom usher takes in, and how many a minute; it may change at any time.

Rules:
1. A name that `identity_deny` has, or an operator's denial (usher.denied), is never asked anything, nor is one that a
   non-empty `identity_allow` has not: it is refused where it is heard of, and counted; who is in flight already goes on
   to its end.
2. A pattern is a regular expression that is looked for anywhere in the name, as those of cert_deny_list are.
3. Nothing is kept of those that are refused: whoever asks about a name is told by the lists that are in use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from fsm.events import Operator, Verb
from fsm.snapshot import Snapshot
from fsm.states import State
from usher.config.site import Site
from usher.denied import Denial, plain

SETTINGS: Final = ("identity_allow", "identity_deny", "max_nodes_per_minute")
"""What it is made of."""
DENIED: Final = "identity_denied"
NOT_ALLOWED: Final = "identity_not_allowed"


class Intake:
    """The lists and the pace that are in use; `on_change` is called when they are others."""

    def __init__(self, site: Site) -> None:
        """Begin with what the site says."""
        self.on_change: Callable[[], None] = lambda: None
        self._said: tuple[object, ...] = ()
        self._denials: tuple[tuple[re.Pattern[str], Denial], ...] = ()
        self.use(site)

    def use(self, site: Site) -> None:
        """Use what this site says from now on."""
        said = (site.max_nodes_per_minute, site.identity_allow, site.identity_deny)
        if said != self._said:
            self._said, self.per_minute = said, site.max_nodes_per_minute
            self._allow, self._deny = _compiled(site.identity_allow), _compiled(site.identity_deny)
            self.on_change()

    def deny(self, denials: Sequence[Denial]) -> None:
        """Refuse these names too from now on, and no others that operators denied before."""
        self._denials = tuple((denial.expression, denial) for denial in denials)
        self.on_change()

    def refuses(self, node: str) -> str:
        """Under which reason this name is refused; empty if it is not."""
        if any(pattern.search(node) for pattern in self._deny) or self._denied(node) is not None:
            return DENIED
        allowed = not self._allow or any(pattern.search(node) for pattern in self._allow)
        return "" if allowed else NOT_ALLOWED

    def why(self, node: str) -> str:
        """Which setting or operator refuses this name, in words; empty if none does."""
        for position, pattern in enumerate(self._deny):
            if pattern.search(node):
                return f"identity_deny[{position}] is {pattern.pattern!r}, which its name has"
        if (denial := self._denied(node)) is not None:
            said = plain(denial.pattern)
            what = "its name" if said == node else f"{said}, which its name has"
            return f"{denial.by} has denied {what} ({denial.reason})"
        return "identity_allow has no pattern that its name has" if self.refuses(node) else ""

    def _denied(self, node: str) -> Denial | None:
        return next((denial for pattern, denial in self._denials if pattern.search(node)), None)

    def document(self, refused: int) -> dict[str, Any]:
        """For the status: null is no limit; `refused` is how many in the waiting room are not taken in."""
        return {
            "max_nodes_per_minute": self.per_minute or None,
            "identity_allow": [pattern.pattern for pattern in self._allow],
            "identity_deny": [pattern.pattern for pattern in self._deny],
            "refused": refused,
        }


def refusal(intakes: Mapping[str, Intake], node: str) -> str:
    """What refuses this name in all of these networks, in words; empty if one of them takes it in."""
    said = {network: intake.why(node) for network, intake in intakes.items()}
    if not all(said.values()):
        return ""
    return "; ".join(f"in {network} {why}" if network else why for network, why in said.items())


def stranded(why: str, snapshot: Snapshot, wish: Operator) -> str:
    """Why a provisioned node is not sent back into provisioning: `why` refuses its name there. Empty if it may be."""
    if not why or wish.force or wish.verb is not Verb.REPROVISION or snapshot.state is not State.PROVISIONED:
        return ""
    return f"it would wait in provisioning mode, where its name is refused: {why}; allow it first, or say --force"


def _compiled(patterns: Sequence[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)


def words(changed: Mapping[str, Any]) -> Iterator[str]:
    """What has changed of it, for people."""
    for name in SETTINGS:
        if name in changed:
            value = changed[name]
            if isinstance(value, int):
                yield f"{name}: {value or 'no limit'}"
            else:
                yield f"{name}: {len(value)} pattern{'' if len(value) == 1 else 's'} from now on"


def lines(intake: Mapping[str, Any] | None, place: str = "intake    ") -> Iterator[str]:
    """The intake of a status, after its place; nothing where everybody is taken in as fast as can be."""
    if not intake:
        return
    said = []
    if intake["max_nodes_per_minute"]:
        said.append(f"at most {intake['max_nodes_per_minute']} a minute")
    said += [f"{name} {' '.join(intake[name])}" for name in SETTINGS[:2] if intake[name]]
    if intake["refused"]:
        said.append(f"{intake['refused']} in the waiting room are refused")
    if said:
        yield f"{place} {', '.join(said)}"
