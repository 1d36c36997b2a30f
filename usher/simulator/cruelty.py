"""The cruelties of nodes: what a machine may do that no honest server does, each with a name and a sentence.

Rules:
1. A name never changes its meaning: profiles name it, and docs/simulator.md says what usher makes of it.
2. A cruelty is played beside the honest machine, as a pure transformation of what that did.
3. Parameters are few, and only those that a cruelty looks at are taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Cruelty(Enum):
    """What a node does to usher."""

    CRASH_AFTER_JWT = "crash-after-jwt"
    CRASH_AFTER_KEY = "crash-after-key"
    CRASH_AFTER_CONFIGURE = "crash-after-configure"
    CRASH_AFTER_RESTART = "crash-after-restart"
    EXEC_IGNORED = "exec-ignored"
    EXEC_DIES = "exec-dies"
    WRONG_KEY = "wrong-key"
    NEW_DISK_AFTER_KEY = "new-disk-after-key"
    NEW_DISK_LATER = "new-disk-later"
    HOLDS_LOCK = "holds-lock"
    LIES_SENDER = "lies-sender"
    LIES_REQUEST = "lies-request"
    LIES_TOKEN = "lies-token"  # noqa: S105 a name, no secret
    LIES_KEY = "lies-key"
    LIES_SIGNATURE = "lies-signature"
    LIES_VERSION = "lies-version"
    INVENTORY_MISSHAPEN = "inventory-misshapen"
    INVENTORY_HUGE = "inventory-huge"
    INVENTORY_SWELLS = "inventory-swells"
    INVENTORY_CONTROLS = "inventory-controls"
    INVENTORY_DEEP = "inventory-deep"
    NOT_JSON = "not-json"
    NOT_CHORIA = "not-choria"
    AGE_FUTURE = "age-future"
    AGE_PAST = "age-past"
    AGE_NEGATIVE = "age-negative"
    AGE_WORD = "age-word"
    TWIN = "twin"
    FLOOD_DISCOVERY = "flood-discovery"
    FLOOD_EVENTS = "flood-events"
    FLOOD_REPLIES = "flood-replies"
    WILDCARD_SILENT = "wildcard-silent"
    WILDCARD_ANSWERS = "wildcard-answers"
    WILDCARD_FORGES = "wildcard-forges"


WHAT: Final[Mapping[Cruelty, str]] = {
    Cruelty.CRASH_AFTER_JWT: "its process dies when it has read its token, says nothing, and comes back",
    Cruelty.CRASH_AFTER_KEY: "its process dies when it has written its key, says nothing, and comes back",
    Cruelty.CRASH_AFTER_CONFIGURE: "its process dies when it is configured, says nothing, and comes back",
    Cruelty.CRASH_AFTER_RESTART: "its process dies at the restart instead of answering, and comes back",
    Cruelty.EXEC_IGNORED: "it acknowledges the restart, and nothing happens",
    Cruelty.EXEC_DIES: "it acknowledges the restart, its process ends, and none comes back",
    Cruelty.WRONG_KEY: "it answers with one key and writes another",
    Cruelty.NEW_DISK_AFTER_KEY: "it vanishes when it has made its key, and returns with an empty disk",
    Cruelty.NEW_DISK_LATER: "it vanishes when it is provisioned, and returns with an empty disk",
    Cruelty.HOLDS_LOCK: "it always says that another provisioner holds its lock",
    Cruelty.LIES_SENDER: "its answers are in another name",
    Cruelty.LIES_REQUEST: "its answers name another request",
    Cruelty.LIES_TOKEN: "it shows a token that nobody signed",
    Cruelty.LIES_KEY: "its public key is a byte too short",
    Cruelty.LIES_SIGNATURE: "its signature of the nonce is not its key's",
    Cruelty.LIES_VERSION: "its version is a list",
    Cruelty.INVENTORY_MISSHAPEN: "its inventory is a list",
    Cruelty.INVENTORY_HUGE: "its inventory is larger than a message may be, and never arrives",
    Cruelty.INVENTORY_SWELLS: "its inventory is six times as large in the helper's JSON",
    Cruelty.INVENTORY_CONTROLS: "its facts and its version move the cursor, ring the bell and end the line",
    Cruelty.INVENTORY_DEEP: "its inventory is an object in an object, twenty thousand deep",
    Cruelty.NOT_JSON: "what its agents answer is no JSON",
    Cruelty.NOT_CHORIA: "its replies are bytes, and no Choria message",
    Cruelty.AGE_FUTURE: "it ignores the restart, and says that its process starts tomorrow",
    Cruelty.AGE_PAST: "it ignores the restart, and says that its process has run since 1970",
    Cruelty.AGE_NEGATIVE: "it ignores the restart, and says that its process began before 1970",
    Cruelty.AGE_WORD: "it ignores the restart, and says in words when its process began",
    Cruelty.TWIN: "it is two machines with one name, and both answer",
    Cruelty.FLOOD_DISCOVERY: "it answers a discovery with many more names, which nobody has",
    Cruelty.FLOOD_EVENTS: "it says each second that many servers start, which nobody has",
    Cruelty.FLOOD_REPLIES: "it answers many times, and answers what nobody asked",
    Cruelty.WILDCARD_SILENT: "it listens to everything and says nothing: the broker never says that nobody is there",
    Cruelty.WILDCARD_ANSWERS: "it listens to everything and answers for others in its own name; it ignores the restart",
    Cruelty.WILDCARD_FORGES: "it listens to everything and answers for others in their names; it ignores the restart",
}
"""What each does, a sentence each."""

KEYING: Final = frozenset({"gen25519", "gencsr"})
"""The actions that make a key."""
CRASHES: Final[Mapping[Cruelty, frozenset[str]]] = {
    Cruelty.CRASH_AFTER_JWT: frozenset({"jwt"}),
    Cruelty.CRASH_AFTER_KEY: KEYING,
    Cruelty.CRASH_AFTER_CONFIGURE: frozenset({"configure"}),
    Cruelty.CRASH_AFTER_RESTART: frozenset({"restart"}),
}
"""The actions after which the process dies."""
FLOODS: Final = frozenset({Cruelty.FLOOD_DISCOVERY, Cruelty.FLOOD_EVENTS, Cruelty.FLOOD_REPLIES})
WILDCARDS: Final = frozenset({Cruelty.WILDCARD_SILENT, Cruelty.WILDCARD_ANSWERS, Cruelty.WILDCARD_FORGES})
RETURNS: Final = frozenset({*CRASHES, Cruelty.NEW_DISK_AFTER_KEY, Cruelty.NEW_DISK_LATER})


@dataclass(frozen=True, slots=True)
class Part:
    """What a node plays.

    `away`: seconds until it returns, `times`: how often it does that before it is honest (both of RETURNS); `many`: how
    many names or answers more (of FLOODS).
    """

    cruelty: Cruelty
    away: float = 1.0
    times: int = 1
    many: int = 100

    def __str__(self) -> str:
        """Its name, and the parameters that it looks at."""
        told = self.cruelty.value
        if self.cruelty in RETURNS:
            told += f" ({'once' if self.times == 1 else f'{self.times} times'}, away {self.away:g} s)"
        return told + (f" ({self.many})" if self.cruelty in FLOODS else "")
