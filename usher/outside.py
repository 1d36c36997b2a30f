"""The outside: what the daemon is given of the world, made from the configuration files.

Rules:
1. Whatever a configuration names is opened here, before the daemon starts; everything that is wrong is found at once.
2. Credentials are read again at each login, so that files can be renewed while the daemon runs.
3. The NATS user is `provisioner`, by the broker's own rule (wire/protocol.md §6.3).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fsm.effects import Port
from fsm.policy import SECOND, Policy
from fsm.ports import Clock
from fsm.runtime.executor import LIMITS
from helpers.configuration import inject_provision_false, keeps_provisioning, unsafe_configuration
from helpers.runners.exec import ExecHelper, ExecSettings
from security.client import ClientCredentials
from security.keyfiles import verify_key
from security.problems import CredentialError
from security.signer import FileSigner
from security.verifier import TokenVerifier
from transport.credentials import CertificateFileError, tls_context
from transport.wire.caller import Caller
from usher.config.client import ClientConfig
from usher.config.problems import ConfigErrors, Problem
from usher.config.site import Site
from usher.daemon import Outside
from usher.effects.hand import Hand
from usher.effects.site import ConfigurationRules, Ports
from usher.network import Network, Way

VERSION: Final = version("choria-usher")
USER: Final = "provisioner"
RULES: Final = ConfigurationRules(keeps_provisioning, unsafe_configuration, inject_provision_false)


class BrokerLogin:
    """transport.credentials.Credentials from the files that the Choria client configuration names."""

    def __init__(self, credentials: ClientCredentials, password: str) -> None:
        """Hold the credentials that were read, and the shared password."""
        self._credentials, self._password = credentials, password

    @property
    def user(self) -> str:
        """The NATS user, sent with a password only."""
        return USER if self._password else ""

    @property
    def password(self) -> str:
        """`broker_provisioning_password`."""
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

    def ports(network: Network, hand: Hand) -> Ports:
        return Ports(network.rpc, helper, signer, verifier, clock, hand, RULES)

    way = Way(
        servers=[server.url for server in client.servers],
        credentials=BrokerLogin(credentials, site.broker_provisioning_password or client.password),
        caller=Caller(client.identity, credentials.caller, credentials.token, credentials.sign),
        tls=tls,
        name=os.environ.get("USER", client.identity),
        identity=client.identity,
        version=VERSION,
        component=site.lifecycle_component,
        interval=site.interval,
    )
    limits = {**LIMITS, Port.HELPER: site.workers}
    return Outside(clock, way, ports, site.token, site.inject_provision_false, limits), make_policy(site, signer.id)


def make_policy(site: Site, signer: str) -> Policy:
    """What the site has chosen, as far as decisions are concerned."""
    return Policy(
        features=site.features,
        strict=site.strict,
        signer=signer,
        facts_max_age=int(site.facts_max_age * SECOND),
        retry_cap=int(site.retry_cap * SECOND),
        defer_delay=int(site.interval * SECOND),
    )


def _exec_settings(site: Site) -> ExecSettings:
    return ExecSettings(site.workers, site.helper_timeout, site.helper_max_output, secrets=site.secrets())


def default_client_config(chosen: str | None) -> Path | None:
    """The Choria client configuration that was named, None to look where go-choria does."""
    return Path(chosen) if chosen else None
