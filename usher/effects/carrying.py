"""Carrying a helper's private key to the node: the shared secret, and the key wrapped with it.

Rules (wire/provisioning.md §2.3):
1. The node's half is fetched when it is needed, since each `jwt` makes another; whoever answers must show the token
   that was verified before.
2. The secret and what it wrapped are sealed: configure repeats the same bytes, and no later step draws anything.
3. Without the token's step nobody knows who answers, so a key is not carried then, as in the older program.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from fsm.effects import Intent
from fsm.errors import TokenError
from fsm.events import Certainty, Done, PairFacts, WrapFacts
from fsm.ports import Outcome, Reply
from fsm.reasons import Reason
from fsm.snapshot import Snapshot
from usher.effects import answers
from usher.effects.asking import AGENT, ask
from usher.effects.hand import Name
from usher.effects.site import Ports, SiteFacts

TOLD: Final = 16
_OTHER = "whoever answers now shows another token than the one that was verified: it may be another machine"


async def exchange_key(ports: Ports, site: SiteFacts, intent: Intent, snapshot: Snapshot) -> Outcome:
    """Have the node make a new half, and draw ours against it."""
    known = snapshot.facts.jwt.digest if snapshot.facts.jwt else ""

    def learn(reply: Reply) -> Outcome:
        token, theirs = answers.text(reply.data, "jwt").strip(), answers.text(reply.data, "ecdh_public")
        if sha256(token.encode()).hexdigest() != known:
            return answers.failed(intent, Certainty.NOT_SENT, Reason.FACTS_LOST, _OTHER)
        made = ports.transport.exchange(theirs)
        facts = PairFacts(theirs.lower()[:TOLD], made.ours[:TOLD])
        kept = ports.hand.keep(snapshot, Name.SECRET, {"ours": made.ours, "secret": made.secret.hex()})
        return Outcome(Done(intent.effect, intent.id, facts, reply.sent), secrets=(kept,))

    return await ask(ports, intent, AGENT, "jwt", {"token": site.tokens.of(snapshot)}, learn)


def wrap_key(ports: Ports, intent: Intent, snapshot: Snapshot) -> Outcome:
    """Encrypt the helper's key with the secret that the node has too."""
    reply, pair = ports.hand.find_reply(snapshot), ports.hand.find(snapshot, Name.SECRET)
    try:
        wrapped = ports.transport.wrap(reply.key, bytes.fromhex(pair["secret"]))
    except TokenError as error:
        return answers.failed(intent, Certainty.REFUSED, error.reason, error.detail, transient=False)
    kept = ports.hand.keep(snapshot, Name.WRAPPED, {"key": wrapped, "ecdh_public": pair["ours"]})
    digest = sha256(wrapped.encode()).hexdigest()
    return Outcome(Done(intent.effect, intent.id, WrapFacts(digest)), secrets=(kept,))
