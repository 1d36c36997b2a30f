"""Discretion: what a node says in its own words is kept without the secrets that usher knows of.

Rules:
1. It is the last that happens to an outcome, so no effect can forget it.
2. Known are the site's own secrets, and of this generation the token's claims and the configuration, but what is
   harmless by its name (usher.harmless); what looks like a token or a private key goes as well.
3. Only nodes have words here: what helpers say is sealed, and what usher says of them quotes nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from fsm.effects import SPECS, TO_NODES
from fsm.events import Ack, CsrFacts, Failed, InventoryFacts, JwtFacts, KeyFacts
from fsm.frozen import evolve
from fsm.ports import Outcome
from fsm.snapshot import Snapshot
from helpers.redact import redact
from usher.effects.hand import FactsLostError, Hand, Name
from usher.effects.site import SiteFacts
from usher.harmless import Section

_WORDS: Final[dict[type, str]] = {
    Failed: "detail",
    Ack: "message",
    KeyFacts: "directory",
    CsrFacts: "directory",
    JwtFacts: "jti",
    InventoryFacts: "version",
}
"""The fields that hold a node's own words."""


def discreet(outcome: Outcome, site: SiteFacts, hand: Hand, snapshot: Snapshot) -> Outcome:
    """The same outcome, the node's words in it without what is secret."""
    body = outcome.body
    if SPECS[body.effect].port not in TO_NODES:
        return outcome
    holder = body if isinstance(body, Failed) else body.facts
    field = _WORDS.get(type(holder), "")
    said = getattr(holder, field) if field else ""
    clean = redact(said, known(site, hand, snapshot)) if said else said
    if clean == said:
        return outcome
    changed = evolve(holder, {field: clean})
    return replace(outcome, body=changed if isinstance(changed, Failed) else evolve(body, {"facts": changed}))


def known(site: SiteFacts, hand: Hand, snapshot: Snapshot) -> Iterator[str]:
    """The secrets of the site, and those that are held of this generation of the node."""
    yield from site.secrets
    facts = snapshot.facts
    try:
        if facts.jwt is not None:  # what no fact speaks of is not held, and asking the database costs most
            yield from site.harmless.secrets(Section.CLAIMS, hand.find(snapshot, Name.CLAIMS))
        if facts.helper is None:
            return
        reply = hand.find(snapshot, Name.REPLY)
    except FactsLostError:
        return
    yield from site.harmless.secrets(Section.CONFIGURATION, reply["configuration"])
    yield from site.harmless.secrets(Section.SERVER_CLAIMS, reply["server_claims"])
