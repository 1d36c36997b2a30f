"""Enrolling a node: its key or its certificate request, the helper's answer, its token, its configuration.

Rules:
1. A key counts once it is proven over a nonce of ours; a token is made for that key and no other.
2. What the helper answers is checked here before anything is signed or sent: unsafe or empty configurations stop it.
3. What the helper said for people is sealed, whatever it is; only what usher itself knows becomes a detail.
4. configure always carries all ten inputs, empty ones too (wire/provisioning.md §3.6); repeated, the same bytes.
5. A node with a certificate is looked at before it is sent that: another machine under its name would have no key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Final

import orjson

from fsm.certifying import Examined, Supplied
from fsm.effects import Intent
from fsm.errors import HelperError, TokenError
from fsm.events import Ack, Certainty, CsrFacts, Done, Failed, HelperFacts, KeyFacts, Sighting, TokenFacts, Verdict
from fsm.ports import HelperCall, HelperReply, NodeCsr, NodeKey, Outcome, Reply, TokenOrder
from fsm.reasons import Reason
from fsm.snapshot import Snapshot
from fsm.unit import Secret
from security.certificate import certificate_marks
from usher.effects import answers, reading
from usher.effects.asking import AGENT, ask
from usher.effects.hand import Name
from usher.effects.site import Ports, SiteFacts

_NOTHING: Final = Examined()
SEALED: Final = "what it said is sealed: usher nodes output NODE"
_LONGEST_DIRECTORY = 200
_ANOTHER = "another process answers than the one that made the key: it may be another machine"
_KEEPS = 'its configuration does not turn plugin.choria.server.provision off: set it to "false"'


async def new_key(ports: Ports, site: SiteFacts, intent: Intent, snapshot: Snapshot) -> Outcome:
    """Have the node make a key and sign our nonce with it."""
    nonce = intent.nonce()

    def learn(reply: Reply) -> Outcome:
        key, signature = answers.text(reply.data, "public_key"), answers.text(reply.data, "signature")
        directory = answers.text(reply.data, "directory")
        ports.verifier.proof(key, signature, nonce)
        facts = KeyFacts(key.lower(), answers.legible(directory)[:_LONGEST_DIRECTORY])
        proof = {"public_key": key, "directory": directory, "signature": signature}
        kept = ports.hand.keep(snapshot, Name.PROOF, proof)
        return Outcome(Done(intent.effect, intent.id, facts, reply.sent), secrets=(kept,))

    return await ask(ports, intent, AGENT, "gen25519", {"token": site.tokens.of(snapshot), "nonce": nonce}, learn)


async def new_csr(ports: Ports, site: SiteFacts, intent: Intent, snapshot: Snapshot) -> Outcome:
    """Have the node make a key and a certificate request for it (wire/provisioning.md §2.2, §3.6 steps 5 and 6).

    Each time that the node carries it out it makes another key: the machine opens it only when quiet.
    """

    def learn(reply: Reply) -> Outcome:
        csr, public_key = answers.text(reply.data, "csr"), answers.text(reply.data, "public_key")
        directory = answers.text(reply.data, "ssldir")
        checked = ports.requests.certificate_request(csr, public_key, intent.id.node)
        legible, checks = answers.legible(directory)[:_LONGEST_DIRECTORY], " ".join(checked.checks)
        facts = CsrFacts(checked.digest, checked.fingerprint, legible, checks)
        kept = ports.hand.keep(snapshot, Name.CSR, {"csr": csr, "public_key": public_key, "ssldir": directory})
        note = answers.legible("; ".join(checked.warnings))
        return Outcome(Done(intent.effect, intent.id, facts, reply.sent), secrets=(kept,), note=note)

    return await ask(ports, intent, AGENT, "gencsr", {"token": site.tokens.of(snapshot), "cn": intent.id.node}, learn)


async def run_helper(ports: Ports, site: SiteFacts, intent: Intent, snapshot: Snapshot) -> Outcome:
    """Ask the site what the node's configuration shall be."""
    try:
        reply = await ports.helper.run(helper_call(ports, site, intent, snapshot))
    except HelperError as error:
        said = _spoken(stderr=error.stderr, stdout=error.stdout)
        outcome = answers.failed(intent, Certainty.REFUSED, error.reason, _sealed(error.detail, said), transient=False)
        return replace(outcome, secrets=(_entry(ports, snapshot, said),))
    if site.inject:
        reply = replace(reply, configuration=ports.rules.inject(reply.configuration))
    verdict, examined = _verdict(reply), _NOTHING
    try:
        if verdict is Verdict.CONFIGURE:
            examined = _examined(ports, snapshot, reply)
    except TokenError as error:
        said = _spoken(stderr=reply.stderr, msg=reply.msg)
        outcome = answers.unusable(intent, error.reason, _sealed(error.detail, said), None, transient=False)
        return replace(outcome, secrets=(_entry(ports, snapshot, said),))
    said = _spoken(stderr=reply.stderr, msg="" if verdict is Verdict.CONFIGURE else reply.msg)
    kept, digest = ports.hand.keep_reply(snapshot, reply)
    default = snapshot.facts.jwt.provisions_by_default if snapshot.facts.jwt else True
    keeps = verdict is Verdict.CONFIGURE and ports.rules.keeps(reply.configuration, default)
    message, checks = _KEEPS if keeps else _sealed("", said), " ".join(examined.checks)
    carries = verdict is Verdict.CONFIGURE and reply.key != ""
    facts = HelperFacts(digest, verdict, message, keeps, carries, checks, *_marks(reply))
    silent = verdict is Verdict.CONFIGURE and not said  # nearly every node: nobody will ask what it did not say
    secrets = (kept,) if silent else (kept, _entry(ports, snapshot, said))
    note = answers.legible("; ".join(examined.warnings))
    return Outcome(Done(intent.effect, intent.id, facts), secrets=secrets, note=note)


