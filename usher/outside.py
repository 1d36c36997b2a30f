"""The outside: what the daemon is given of the world, made from the configuration files.

Rules:
1. Whatever a configuration names is opened here, before the daemon starts; everything that is wrong is found at once.
2. Credentials are read again at each login, so that files can be renewed while the daemon runs.
3. The NATS user is `provisioner`, by the broker's own rule (wire/protocol.md §6.3); a site without its password may
   name another user in the Choria client configuration.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
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
from transport.credentials import CertificateFileError, tls_context
from transport.rounds import Servers
from transport.srv import SrvResolver
from transport.wire.caller import Caller
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
from usher.network import Network, Way

VERSION: Final = version("choria-usher")
USER: Final = "provisioner"
RULES: Final = ConfigurationRules(keeps_provisioning, unsafe_configuration, inject_provision_false)


class BrokerLogin:
    """transport.credentials.Credentials from the files that the Choria client configuration names."""

    def __init__(self, credentials: ClientCredentials, user: str, password: str) -> None:
        """Hold the credentials that were read, and the NATS user with its password."""
        self._credentials, self._user, self._password = credentials, user, password

    @property
    def user(self) -> str:
        """The NATS user; empty sends neither user nor password."""
        return self._user

    @property
    def password(self) -> str:
        """The password of that user."""
        return self._password

    @property
    def token(self) -> str:
        """The client token, read again if its file can be read."""
        with suppress(CredentialError):  # those that worked are better than none; the broker says if they are not
            self._credentials = self._credentials.reload()
        return self._credentials.token

    def sign_nonce(self, nonce: bytes) -> bytes:
        """The raw signature over the broker's nonce."""
        return self._credentials.sign(nonce)


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
    tls = attempt(lambda: tls_context(client.ca))
    if problems:
        raise ConfigErrors(problems)
    helper = ExecHelper(site.helper, _exec_settings(site))
    verifier = TokenVerifier(key)
    requests = RequestVerifier(site.cert_deny_list, strict=site.strict)

    def ports(network: Network, hand: Hand) -> Ports:
        return Ports(network.rpc, helper, signer, verifier, clock, hand, RULES, requests)

    way = Way(
        servers=client_servers(client, clock),
        credentials=BrokerLogin(credentials, *nats_user(site, client)),
        caller=Caller(client.identity, credentials.caller, credentials.token, credentials.sign),
        tls=tls,
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
        Tokens(site.tokens),
        site.inject_provision_false,
        limits,
        secrets=_secrets(site, client),
        harmless=Harmless(site.redact_keys),
    ), policy_of(site, signer.id)


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
    """What must not appear anywhere that usher keeps or says: passwords, the token, and both seeds as they are now."""
    found = [*site.secrets(), client.password]
    for file in (site.jwt_signing_key, client.seed_file):
        with suppress(OSError, ValueError):
            found.append(Path(file).read_text(encoding="ascii").strip())
    return tuple(dict.fromkeys(secret for secret in found if secret))


def _exec_settings(site: Site) -> ExecSettings:
    return ExecSettings(site.workers, site.helper_timeout, site.helper_max_output, secrets=site.secrets())
