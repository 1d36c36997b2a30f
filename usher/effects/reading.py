"""Reading a node: its provisioning token, its inventory, and whether it is there.

Rules:
1. A token is verified before anything of it is kept; what is kept of it goes to the vault.
2. An inventory is kept as the helper will see it: as the older program writes it, bounded in size.
3. A look reduces to one fact: nobody, or a process of this age.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

from fsm.effects import Intent
from fsm.events import Certainty, Done, Failed, InventoryFacts, JwtFacts, Sighting
from fsm.frozen import evolve
from fsm.ports import Outcome, Reply
from fsm.reasons import Reason
from fsm.snapshot import Snapshot
from helpers.gojson import GoJsonError
from helpers.protocol import inventory_text
from usher.effects import answers
from usher.effects.answers import WrongShapeError
from usher.effects.asking import AGENT, UTILITY, ask
from usher.effects.hand import Name
from usher.effects.site import Ports, SiteFacts
from usher.effects.tokens import Offer

LARGEST_INVENTORY: Final = 512 * 1024
LONGEST_VERSION: Final = 64
OLDEST: Final = 1 << 53
"""Milliseconds: an age that any JSON document holds exactly."""


async def fetch_jwt(ports: Ports, site: SiteFacts, intent: Intent, snapshot: Snapshot) -> Outcome:
    """Read and verify the node's provisioning token, with the first of the site's tokens that the node takes.

    A refused token is an answer of the node: it has changed nothing and nothing of it is alive, so the next is sent in
    the same opening (fsm.effects, `each_token`). The lock is taken before the token is looked at, by us each time.
    """
    offers = site.tokens.offers_for(snapshot)
    for offer in offers:
        outcome = await _fetch_jwt(ports, intent, snapshot, offer)
        body = outcome.body
        if not isinstance(body, Failed) or body.reason is not Reason.WRONG_TOKEN:
            many = len(offers) > 1 and isinstance(body, Done)
            return replace(outcome, note=f"let in with token {offer.position} of {len(offers)}") if many else outcome
    if len(offers) == 1 or not isinstance(body, Failed):
        return outcome
    return replace(outcome, body=evolve(body, {"detail": f"{body.detail} ({len(offers)} tokens were tried)"}))


async def _fetch_jwt(ports: Ports, intent: Intent, snapshot: Snapshot, offer: Offer) -> Outcome:
    def learn(reply: Reply) -> Outcome:
        token = answers.text(reply.data, "jwt").strip()
        if not token:
            return answers.unusable(intent, Reason.TOKEN_MISSING, "the reply has no token", reply.sent, transient=False)
        verified = ports.verifier.provisioning_token(token, ports.clock.wall())
        digest = sha256(token.encode()).hexdigest()
        jti = answers.legible(verified.jti)[:LONGEST_VERSION]
        facts = JwtFacts(digest, jti, verified.provisions_by_default, offer.mark)
        kept = ports.hand.keep(snapshot, Name.CLAIMS, verified.claims)
        return Outcome(Done(intent.effect, intent.id, facts, reply.sent), secrets=(kept,))

    return await ask(ports, intent, AGENT, "jwt", {"token": offer.text}, learn)


async def fetch_inventory(ports: Ports, intent: Intent) -> Outcome:
    """Read what the node is."""

    def learn(reply: Reply) -> Outcome:
        data = _as_the_helper_sees_it(reply.data)
        if len(data) > LARGEST_INVENTORY:
            detail = f"{len(data)} bytes, at most {LARGEST_INVENTORY} are taken"
            return answers.unusable(intent, Reason.REPLY_TOO_LARGE, detail, reply.sent, transient=False)
        if not isinstance(reply.data.get("version"), str):
            raise WrongShapeError("version", "a string", reply.data.get("version"))
        blob = ports.hand.keep_blob(data)
        version = answers.legible(reply.data["version"])[:LONGEST_VERSION]
        facts = InventoryFacts(blob.digest, version, reply.data.get("upgradable") is True)
        return Outcome(Done(intent.effect, intent.id, facts, reply.sent), blobs=(blob,))

    return await ask(ports, intent, UTILITY, "inventory", {}, learn)


def _as_the_helper_sees_it(inventory: dict[str, Any]) -> bytes:
    try:
        return inventory_text(inventory).encode()
    except GoJsonError as error:
        raise WrongShapeError("inventory", error.detail, inventory) from None


async def look(ports: Ports, intent: Intent) -> Outcome:
    """Find out whether somebody is there, and how old the process is."""

    def learn(reply: Reply) -> Outcome:
        started = answers.number(reply.data, "starttime")
        age = min(max(reply.time_ns // 1_000_000 - started * 1000, 0), OLDEST)
        return Outcome(Done(intent.effect, intent.id, Sighting(present=True, age=age), reply.sent))

    outcome = await ask(ports, intent, UTILITY, "daemon_stats", {}, learn)
    body = outcome.body
    if isinstance(body, Failed) and body.certainty is Certainty.NOT_DELIVERED:
        return Outcome(Done(intent.effect, intent.id, Sighting(present=False), body.sent))
    return outcome