def _marks(reply: HelperReply) -> tuple[str, str, int]:
    """Serial, digest and end of the certificate that it brought, so that the audit finds who has it; else nothing."""
    marks = certificate_marks(reply.certificate) if reply.certificate else None
    return (marks.serial, marks.digest, marks.ends) if marks is not None else ("", "", 0)


def _spoken(**streams: str) -> dict[str, str]:
    return {name: text for name, text in streams.items() if text}


def _entry(ports: Ports, snapshot: Snapshot, said: Mapping[str, str]) -> Secret:
    """The entry of what the helper said for people; an empty one takes the place of what it said before."""
    return ports.hand.seal(snapshot, Name.OUTPUT, {"at": ports.clock.now(), **said})


def _sealed(detail: str, said: Mapping[str, str]) -> str:
    """What usher knows, and where the helper's own words are: they cannot be told from secrets."""
    return "; ".join(part for part in (detail, SEALED if said else "") if part)


def helper_call(ports: Ports, site: SiteFacts, intent: Intent, snapshot: Snapshot) -> HelperCall:
    """What the helper is given (wire/provisioning.md §4), and the effect's identity in its environment."""
    facts, identity = snapshot.facts, intent.id
    inventory = ports.hand.find_blob(facts.inventory.digest).decode() if facts.inventory else ""
    key = NodeKey(**ports.hand.find(snapshot, Name.PROOF)) if facts.key else None
    csr = NodeCsr(**ports.hand.find(snapshot, Name.CSR)) if facts.csr else None
    claims = ports.hand.find(snapshot, Name.CLAIMS) if facts.jwt else None
    environment = {
        "USHER_EFFECT_ID": f"{site.lineage}/{identity.node}/{identity.generation}/{identity.seq}",
        "USHER_NODE": identity.node,
        "USHER_GENERATION": str(identity.generation),
        "USHER_EPOCH": str(identity.epoch),
        "USHER_TRY": str(identity.tries),
    }
    return HelperCall(identity.node, inventory, key, claims, environment, csr)


def sign_token(ports: Ports, intent: Intent, snapshot: Snapshot) -> Outcome:
    """Make the node's server token; the same intent gives the same bytes."""
    reply = ports.hand.find_reply(snapshot)
    key = snapshot.facts.key.public_key if snapshot.facts.key else ""
    order = TokenOrder(intent.id.node, key, intent.at, intent.entropy, reply.server_claims, reply.configuration)
    try:
        token = ports.signer.server_token(order)
    except TokenError as error:
        transient = error.reason is Reason.SIGNER_UNUSABLE
        return answers.failed(intent, Certainty.REFUSED, error.reason, error.detail, transient=transient)
    digest = sha256(token.text.encode()).hexdigest()
    warning, checks = answers.legible("; ".join(token.warnings))[:200], " ".join(token.checks)
    facts = TokenFacts(token.jti, digest, token.expires, token.signer, warning, checks)
    kept = ports.hand.keep(snapshot, Name.TOKEN, {"token": token.text})
    return Outcome(Done(intent.effect, intent.id, facts), secrets=(kept,))


