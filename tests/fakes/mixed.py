"""Two networks and one daemon: an issuer network beside an x509 network of protocol v1, or two issuer networks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from security.ca import SmallCa
from tests.fakes.whole import Said, Whole
from usher.children import Child
from usher.simulator.broker import EmbeddedBroker
from usher.simulator.material import YEAR, make_broker, make_site, private
from usher.simulator.x509_broker import X509Broker
from usher.simulator.x509_demo import OPERATOR
from usher.simulator.x509_site import X509Site, make_x509_site

CERTNAME = "provisioner.mcollective"
OWN = (
    "features", "token", "helper", "jwt_verify_cert", "jwt_signing_key", "jwt_signing_token",
    "broker_provisioning_password", "fleet_token_file", "fleet_seed_file", "fleet_certificate_file",
    "fleet_key_file", "fleet_user", "fleet_password",
)  # fmt: skip


@dataclass
class Mixed:
    """Both networks, each with its fleet; the daemon, and what it holds, are those of the issuer network's site."""

    issuer: Whole
    x509: Whole
    front: X509Broker
    config: Path

    @property
    def broker(self) -> EmbeddedBroker:
        """That of the issuer network."""
        return self.issuer.broker

    def fleets(self, nodes: int) -> tuple[Child, Child]:
        """So many servers in each network."""
        new = self.issuer.fleet(nodes, "--once")
        old = self.x509.fleet(nodes, "--once", "--protocol", "v1", "--rsa-keys", "4", "--names", "old-{:04d}")
        return new, old

    def daemon(self) -> Child:
        """`usher run` for both."""
        return self.issuer.start("daemon", "run", "--config", str(self.config))

    async def ask(self, *words: str) -> Said:
        """A command on the state directory of both."""
        return await self.issuer.ask(*words)


@asynccontextmanager
async def mixed(directory: Path, **settings: Any) -> AsyncIterator[Mixed]:
    """Both brokers and one configuration for both; `settings` are added to the top level of the YAML."""
    now = int(time.time())
    authority = SmallCa.make("usher-test-ca", now, YEAR)
    async with (
        make_broker(directory / "issuer") as broker,
        X509Broker(directory / "x509" / "broker", authority, now) as front,
    ):
        issuer = Whole(broker, make_site(directory / "issuer", broker, now, {}))
        x509 = _x509(directory / "x509", front, authority, now)
        made = Mixed(issuer, x509, front, directory / "usher.yaml")
        made.config.write_text(
            yaml.safe_dump(configuration({"issuer": issuer, "x509": x509}) | settings, sort_keys=False)
        )
        try:
            yield made
        finally:
            children = [*issuer.children, *x509.children]
            await asyncio.gather(*(child.stop() for child in reversed(children)))


@dataclass
class Twins:
    """Two issuer networks, each with brokers, credentials and a fleet of its own; the daemon is of the east's site."""

    east: Whole
    west: Whole
    config: Path

    def fleets(self, nodes: int) -> tuple[Child, Child]:
        """So many servers in each network, which stay when they are provisioned; reports beside the configuration."""
        return tuple(
            each.fleet(nodes, "--names", name + "-{:04d}", "--report", str(self.report(name)))
            for name, each in (("east", self.east), ("west", self.west))
        )  # type: ignore[return-value]

    def change(self, network: str, **settings: Any) -> None:
        """What the entry of a network says otherwise, or the top level where it has no name; None leaves it out."""
        written = yaml.safe_load(self.config.read_text())
        found = next((each for each in written["networks"] if each["name"] == network), written)
        found |= settings
        for key in [key for key, value in found.items() if value is None]:
            del found[key]
        self.config.write_text(yaml.safe_dump(written, sort_keys=False))

    def report(self, name: str) -> Path:
        """What a fleet says of its servers when it is asked (SIGUSR1)."""
        return self.config.with_name(f"{name}.report")

    def daemon(self) -> Child:
        """`usher run` for both."""
        return self.east.start("daemon", "run", "--config", str(self.config))


@asynccontextmanager
async def twins(directory: Path) -> AsyncIterator[Twins]:
    """Both brokers and one configuration for both."""
    now = int(time.time())
    async with make_broker(directory / "east") as eastern, make_broker(directory / "west") as western:
        each = {
            name: Whole(broker, make_site(directory / name, broker, now))
            for name, broker in (("east", eastern), ("west", western))
        }
        made = Twins(each["east"], each["west"], directory / "usher.yaml")
        made.config.write_text(yaml.safe_dump(configuration(each), sort_keys=False))
        try:
            yield made
        finally:
            children = [*made.east.children, *made.west.children]
            await asyncio.gather(*(child.stop() for child in reversed(children)))


def configuration(networks: Mapping[str, Whole]) -> dict[str, Any]:
    """The YAML of all: what is the same stands above the list."""
    written = [yaml.safe_load(each.site.config.read_text()) for each in networks.values()]
    top = {name: value for name, value in written[0].items() if name not in OWN}
    entries = [
        {"name": name, "choria_config": str(each.site.choria_config)}
        | {key: value for key, value in said.items() if key in OWN}
        for (name, each), said in zip(networks.items(), written, strict=True)
    ]
    return top | {"networks": entries}


def _x509(directory: Path, front: X509Broker, authority: SmallCa, now: int) -> Whole:
    certifying = X509Site(directory / "site", front.behind.url)
    operator = directory / "operator.pem", directory / "operator.key"
    wishes = {
        "features": {"jwt": True, "pki": True}, "helper": certifying.command, "fleet_token_file": "",
        "fleet_seed_file": "", "fleet_certificate_file": str(operator[0]), "fleet_key_file": str(operator[1]),
    }  # fmt: skip
    made = Whole(front.behind, make_site(directory, front.behind, now, wishes))
    make_x509_site(certifying.directory, certifying.brokers, authority)
    for path, text in zip(operator, authority.issue(OPERATOR, now, YEAR), strict=True):
        private(path, text)
    certificate, key = authority.issue(CERTNAME, now, YEAR)
    settings: dict[str, Any] = {
        "identity": CERTNAME, "plugin.choria.use_srv": "false", "plugin.choria.middleware_hosts": front.url,
        "plugin.security.provider": "file",
    }  # fmt: skip
    for name, text in (("certificate", certificate), ("key", key), ("ca", authority.certificate)):
        file = directory / f"client-{name}.pem"
        file.touch(mode=0o600)
        file.write_text(text)
        settings[f"plugin.security.file.{name}"] = file
    made.site.choria_config.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
    made.site.ca.write_text(authority.certificate)
    return made
