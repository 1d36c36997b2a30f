"""A site of an x509 network in a directory, beside usher.simulator.material: certificates instead of an issuer.

Rules:
1. Layout, modes and the refusal of a directory that holds something are those of every site.
2. One small authority certifies the broker, usher and the nodes; that, and RSA instead of ed25519 below the
   provisioning tokens, is what such a site has instead of an issuer (reference/packaged-config.yaml, its `features`).
3. The client's certificate is for the name under which usher will appear to nodes, whoever runs it here.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from security.ca import SmallCa
from security.issuing import make_provisioning_token
from security.keyfiles import read_signing_key
from usher.config.appearance import AUTHORITY, CERTIFICATE, KEY, PROVIDER, file_certname
from usher.simulator.material import CALLER, YEAR, DemoSite, client_lines, common_settings, private, take
from usher.simulator.x509_broker import X509Broker
from usher.simulator.x509_site import make_authority, make_x509_site

SIGNER: Final = "provisioning-signer"
"""The common name of the certificate whose key signs provisioning tokens."""
OPERATOR: Final = "operator.mcollective"
"""The name in the certificate of who asks the fleet: one that servers obey (wire/protocol.md §2.8)."""
OPERATOR_AT: Final = ("site/operator.pem", "site/operator.key")
_JWT_KEY: Final = "provisioning-signer.key"


def make_x509_broker(directory: Path, now: int) -> X509Broker:
    """The brokers of a site and its authority, not started; raises DirectoryTakenError. `now` in Unix seconds."""
    take(directory)
    return X509Broker(directory / "broker", make_authority(now), now)


def make_x509_demo(directory: Path, broker: X509Broker, now: int, more: Mapping[str, Any] | None = None) -> DemoSite:
    """Write the site of brokers that were started; `now` dates what it signs, `more` adds to the YAML."""
    made = DemoSite(directory.resolve(), broker.url, "site/x509_helper.py", "site/ca.pem", OPERATOR_AT)
    for folder in (made.site, made.state):
        folder.mkdir(mode=0o700)
    certifying = make_x509_site(made.site, broker.node_url, broker.authority)
    signed_by, key = broker.authority.issue(SIGNER, now, YEAR)
    private(made.site / "provisioning-signer.pem", signed_by)
    private(made.site / _JWT_KEY, key)
    token = secrets.token_hex(16)
    private(made.provisioning_token, _provisioning_token(made.site / _JWT_KEY, broker, token, now))
    private(made.choria_config, client_lines(broker.url, _client(made, broker.authority, now)))
    for path, text in zip(made.operator, broker.authority.issue(OPERATOR, now, YEAR), strict=True):
        private(path, text)
    private(made.fleet_password, broker.passwords.fleet)
    settings = common_settings(made, certifying.command, token, broker.passwords.provisioner) | {
        "jwt_verify_cert": str(made.site / "provisioning-signer.pem"),
        "fleet_certificate_file": str(made.operator[0]),
        "fleet_key_file": str(made.operator[1]),
        "features": {"jwt": True, "pki": True},
    }
    private(made.config, yaml.safe_dump(settings | dict(more or {}), sort_keys=False))
    return made


def _provisioning_token(key: Path, broker: X509Broker, token: str, now: int) -> str:
    """What every node of the fleet shows; without the claim `v2` its server speaks v1."""
    signer, _ = read_signing_key(key, str(key))
    urls, password = [broker.node_url], broker.passwords.node
    return make_provisioning_token(signer, now, YEAR, token=token, urls=urls, user="node", password=password, v2=False)


def _client(made: DemoSite, authority: SmallCa, now: int) -> Mapping[str, object]:
    """The certificate with which usher logs in, and the settings that name it."""
    certname, _ = file_certname(os.environ, CALLER, root=os.geteuid() == 0)
    certificate, key = authority.issue(certname, now, YEAR)
    files = {CERTIFICATE: (made.site / "client.pem", certificate), KEY: (made.site / "client.key", key)}
    for path, text in files.values():
        private(path, text)
    named = {name: path for name, (path, _) in files.items()}
    return {PROVIDER: "file", **named, AUTHORITY: made.ca}
