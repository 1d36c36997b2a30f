"""Subjects: every name that usher publishes to or listens on (wire/protocol.md §5).

Rules:
1. What becomes part of a subject is checked here, by the one rule for names; nothing is escaped or corrected.
2. Subjects are made here and nowhere else.
"""

from __future__ import annotations

import re
from hashlib import md5
from typing import Final

from fsm.errors import UsherError
from fsm.identity import is_safe

COLLECTIVE: Final = "provisioning"
REGISTRATION: Final = "provisioning.registration.data"
FORMER_REGISTRATION: Final = "choria.provisioning_data"
"""What REGISTRATION was called once (wire/provisioning.md §6.6)."""
ELECTION_BUCKET: Final = "CHORIA_LEADER_ELECTION"
ELECTION: Final = "provisioner"
"""The key of the election, which is its name too (§9.2)."""
ELECTION_INFO: Final = f"choria.streams.STREAM.INFO.KV_{ELECTION_BUCKET}"
ELECTION_KEY: Final = f"choria.streams.$KV.{ELECTION_BUCKET}.{ELECTION}"
"""What the provisioning account imports of JetStream, and nothing else (§9.2)."""
HANDOVER: Final = "provisioning.usher.handover"
LEADER: Final = "provisioning.usher.leader"
"""Between ushers alone: nodes may neither publish nor listen below `provisioning.usher` (§6.4)."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,253}")


class UnsafeSubjectError(UsherError):
    """This cannot be part of a subject"""

    def __init__(self, part: str, value: str) -> None:
        """Hold which part it was to be, and its first characters, printable."""
        super().__init__()
        self.part = part
        self.value = ascii(value[:80])


def node(identity: str, collective: str = COLLECTIVE) -> str:
    """Where one server listens: the identity is inserted as it is, dots and all."""
    if not is_safe(identity):
        raise UnsafeSubjectError("identity", identity)
    return f"{_token('collective', collective)}.node.{identity}"


def broadcast(agent: str, collective: str = COLLECTIVE) -> str:
    """Where every server that hosts the agent listens."""
    return f"{_token('collective', collective)}.broadcast.agent.{_token('agent', agent)}"


def reply_prefix(caller: str, collective: str = COLLECTIVE) -> str:
    """What the reply subjects of a caller begin with, the last dot included; the caller is hashed exactly as it is."""
    if not caller:
        raise UnsafeSubjectError("caller", caller)
    return f"{_token('collective', collective)}.reply.{md5(caller.encode(), usedforsecurity=False).hexdigest()}."


def reply(caller: str, request_id: str, collective: str = COLLECTIVE) -> str:
    """Where the answers to one request go."""
    return reply_prefix(caller, collective) + _token("request id", request_id)


def replies(caller: str, collective: str = COLLECTIVE) -> str:
    """All reply subjects of a caller, to subscribe to."""
    return reply_prefix(caller, collective) + "*"


def discovery_prefix(caller: str, instance: str, collective: str = COLLECTIVE) -> str:
    """What the reply subjects of one discoverer begin with; one token deeper, so that `replies` does not match them."""
    return f"{reply_prefix(caller, collective)}{_token('instance', instance)}."


def lifecycle(kind: str, component: str) -> str:
    """Where the lifecycle events of a kind and a component are published (§8)."""
    return f"choria.lifecycle.event.{_token('kind', kind)}.{_token('component', component)}"


def _token(part: str, value: str) -> str:
    if _TOKEN.fullmatch(value) is None:
        raise UnsafeSubjectError(part, value)
    return value