async def configure(ports: Ports, site: SiteFacts, intent: Intent, snapshot: Snapshot) -> Outcome:
    """Give the node its configuration and its token, or its certificate, and the key if the helper supplied one."""
    if snapshot.facts.csr is not None and (missing := await _missing(ports, intent, snapshot)) is not None:
        return missing
    reply = ports.hand.find_reply(snapshot)
    token = ports.hand.find(snapshot, Name.TOKEN)["token"] if snapshot.facts.token else ""
    wrapped = ports.hand.find(snapshot, Name.WRAPPED) if snapshot.facts.wrap else {"key": "", "ecdh_public": ""}
    configuration = orjson.dumps(dict(reply.configuration), option=orjson.OPT_SORT_KEYS).decode()
    data: dict[str, object] = {
        "token": site.tokens.of(snapshot),
        "config": configuration,
        "certificate": reply.certificate,
        "ca": reply.ca,
        "ssldir": _directory(ports, snapshot, reply),
        **wrapped,
        "server_jwt": token,
        "action_policies": dict(reply.action_policies),
        "opa_policies": dict(reply.opa_policies),
    }
    digest = sha256(orjson.dumps(data, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def learn(answer: Reply) -> Outcome:
        message = answers.legible(answers.text(answer.data, "message"))[:200]
        return Outcome(Done(intent.effect, intent.id, Ack(message, digest), answer.sent))

    return await ask(ports, intent, AGENT, "configure", data, learn)


async def _missing(ports: Ports, intent: Intent, snapshot: Snapshot) -> Outcome | None:
    """Why the node that made the key is not there any more; None if it is (docs/decisions/0015).

    A process that is younger than what was learnt of the node may be another machine, without its disk. A node with a
    token would find that out by itself at its start; one with a certificate for a key that it does not have is dead.
    """
    outcome = await reading.look(ports, intent)
    body = outcome.body
    if isinstance(body, Failed) or not isinstance(body.facts, Sighting) or body.sent is None:
        return outcome
    if not body.facts.present:
        return answers.failed(intent, Certainty.NOT_DELIVERED, Reason.ABSENT, "nobody is there", body.sent)
    if body.facts.age < body.sent.at - snapshot.facts.at:
        return answers.failed(intent, Certainty.NOT_SENT, Reason.FACTS_LOST, _ANOTHER)
    return None


def _verdict(reply: HelperReply) -> Verdict:
    """Deferring wins over everything, a shutdown over the rest (wire/provisioning.md §4)."""
    if reply.defer:
        return Verdict.DEFER
    return Verdict.SHUTDOWN if reply.shutdown else Verdict.CONFIGURE


def _directory(ports: Ports, snapshot: Snapshot, reply: HelperReply) -> str:
    """Where the node keeps its certificate: as it said beside its request, else as the helper says (§3.6)."""
    said: str = ports.hand.find(snapshot, Name.CSR)["ssldir"] if snapshot.facts.csr else reply.ssldir
    return said


def _examined(ports: Ports, snapshot: Snapshot, reply: HelperReply) -> Examined:
    """What is let pass of an answer that may be sent; raises TokenError for one that may not."""
    if not reply.configuration:
        raise TokenError(Reason.EMPTY_CONFIGURATION, "`configuration` is missing or empty")
    if unsafe := ports.rules.unsafe(reply.configuration):
        raise TokenError(Reason.UNSAFE_CONFIGURATION, unsafe)
    if reply.key and snapshot.facts.jwt is None:
        raise TokenError(Reason.HELPER_UNSUPPORTED, "`key` (private key transport) needs features.jwt")
    csr = snapshot.facts.csr
    if not (csr or reply.key or reply.certificate):
        return _NOTHING
    names = (snapshot.node, reply.configuration.get("identity", ""))
    fingerprint, directory = csr.fingerprint if csr else "", _directory(ports, snapshot, reply)
    offer = Supplied(names, reply.certificate, reply.ca, reply.key, fingerprint, directory)
    return ports.certificates.supplied(offer, ports.clock.wall())
