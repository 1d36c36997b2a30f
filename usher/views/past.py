"""The past: one line of a node's history, as the views tell it.

Rules:
1. It is read from what was committed; what an auditor has removed, or a newer usher wrote, is named and never guessed.
2. The sentence of a line is its row's sentence in today's table; a row that is no more has none.
3. Nothing of a blob or of the vault is here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fsm.codec import MalformedError, decode_payload
from fsm.effects import Effect
from fsm.events import Ack, Certainty, Done, Due, Event, Failed, HelperFacts, Operator, Sighting, TokenFacts
from fsm.reasons import Reason
from fsm.states import State
from fsm.table import ROWS
from store.newer import Newer

SENTENCES: Final[dict[str, str]] = {row.name: row.why for row in ROWS}
"""Each row's sentence by its name."""
SAID: Final[dict[Certainty, str]] = {
    Certainty.NOT_SENT: "was not sent",
    Certainty.NOT_DELIVERED: "reached nobody",
    Certainty.REFUSED: "was refused",
    Certainty.INVALID: "got an answer that cannot be used",
    Certainty.INTERRUPTED: "was interrupted: usher ended, or the way to the node broke",
    Certainty.UNKNOWN: "got no answer",
}
"""How an effect ended, in words."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The effect that a transition closed: how certain, and why; certainty None means that it succeeded."""

    effect: Effect
    tries: int
    certainty: Certainty | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """The effect that a transition opened, which try it was, how far it got, and how certain its end is."""

    effect: Effect | Newer
    tries: int
    status: str
    certainty: Certainty | Newer | None = None
    reason: Reason | Newer | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """One transition. `detail` is who said what, `note` a text beside it, `network` whose policy decided."""

    position: int
    at: int
    epoch: int
    generation: int
    seq: int
    event: str
    row: str
    source: State | Newer
    target: State | Newer
    ended: Ended | None = None
    opened: Opened | None = None
    detail: str = ""
    note: str = ""
    network: str = ""

    @property
    def sentence(self) -> str:
        """Why the row applied; empty for a row that today's table does not have."""
        return SENTENCES.get(self.row, "")

    @property
    def moved(self) -> bool:
        """Whether the state changed."""
        return self.source != self.target


@dataclass(frozen=True, slots=True)
class Read:
    """What a payload says beside the envelope."""

    ended: Ended | None = None
    detail: str = ""
    note: str = ""


def read(payload: bytes | None) -> Read:
    """What is told of a history row's payload; never raises."""
    if payload is None:
        return Read(detail="(the payload was removed)")
    try:
        event, note = decode_payload(payload)
    except MalformedError as error:
        return Read(detail=f"(the payload cannot be read: {error.key} {error.detail})")
    return Read(_ended(event), _detail(event), note)


def _ended(event: Event) -> Ended | None:
    body = event.body
    match body:
        case Done():
            return Ended(body.effect, body.id.tries)
        case Failed():
            return Ended(body.effect, body.id.tries, body.certainty, body.reason)
        case _:
            return None


def _detail(event: Event) -> str:
    match event.body:
        case Failed(detail=detail):
            return detail
        case Operator(name=name, reason=reason):
            return f"{name}: {reason}"
        case Due(at=at) if at:
            late = max(event.at - at, 0)
            return f"{late // 1000} s late" if late >= 1000 else ""
        case Done(facts=facts):
            return _learnt(facts)
        case _:
            return ""


def _learnt(facts: object) -> str:
    match facts:
        case HelperFacts(verdict=verdict, message=message):
            return f"{verdict.value}: {message}" if message else verdict.value
        case TokenFacts(warning=warning):
            return warning
        case Ack(message=message):
            return message
        case Sighting(present=False):
            return "nobody there"
        case Sighting(age=age):
            return f"there, its process is {age // 1000} s old"
        case _:
            return ""
