"""The site's helper, run once as for a node: its answer is judged as a node's would be, and sent to nobody.

Rules:
1. The real command in the real environment, told by USHER_CHECK=1 that it is a trial.
2. What it printed is never shown: it may hold secrets; which field is wrong is.
3. A server token is made for the answer and thrown away, so that the signer is tried too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from fsm.effects import Feature
from fsm.errors import HelperError, TokenError, UsherError
from fsm.identity import is_safe
from fsm.ports import HelperCall, HelperReply, NodeKey, TokenOrder
from helpers.configuration import PROVISION, inject_provision_false, keeps_provisioning, unsafe_configuration
from helpers.protocol import inventory_text
from helpers.runners.exec import ExecHelper, ExecSettings
from security.keys import SigningKey
from security.problems import CredentialError
from security.signer import FileSigner
from usher.config.site import Site
from usher.preflight.certifying import certified, sample_request
from usher.preflight.tokens import moment
from usher.preflight.verdicts import Check, doubtful, fine, wrong

NAME: Final = "helper"
TRIAL: Final = "USHER_CHECK"
IDENTITY: Final = "usher-check.example.net"
_DIRECTORY: Final = "/etc/choria"
_LARGEST: Final = 1 << 24
_BY_HAND: Final = "what it said is not shown, since it may hold secrets: run it by hand"
_INVENTORY: Final[dict[str, Any]] = {
    "agents": ["choria_provision", "choria_util", "discovery", "rpcutil"],
    "classes": [],
    "collectives": ["provisioning"],
    "data_plugins": [],
    "facts": {},
    "machines": [],
    "main_collective": "provisioning",
    "upgradable": False,
    "version": "0.30.2",
}


class SampleError(UsherError):
    """The sample cannot be used"""

    def __init__(self, file: Path, detail: str) -> None:
        """Hold which file, and what is wrong with it."""
        super().__init__()
        self.file = file
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Sample:
    """The node that the helper is asked about: a name and an inventory."""

    identity: str
    inventory: Mapping[str, Any]


def built_in() -> Sample:
    """A node without facts."""
    return Sample(IDENTITY, _INVENTORY)


def read_sample(file: Path) -> Sample:
    """A sample from a file: an inventory, or a whole input of a helper with its `identity`; raises SampleError."""
    try:
        found = orjson.loads(file.read_bytes()[:_LARGEST])
        inner = found.get("inventory") if isinstance(found, dict) else None
        inventory = orjson.loads(inner) if isinstance(inner, str) else found
    except OSError as error:
        raise SampleError(file, (error.strerror or "it cannot be read").lower()) from None
    except ValueError:
        raise SampleError(file, "it is not JSON") from None
    if not isinstance(inventory, dict):
        raise SampleError(file, "it is no JSON object")
    said = found.get("identity")
    identity = said if inner is not None and isinstance(said, str) else IDENTITY
    if not is_safe(identity):
        raise SampleError(file, "its identity is not a safe name")
    return Sample(identity, inventory)


async def run_sample(site: Site, sample: Sample, claims: Mapping[str, Any], now: int) -> tuple[Check, ...]:
    """Ask the helper and judge its answer, at `now` (milliseconds)."""
    environment = {TRIAL: "1", "USHER_NODE": sample.identity}
    proof, csr = _proof(site), sample_request(sample.identity) if Feature.PKI in site.features else None
    told = claims if Feature.JWT in site.features else None
    call = HelperCall(sample.identity, inventory_text(sample.inventory), proof, told, environment, csr)
    helper = ExecHelper(site.helper, ExecSettings(1, site.helper_timeout, site.helper_max_output))
    try:
        reply = await helper.run(call)
    except HelperError as error:
        step = f"{_BY_HAND}; usher explain {error.reason}"
        return (wrong(NAME, f"{error.reason}: {error.detail}", step),)
    return tuple(_judged(site, call, reply, claims, now))


def _proof(site: Site) -> NodeKey | None:
    if Feature.ED25519 not in site.features:
        return None
    key, nonce = SigningKey.generate(), os.urandom(16).hex()
    return NodeKey(key.public_hex, _DIRECTORY, key.sign(nonce.encode()).hex())


def _judged(site: Site, call: HelperCall, reply: HelperReply, claims: Mapping[str, Any], now: int) -> Iterator[Check]:
    asked = f"asked about {call.identity}, it"
    if reply.defer or reply.shutdown:
        word = "defers" if reply.defer else "shuts the node down"
        what = f"{asked} {word}, so its configuration was not seen"
        yield doubtful(NAME, what, "give it a node that it would configure: --sample FILE")
        return
    configuration = inject_provision_false(reply.configuration) if site.inject_provision_false else reply.configuration
    trouble = _trouble(reply, configuration, claims)
    if trouble is not None:
        yield wrong(NAME, f"{asked} answers what no node would be sent: {trouble[0]}", trouble[1])
        return
    yield fine(NAME, f"{asked} answers with {len(configuration)} settings that a node can be sent")
    yield from certified(site, call, reply, configuration, now)
    if call.key is not None:
        yield from _signed(site, call.identity, reply, configuration, call.key.public_key, now)


def _trouble(reply: HelperReply, configuration: Mapping[str, str], claims: Mapping[str, Any]) -> tuple[str, str] | None:
    if not configuration or not reply.configuration:
        return "`configuration` is missing or empty", "have it answer with the lines of server.conf"
    unsafe = unsafe_configuration(configuration)
    if unsafe is not None:
        return unsafe, "correct the helper"
    if keeps_provisioning(configuration, claims.get("chpd") is not False):
        what = f"{PROVISION} is not turned off, so the node would stay in provisioning"
        return what, f'have it answer "{PROVISION}": "false", or set inject_provision_false: true'
    return None


def _signed(
    site: Site, identity: str, reply: HelperReply, configuration: Mapping[str, str], key: str, now: int
) -> Iterator[Check]:
    name = "server token"
    try:
        signer = FileSigner(
            site.jwt_signing_key, site.jwt_signing_token or None, site.server_jwt_validity, strict=site.strict
        )
        order = TokenOrder(identity, key, now, os.urandom(16), reply.server_claims, configuration)
        made = signer.server_token(order)
    except CredentialError as error:
        yield wrong(name, error.problem.what, error.problem.next)
        return
    except TokenError as error:
        yield wrong(name, f"{error.reason}: {error.detail}", f"correct the helper; usher explain {error.reason}")
        return
    for warning in made.warnings:
        yield doubtful(name, warning, "look at server_claims of the helper, and at server_jwt_validity")
    yield fine(name, f"one for this answer would be good until {moment(made.expires)}")
