"""Who usher is in the fleet of a network: an operator with a client token, one with a certificate, or nobody.

Rules:
1. Servers of protocol v2 obey tokens, those of v1 certificates, and none obeys the other (wire/protocol.md §0, 2): what
   would only meet silence there is refused, by the setting's name.
2. The authority of an operator's certificate is that of the network's Choria client configuration.
3. Whatever is wrong is a warning: nodes are provisioned without the fleet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fsm.effects import Feature
from security.client_certificate import Paths
from security.fleet import SEED_SETTING, TOKEN_SETTING, inspect_fleet
from security.operating import CERTIFICATE_SETTING, KEY_SETTING, inspect_operating
from usher.config.appearance import CertificateFiles, Unsecured
from usher.config.client import ClientConfig
from usher.config.problems import Problem, Severity
from usher.config.site import Site

_NO_TOKEN: Final = f"no {TOKEN_SETTING} is configured: make one with `choria jwt client --fleet-management`"
_NO_CERTIFICATE: Final = (
    f"no {CERTIFICATE_SETTING} is configured: have the network's authority make a certificate for an operator, such as "
    "operator.mcollective"
)
_CERTIFICATES: Final = (
    f"its servers have certificates (features.pki), and such servers obey no operator's token: set "
    f"{CERTIFICATE_SETTING} and {KEY_SETTING} instead"
)
_TOKENS: Final = (
    f"its Choria client has a token (plugin.security.provider = choria), and servers of such a network obey no "
    f"certificate: set {TOKEN_SETTING} and {SEED_SETTING} instead"
)
_UNSECURED: Final = (
    "choria_insecure is on, so no authority is known by which an operator's certificate could be shown: name one in "
    "the Choria client configuration, and turn choria_insecure off"
)


@dataclass(frozen=True, slots=True)
class TokenOperator:
    """A client token with its seed: protocol v2."""

    token: Path
    seed: Path


@dataclass(frozen=True, slots=True)
class CertificateOperator:
    """A certificate with its key, and the authority of the network: protocol v1. `strict` is the site's."""

    paths: Paths
    strict: bool


@dataclass(frozen=True, slots=True)
class Nobody:
    """Why nobody can be asked in this fleet, with the next step."""

    why: str


Operator = TokenOperator | CertificateOperator | Nobody


def operator_of(site: Site, client: ClientConfig) -> Operator:
    """Who usher is in the fleet of this network."""
    match client.appearance:
        case CertificateFiles(paths=own):
            if site.fleet_certificate_file:
                return CertificateOperator(_paths(site, own), site.strict)
            nobody = _NO_CERTIFICATE
        case Unsecured() if site.fleet_certificate_file or Feature.PKI in site.features:
            return Nobody(_UNSECURED)
        case _ if site.fleet_certificate_file:
            return Nobody(_TOKENS)
        case _:
            nobody = _NO_TOKEN
    if not site.fleet_token_file:
        return Nobody(nobody)
    if Feature.PKI in site.features:
        return Nobody(_CERTIFICATES)
    return TokenOperator(Path(site.fleet_token_file), Path(site.fleet_seed_file))


def fleet_files(site: Site, client: ClientConfig | None, now: int) -> Iterator[Problem]:
    """What is wrong at `now` (milliseconds) with an operator's files; without a client configuration none is looked at.

    Nothing is wrong with a site that has configured none.
    """
    setting = CERTIFICATE_SETTING if site.fleet_certificate_file else TOKEN_SETTING
    if client is None or not (site.fleet_certificate_file or site.fleet_token_file):
        return
    match operator_of(site, client):
        case Nobody(why=why):
            what, _, step = why.partition(": ")
            yield Problem(f"{site.file}: {setting}", what, step, Severity.WARNING)
            return
        case TokenOperator(token=token, seed=seed):
            found = inspect_fleet(token, seed, now)
        case CertificateOperator(paths=paths, strict=strict):
            found = inspect_operating(paths, now, strict=strict)
    for finding in found:
        yield Problem(finding.place, finding.what, finding.next, Severity.WARNING, finding.check)


def _paths(site: Site, own: Paths) -> Paths:
    settings = (CERTIFICATE_SETTING, KEY_SETTING, own.settings[2])
    return Paths(Path(site.fleet_certificate_file), Path(site.fleet_key_file), own.ca, settings)
