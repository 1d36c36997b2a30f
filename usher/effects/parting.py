"""Parting from a node: its restart, or its shutdown.

Rules:
1. Both are sent once for each intent; what became of them is found out by looking, never by sending blindly again.
2. The splay is 1, which makes the node leave 2 s after its answer (wire/provisioning.md §2.2, restart).
"""

from __future__ import annotations

from fsm.effects import Intent
from fsm.events import Ack, Done
from fsm.ports import Outcome, Reply
from fsm.snapshot import Snapshot
from usher.effects import answers
from usher.effects.asking import AGENT, ask
from usher.effects.site import Ports, SiteFacts

_LONGEST_MESSAGE = 200


async def restart(ports: Ports, site: SiteFacts, intent: Intent, snapshot: Snapshot) -> Outcome:
    """Have the node restart into its configuration."""
    return await part(ports, intent, "restart", {"token": site.tokens.of(snapshot), "splay": 1})


async def shutdown(ports: Ports, site: SiteFacts, intent: Intent, snapshot: Snapshot) -> Outcome:
    """Have the node shut down."""
    return await part(ports, intent, "shutdown", {"token": site.tokens.of(snapshot)})


async def part(ports: Ports, intent: Intent, action: str, data: dict[str, object]) -> Outcome:
    """Send what makes a node leave; its words for that are the answer."""

    def learn(reply: Reply) -> Outcome:
        message = answers.legible(answers.text(reply.data, "message"))[:_LONGEST_MESSAGE]
        return Outcome(Done(intent.effect, intent.id, Ack(message), reply.sent))

    return await ask(ports, intent, AGENT, action, data, learn)
