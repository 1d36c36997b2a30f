"""How usher appears at a broker: the client, its TLS, and what of both may change, made from the configuration.

Rules:
1. The three appearances of usher.config.appearance are the only ones, and only here it is decided what each needs.
2. Who is unsecured asks for no TLS; where the broker demands it, it is used (wire/protocol.md §4.2).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from security.client import TOKEN_SETTING, ClientCredentials
from security.client_certificate import ClientCertificate
from transport.credentials import Tls, demanded_tls
from usher.config.appearance import CA_FILE, CertificateFiles, TokenFiles, Unsecured
from usher.config.client import ClientConfig
from usher.config.site import Site
from usher.rotation.appearing import CertificateSubject, ClientSubject, Trust
from usher.rotation.change import Subject, texts
from usher.rotation.client import CertificateClient, Client, TokenClient, UnsecuredClient
from usher.rotation.expiry import Judge, authority, certificate, token

USER: Final = "provisioner"


@dataclass(frozen=True, slots=True)
class Appears:
    """Who logs in and asks, and how; `subjects` may change, `judges` say what expires, `secrets` are its files'.

    `name` is what the broker's lists call the connections (wire/protocol.md §6.1).
    """

    client: Client
    tls: Tls
    name: str
    subjects: tuple[Subject, ...] = ()
    judges: tuple[Judge, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)


def appear(site: Site, config: ClientConfig, now: Callable[[], int]) -> Appears:
    """Read what the configuration names; `now` is in milliseconds. Raises CredentialError, CertificateFileError."""
    identity, (user, password) = site.sender_identity or config.identity, nats_user(site, config)
    match config.appearance:
        case TokenFiles(token=token_file, seed=seed, ca=ca):
            holder = TokenClient(ClientCredentials(token_file, seed, strict=site.strict), identity, user, password)
            trust = Trust(ca)
            judges = (
                token("client_token", TOKEN_SETTING, lambda: holder.credentials.claims),
                authority(CA_FILE, trust.end),
            )
            name, subjects = os.environ.get("USER", identity), (ClientSubject(holder), trust)
            return Appears(holder, lambda: trust.context, name, subjects, judges, texts((seed,)))
        case CertificateFiles(certname=certname, paths=paths):
            held = ClientCertificate(paths, strict=site.strict)
            certified = CertificateClient(held, certname, identity, user, password)
            subject = CertificateSubject(certified, now)
            judges = (
                certificate(paths.settings[0], subject.facts),
                authority(paths.settings[2], subject.authority_end),
            )
            return Appears(certified, lambda: subject.context, certname, (subject,), judges, texts((paths.key,)))
        case Unsecured(certname=certname):
            return Appears(UnsecuredClient(certname, identity, user, password), demanded_tls(), certname)


def nats_user(site: Site, client: ClientConfig) -> tuple[str, str]:
    """Who logs in: `provisioner` with `broker_provisioning_password`, else the user of the client configuration."""
    if site.broker_provisioning_password:
        return USER, site.broker_provisioning_password
    return client.user, client.password
