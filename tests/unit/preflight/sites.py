"""A site as a value, read from real files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.fakes.site import ISSUER, SIGNER, signer_files
from usher.config.client import ClientConfig, load_client
from usher.config.networks import load_site
from usher.config.site import Site

SECRET = "s3cret"


def site_of(where: Path, **changes: Any) -> Site:
    """A site whose state directory is `where`/state."""
    seed, token = signer_files(where, SIGNER)
    file = where / "usher.yaml"
    file.write_text(
        f"helper: /bin/true\ntoken: {SECRET}\nbroker_provisioning_password: p\njwt_verify_cert: {ISSUER.public_hex}\n"
        f"jwt_signing_key: {seed}\njwt_signing_token: {token}\nstate_directory: {where / 'state'}\n"
        "features:\n  jwt: true\n  ed25519: true\n"
    )
    return replace(load_site(file, {}), **changes)


def client_of(where: Path, cfg: str = "") -> ClientConfig:
    """The client configuration beside it."""
    file = where / "client.conf"
    file.write_text(
        "plugin.security.provider = choria\nidentity = me\nplugin.choria.middleware_hosts = broker:4222\n"
        f"plugin.security.choria.token_file = {where / 'signer.jwt'}\n"
        f"plugin.security.choria.seed_file = {where / 'signer.seed'}\n{cfg}"
    )
    return load_client(file, {}, where)
