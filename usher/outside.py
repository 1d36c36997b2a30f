"""The outside: what the daemon is given of the world, made from the configuration files.

Rules:
1. Whatever a configuration names is opened here, before the daemon starts; everything that is wrong is found at once.
2. Whatever may change while the daemon runs is handed to usher.rotation, which reads it again.
3. The NATS user is `provisioner`, by the broker's own rule (wire/protocol.md §6.3); a site without its password may
   name another user in the Choria client configuration.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fsm.effects import Port
from fsm.policy import Policy
from fsm.ports import Clock
from fsm.runtime.executor import LIMITS
from helpers.configuration import inject_provision_false, keeps_provisioning, unsafe_configuration
from helpers.runners.exec import ExecHelper, ExecSettings
from security.client import ClientCredentials
from security.csr import RequestVerifier
from security.keyfiles import verify_key
from security.problems import CredentialError
from security.signer import FileSigner
from security.verifier import TokenVerifier
from transport.credentials import CertificateFileError
from transport.rounds import Servers
from transport.srv import SrvResolver
from usher.brokers import Brokers
from usher.config.client import ClientConfig
from usher.config.identity import SystemNames
from usher.config.policy import policy_of
from usher.config.problems import ConfigErrors, Problem
from usher.config.site import Site
from usher.daemon import Outside
from usher.effects.hand import Hand
from usher.effects.site import ConfigurationRules, Ports
from usher.effects.tokens import Tokens
from usher.harmless import Harmless
from usher.intake import Intake
from usher.network import Network, Way
from usher.rotation.client import Client
from usher.rotation.expiry import Judged
from usher.rotation.known import Known
from usher.rotation.rotation import Live
from usher.rotation.subjects import ClientSubject, Parts, SignerSubject, SiteSubject, Trust, VerifySubject, texts

VERSION: Final = version("choria-usher")
USER: Final = "provisioner"
RULES: Final = ConfigurationRules(keeps_provisioning, unsafe_configuration, inject_provision_false)


def make_outside(site: Site, client: ClientConfig, clock: Clock) -> tuple[Outside, Policy]:
    """Open everything that the files name; raises ConfigErrors with all that cannot be used."""
    problems: list[Problem] = []

    def attempt(make: Callable[[], Any]) -> Any:
        try:
            return make()
        except CredentialError as error:
            found = error.problem
            problems.append(Problem(found.place, found.what, found.next, check=found.check))
        except CertificateFileError as error:
            problems.append(Problem(error.file, error.detail, "correct plugin.security.choria.ca"))

    credentials = attempt(lambda: ClientCredentials(client.token_file, client.seed_file, strict=site.strict))
    key = attempt(lambda: verify_key(site.jwt_verify_cert))
    token_file = site.jwt_signing_token or None
    signer = attempt(lambda: FileSigner(site.jwt_signing_key, token_file, site.server_jwt_validity, strict=site.strict))
    trust = attempt(lambda: Trust(client.ca))
    if problems:
        raise ConfigErrors(problems)
    secrets = Known(_secrets(site, client))
    helper = ExecHelper(site.helper, _exec_settings(site, secrets))
    verifier = TokenVerifier(key)
    ourselves = Client(credentials, client.identity, *nats_user(site, client))
    tokens, intake = Tokens(site.tokens), Intake(site)
    requests = RequestVerifier(site.cert_deny_list, strict=site.strict)

    def ports(network: Network, hand: Hand) -> Ports:
        return Ports(network.rpc, helper, signer, verifier, clock, hand, RULES, requests)

    way = Way(
        servers=client_servers(client, clock),
        credentials=ourselves,
        caller=ourselves,
        tls=lambda: trust.context,
        name=os.environ.get("USER", client.identity),
        identity=client.identity,
        version=VERSION,
        component=site.lifecycle_component,
        interval=site.interval,
        connect_timeout=client.connect_timeout,
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
        live=_live(site, client, ourselves, signer, verifier, trust, tokens, secrets, intake),
        intake=intake,
        secrets=secrets,
        harmless=Harmless(site.redact_keys),
    ), policy_of(site, signer.id)


def _live(
    site: Site,
    client: ClientConfig,
    ourselves: Client,
    signer: FileSigner,
    verifier: TokenVerifier,
    trust: Trust,
    tokens: Tokens,
    secrets: Known,
    intake: Intake,
) -> Live:
    verify = VerifySubject(site.jwt_verify_cert, verifier)
    written = SiteSubject(site, client, nats_user, Parts(tokens, ourselves, verify, intake))
    judged = Judged(lambda: ourselves.credentials.claims, lambda: signer.claims, trust.end, site.server_jwt_validity)
    subjects = (ClientSubject(ourselves), SignerSubject(signer), verify, trust, written)
    return Live(subjects, written, tokens, secrets, judged, lambda: signer.id)


def client_servers(client: ClientConfig, clock: Clock) -> Servers:
    """The addresses that are written, or how to find some at each round of logins."""
    if client.servers:
        return [server.url for server in client.servers]
    return Brokers(client, SrvResolver(), SystemNames(), clock.monotonic)


def nats_user(site: Site, client: ClientConfig) -> tuple[str, str]:
    """Who logs in: `provisioner` with `broker_provisioning_password`, else the user of the client configuration."""
    if site.broker_provisioning_password:
        return USER, site.broker_provisioning_password
    return client.user, client.password


def _secrets(site: Site, client: ClientConfig) -> tuple[str, ...]:
    """What must not appear anywhere that usher keeps or says: passwords, tokens, and both seeds as they are now."""
    return (*site.secrets(), client.password, *texts((Path(site.jwt_signing_key), client.seed_file)))


def _exec_settings(site: Site, secrets: Known) -> ExecSettings:
    return ExecSettings(site.workers, site.helper_timeout, site.helper_max_output, secrets=secrets)
