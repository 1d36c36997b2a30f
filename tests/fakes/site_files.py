"""A whole site on the disk: both configurations and the files that they name."""

from __future__ import annotations

from pathlib import Path

from security.issuing import make_broker_certificate
from tests.fakes.names import FixedNames
from tests.fakes.site import ISSUER, NOW, signer_files
from usher.config.loading import Configuration, Findings, Surroundings, inspect, load
from usher.config.problems import Severity


class SiteFiles:
    """A site on the disk, which a test then damages."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.seed, self.token = signer_files(where)
        self.helper = where / "helper"
        self.helper.write_text("#!/bin/sh\n")
        self.helper.chmod(0o755)
        self.ca = where / "ca.pem"
        self.ca.write_text(make_broker_certificate(["localhost"])[0])
        self.yaml, self.cfg = where / "usher.yaml", where / "client.conf"
        self.state = where / "state"
        self.write()

    def write(self, yaml: str = "", cfg: str = "") -> None:
        """Both configurations, with more lines."""
        self.yaml.write_text(
            f"helper: {self.helper}\ntoken: s3cret\nbroker_provisioning_password: s3cret2\n"
            f"jwt_verify_cert: {ISSUER.public_hex}\njwt_signing_key: {self.seed}\njwt_signing_token: {self.token}\n"
            f"state_directory: {self.state}\nfeatures:\n  jwt: true\n  ed25519: true\n{yaml}"
        )
        self.cfg.write_text(
            "plugin.security.provider = choria\nidentity = provisioner_signer\n"
            f"plugin.security.choria.token_file = {self.token}\nplugin.security.choria.seed_file = {self.seed}\n"
            f"plugin.choria.middleware_hosts = broker:4222\nplugin.security.choria.ca = {self.ca}\n{cfg}"
        )

    def around(self, now: int = NOW) -> Surroundings:
        return Surroundings({"PATH": "/usr/bin:/bin"}, self.where, now, FixedNames("host"))

    def inspect(self, now: int = NOW) -> Findings:
        return inspect(self.yaml, self.cfg, self.around(now))

    def load(self, now: int = NOW) -> Configuration:
        return load(self.yaml, self.cfg, self.around(now))

    def said(self, severity: Severity, now: int = NOW) -> list[str]:
        return [str(problem) for problem in self.inspect(now).problems if problem.severity is severity]
