"""The outside: what the daemon is given of the world, made from the configuration files.

Rules:
1. Whatever a configuration names is opened here, before the daemon starts; everything that is wrong is found at once.
2. Whatever may change while the daemon runs is handed to usher.rotation, which reads it again.
3. Who logs in, and with what, is made in usher.appearing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fsm.effects import Feature, Port
from fsm.policy import Policy
from fsm.ports import Clock
from fsm.runtime.executor import LIMITS
from helpers.configuration import inject_provision_false, keeps_provisioning, unsafe_configuration
from helpers.runners.exec import ExecHelper, ExecSettings
from security.csr import RequestVerifier
from security.exchange import KeyTransport
from security.keyfiles import verify_keys
from security.problems import CredentialError
from security.signer import FileSigner, NoSigner
from security.supplied import SuppliedVerifier
from security.verifier import TokenVerifier
from transport.credentials import CertificateFileError
from transport.rounds import Servers
from transport.srv import SrvResolver
from usher.appearing import Appears, appear, nats_user
from usher.brokers import Brokers
from usher.config.client import ClientConfig
from usher.config.fleet import operator_of
from usher.config.identity import SystemNames
from usher.config.policy import policy_of
from usher.config.problems import ConfigErrors, Problem
from usher.config.site import Site
from usher.effects.hand import Hand
from usher.effects.site import ConfigurationRules, Ports
from usher.effects.tokens import Tokens
from usher.fleet import FleetSettings
from usher.harmless import Harmless
from usher.intake import Intake
from usher.network import Network, Way
from usher.networks.member import Outside
from usher.rotation.change import texts
from usher.rotation.expiry import Judged, token
from usher.rotation.known import Known
from usher.rotation.rotation import Live
from usher.rotation.subjects import Parts, SignerSubject, SiteSubject, VerifySubject

VERSION: Final = version("choria-usher")
RULES: Final = ConfigurationRules(keeps_provisioning, unsafe_configuration, inject_provision_false)


def make_outside(site: Site, client: ClientConfig, clock: Clock, known: Known | None = None) -> tuple[Outside, Policy]:
    """Open everything that the files of a network name; raises ConfigErrors with all that cannot be used.

    `known` are the secrets of all networks, to which its own are added.
    """
    problems: list[Problem] = []

    def attempt(make: Callable[[], Any]) -> Any:
        try:
            return make()
        except CredentialError as error:
            found = error.problem
            problems.append(Problem(found.place, found.what, found.next, check=found.check))
        except CertificateFileError as error:
            problems.append(Problem(error.file, error.detail, "correct the file, or the setting that names it"))

    appears: Appears = attempt(lambda: appear(site, client, clock.wall))
    keys = attempt(lambda: verify_keys(site.jwt_verify_cert))
    signer = attempt(lambda: site_signer(site))
    if problems:
        raise ConfigErrors(problems)
    held = (site.jwt_signing_key, site.fleet_seed_file, site.fleet_key_file)
    signing = texts(tuple(Path(key) for key in held if key))
    secrets = Known() if known is None else known
    secrets.add((*site.secrets(), client.password, *signing, *appears.secrets))
    helper = ExecHelper(site.helper, _exec_settings(site, secrets))
    verifier = TokenVerifier(*keys)
    tokens, intake = Tokens(site.tokens), Intake(site)
    requests = RequestVerifier(site.cert_deny_list, strict=site.strict)
    certificates = SuppliedVerifier(site.cert_deny_list, strict=site.strict)
    checks = (requests, certificates, KeyTransport())

    def ports(network: Network, hand: Hand) -> Ports:
        return Ports(network.tracked, helper, signer, verifier, clock, hand, RULES, *checks, network.fleet)

    way = Way(
        servers=client_servers(client, clock),
        credentials=appears.client,
        caller=appears.client,
        tls=appears.tls,
        name=appears.name,
        identity=client.identity,
        version=VERSION,
        component=site.lifecycle_component,
        interval=site.interval,
        fleet=_fleet(site, client, clock, appears),
        connect_timeout=client.connect_timeout,
        election_name=election_name(site),
    )
    # as many again are marked as started while `workers` run, or each worker would idle during a commit
    limits = {**LIMITS, Port.HELPER: 2 * site.workers}
    return Outside(
        clock,
        way,
        ports,
        tokens,
        site.inject_provision_false,
        limits,
        live=_live(site, client, appears, signer, verifier, tokens, secrets, intake),
        intake=intake,
        secrets=secrets,
        harmless=Harmless(site.redact_keys),
    ), policy_of(site, signer.id)


def site_signer(site: Site) -> FileSigner | NoSigner:
    """Who signs the server tokens of a site, if it has any; raises CredentialError, times excepted."""
    if Feature.ED25519 not in site.features:
        return NoSigner()
    token_file = site.jwt_signing_token or None
    validity, spread = site.server_jwt_validity, site.server_jwt_spread
    return FileSigner(site.jwt_signing_key, token_file, validity, spread=spread, strict=site.strict)


def _live(
    site: Site,
    client: ClientConfig,
    appears: Appears,
    signer: FileSigner | NoSigner,
    verifier: TokenVerifier,
    tokens: Tokens,
    secrets: Known,
    intake: Intake,
) -> Live:
    verify = VerifySubject(site.jwt_verify_cert, verifier)
    written = SiteSubject(site, client, nats_user, Parts(tokens, appears.client, verify, intake))
    judge = token("signer_token", "jwt_signing_token", lambda: signer.claims, site.server_jwt_validity)
    signing = (SignerSubject(signer),) if isinstance(signer, FileSigner) else ()
    subjects = (*appears.subjects, *signing, verify, written)
    return Live(subjects, written, tokens, secrets, Judged((*appears.judges, judge)), lambda: signer.id)


def election_name(site: Site) -> str:
    """What is written into the election's key; empty where there is no election."""
    return (site.election_name or socket.gethostname()) if site.leader_election else ""


def client_servers(client: ClientConfig, clock: Clock) -> Servers:
    """The addresses that are written, or how to find some at each round of logins."""
    if client.servers:
        return [server.url for server in client.servers]
    return Brokers(client, SrvResolver(), SystemNames(), clock.monotonic)


def _fleet(site: Site, client: ClientConfig, clock: Clock, appears: Appears) -> FleetSettings:
    return FleetSettings(
        operator=operator_of(site, client),
        user=site.fleet_user,
        password=site.fleet_password,
        collective=site.fleet_collective,
        identity=client.identity,
        servers=client_servers(client, clock),
        tls=appears.tls,
        name=appears.name,
        connect_timeout=client.connect_timeout,
    )


def _exec_settings(site: Site, secrets: Known) -> ExecSettings:
    return ExecSettings(site.workers, site.helper_timeout, site.helper_max_output, secrets=secrets)
