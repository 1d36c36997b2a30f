"""The words of the control socket: one JSON line asks, one JSON line answers.

Before the answer to `database` lines may come that only say that its job goes on: {"working": "in words"}.

Rules:
1. A request that cannot be used is answered with what is wrong with it; it never ends the daemon.
2. Whoever changes something gives a reason; who it is, the kernel says and not the request.
3. One request names at most MOST nodes: a larger fleet is asked for in pieces, which the client does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import orjson

from fsm.errors import ProblemError
from fsm.events import Verb
from fsm.identity import is_safe

LONGEST_LINE: Final = 1024 * 1024
LONGEST_REASON: Final = 500
MOST: Final = 2000


class Command(StrEnum):
    """What can be asked."""

    STATUS = "status"
    PAUSE = "pause"
    RESUME = "resume"
    NODES = "nodes"
    DATABASE = "database"
    HEARD = "heard"
    PLAN = "plan"
    DISCOVER = "discover"


_NAMING: Final = frozenset({Command.NODES, Command.HEARD, Command.PLAN})
"""What names nodes."""
_UNASKED: Final = frozenset({Command.STATUS, Command.DATABASE, Command.HEARD, Command.DISCOVER})
"""What needs no reason; a job says itself whether it needs one."""


_ARGUED: Final = frozenset({Command.DATABASE, Command.PLAN, Command.DISCOVER})
"""What has arguments."""


class AskError(ProblemError):
    """The request cannot be used"""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request; `verb` belongs to NODES, and `nodes` to it, HEARD and PLAN.

    `job` and `arguments` are of DATABASE (usher.database.jobs), `arguments` of PLAN (usher.demand.plan) and of DISCOVER
    (usher.demand.searching) too; `plan` and
    `force` go with a NODES that asks something of the fleet (fsm.events.Operator).
    """

    command: Command
    reason: str = ""
    verb: Verb | None = None
    nodes: tuple[str, ...] = ()
    job: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    plan: int = 0
    force: bool = False

    def encode(self) -> bytes:
        """The line."""
        document: dict[str, Any] = {"command": self.command, "reason": self.reason}
        if self.command is Command.NODES:
            document |= {"verb": self.verb, "plan": self.plan, "force": self.force}
        if self.command in _NAMING:
            document |= {"nodes": self.nodes}
        if self.command in _ARGUED:
            document |= {"job": self.job, "arguments": dict(self.arguments)}
        return orjson.dumps(document) + b"\n"


def decode(line: bytes) -> Ask:
    """A request from its line; raises AskError."""
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise AskError(f"the request is no JSON document: {error}") from None
    if not isinstance(document, dict):
        raise AskError("the request is no JSON object")
    command = _one_of(Command, document.get("command"), "command")
    verb = _one_of(Verb, document.get("verb"), "verb") if command is Command.NODES else None
    if verb is Verb.TAKEOVER:
        raise AskError("takeover is usher's own: it is told to nodes when an election was won")
    reason = document.get("reason", "")
    if not isinstance(reason, str) or len(reason) > LONGEST_REASON:
        raise AskError(f"the reason must be text of at most {LONGEST_REASON} characters")
    if command not in _UNASKED and not reason.strip():
        raise AskError("a reason is needed: say --reason why")
    job, arguments = _job(document) if command in _ARGUED else ("", {})
    plan, force = _insisting(document) if command is Command.NODES else (0, False)
    return Ask(command, reason.strip(), verb, _nodes(document, command), job, arguments, plan, force)


def _job(document: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    job, arguments = document.get("job", ""), document.get("arguments", {})
    if not isinstance(job, str) or not isinstance(arguments, dict):
        raise AskError("job must be a name, and its arguments a JSON object")
    return job, arguments


def _insisting(document: dict[str, Any]) -> tuple[int, bool]:
    plan, force = document.get("plan", 0), document.get("force", False)
    if type(plan) is not int or plan < 0 or type(force) is not bool:
        raise AskError("plan must be a time in milliseconds, and force true or false")
    return plan, force


def _nodes(document: dict[str, Any], command: Command) -> tuple[str, ...]:
    nodes = document.get("nodes", [])
    if command not in _NAMING:
        return ()
    if not isinstance(nodes, list) or not nodes or len(nodes) > MOST:
        raise AskError(f"nodes must be a list of 1 to {MOST} names")
    for node in nodes:
        if not isinstance(node, str) or not is_safe(node):
            raise AskError(f"{node!r:.100} cannot be a node's name")
    return tuple(dict.fromkeys(nodes))


def _one_of(kind: Any, value: object, what: str) -> Any:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(member.value for member in kind)
        raise AskError(f"there is no {what} {value!r:.40}; known are {known}") from None
