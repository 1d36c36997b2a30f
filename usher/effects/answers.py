"""Answers: what a node's reply means, reduced to an outcome's words.

Rules:
1. A reply is read with the types of the wire; a wrong type is a named outcome, never an exception (law 8).
2. What a refusal means is told by its text as captured (wire/v2-rare.jsonl); an unknown text is `refused`.
3. Nothing that a node says is longer than LONGEST when it is kept, and nothing of it is a control character.
"""

from __future__ import annotations

from typing import Any, Final

from fsm.effects import Intent
from fsm.errors import CallError
from fsm.events import Certainty, Failed, Sent
from fsm.ports import Outcome, Reply
from fsm.reasons import Reason

LONGEST: Final = 500

_REFUSALS: Final = (
    ("Could not obtain provisioning lock", Reason.LOCK_HELD, False),
    ("Incorrect provision token supplied", Reason.WRONG_TOKEN, False),
    ("not in provisioning mode", Reason.NOT_IN_PROVISIONING, False),
    ("could not decrypt private key", Reason.KEY_NOT_DECRYPTED, False),
    ("enables provisioning, restart cannot continue", Reason.CONFIG_KEEPS_PROVISIONING, False),
    ("Provisioning JWT file does not exist", Reason.TOKEN_MISSING, False),
    ("No Provisioning JWT file has been configured", Reason.TOKEN_MISSING, False),
)
"""Text in a refusal of status 1, the reason that it means, whether trying again may help."""
_ABORTED: Final = 1


class WrongShapeError(Exception):
    """A member of a reply is missing or has the wrong type"""

    def __init__(self, member: str, wanted: str, got: object) -> None:
        """Name the member, what it should be and what it is."""
        super().__init__(f"{member} should be {wanted}, it is {type(got).__name__}")


def text(data: dict[str, Any], member: str) -> str:
    """A string member; empty when absent, as the older program's decoder has it (wire/protocol.md §7.3)."""
    value = data.get(member, "")
    if not isinstance(value, str):
        raise WrongShapeError(member, "a string", value)
    return value


def number(data: dict[str, Any], member: str) -> int:
    """A whole number that must be there."""
    value = data.get(member)
    if not isinstance(value, int) or isinstance(value, bool):
        raise WrongShapeError(member, "a whole number", value)
    return value


def legible(words: str) -> str:
    """Somebody else's words, cut and made visible."""
    words = words[:LONGEST]
    if words.isprintable():  # nearly all are: asking once costs a hundredth of asking for each letter
        return words
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in words)


def refused(intent: Intent, reply: Reply) -> Outcome:
    """The outcome of a reply whose status is not 0."""
    words = legible(reply.message)
    if reply.code != _ABORTED:
        return failed(intent, Certainty.REFUSED, Reason.REFUSED, f"{words} ({reply.code})", reply.sent, transient=False)
    for sign, reason, transient in _REFUSALS:
        if sign in reply.message:
            return failed(intent, Certainty.REFUSED, reason, words, reply.sent, transient=transient)
    return failed(intent, Certainty.REFUSED, Reason.REFUSED, words, reply.sent)


def unusable(intent: Intent, reason: Reason, detail: str, sent: Sent | None, *, transient: bool = True) -> Outcome:
    """It happened, and the answer cannot be used."""
    return failed(intent, Certainty.INVALID, reason, detail, sent, transient=transient)


def not_called(intent: Intent, error: CallError) -> Outcome:
    """The outcome of a call that did not succeed."""
    return failed(intent, error.certainty, error.reason, error.detail, error.sent)


def failed(
    intent: Intent,
    certainty: Certainty,
    reason: Reason,
    detail: str,
    sent: Sent | None = None,
    *,
    transient: bool = True,
) -> Outcome:
    """An outcome that is no success."""
    return Outcome(Failed(intent.effect, intent.id, certainty, reason, legible(detail), transient, sent))
