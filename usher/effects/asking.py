"""Asking a node: one request of an effect, and what its answer comes to.

Rules:
1. Requests that change the node, or have it make a half of a secret, live 30 s at most, so that what has to be waited
   for is bounded (design §4); the others 60 s.
2. A call's failure, a refusal and a wrong shape each become an outcome here, once for all effects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from fsm.effects import SPECS, Intent, Port
from fsm.errors import CallError, TokenError
from fsm.pairing import PAIRS
from fsm.ports import Outcome, Reply, Request
from fsm.reasons import Reason
from usher.effects import answers
from usher.effects.answers import WrongShapeError
from usher.effects.site import Ports

AGENT: Final = "choria_provision"
UTILITY: Final = "rpcutil"
TIMEOUTS: Final[Mapping[str, float]] = {AGENT: 22.0, UTILITY: 4.0}
"""Seconds: the agent's own timeout and 2 for the way (wire/protocol.md §7.3)."""
CHANGING_TTL: Final = 30
READING_TTL: Final = 60


async def ask(
    ports: Ports, intent: Intent, agent: str, action: str, data: Mapping[str, object], learn: Callable[[Reply], Outcome]
) -> Outcome:
    """Send one request; `learn` reduces an answer of status 0 and may raise WrongShapeError or TokenError."""
    leaves = SPECS[intent.effect].changes_node or intent.effect in PAIRS
    ttl = CHANGING_TTL if leaves else READING_TTL
    request = Request(intent.id.node, agent, action, data, ttl, TIMEOUTS[agent], leaves)
    port = ports.fleet if SPECS[intent.effect].port is Port.FLEET else ports.rpc
    try:
        reply = await port.call(request)
    except CallError as error:
        return answers.not_called(intent, error)
    if reply.code != 0:
        return answers.refused(intent, reply)
    try:
        return learn(reply)
    except WrongShapeError as error:
        return answers.unusable(intent, Reason.BAD_REPLY, str(error), reply.sent)
    except TokenError as error:
        transient = error.reason in {Reason.KEY_INVALID, Reason.PROOF_INVALID}
        return answers.unusable(intent, error.reason, error.detail, reply.sent, transient=transient)
