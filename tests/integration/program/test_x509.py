"""The whole daemon with nodes of protocol v1: over a plain server, and over a broker that demands a certificate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from fsm.states import State
from security.ca import SmallCa
from tests.fakes.whole import Whole
from usher.simulator.broker import EmbeddedBroker
from usher.simulator.material import YEAR, make_site
from usher.simulator.x509_broker import X509Broker
from usher.simulator.x509_site import X509Site, make_x509_site

NOW = int(time.time())
pytestmark = [pytest.mark.network, pytest.mark.usefixtures("broker")]
CERTNAME = "provisioner.mcollective"


@asynccontextmanager
async def site(
    where: Path, broker: EmbeddedBroker | X509Broker, ca: str, client: dict[str, Any], **more: Any
) -> AsyncIterator[Whole]:
    """A site whose helper certifies every request by an authority of its own; `ca` is that of the broker."""
    plain = broker.behind if isinstance(broker, X509Broker) else broker
    certifying = X509Site(where / "w" / "site", plain.url)
    wishes = {"features": {"jwt": True, "pki": True}, "helper": certifying.command} | more
    made = Whole(plain, make_site(where / "w", plain, NOW, wishes))
    make_x509_site(certifying.directory, certifying.brokers, NOW)
    settings = {"identity": CERTNAME, "plugin.choria.use_srv": "false", "plugin.choria.middleware_hosts": broker.url}
    text = "".join(f"{name} = {value}\n" for name, value in (settings | client).items())
    made.site.choria_config.write_text(text)
    made.site.ca.write_text(ca)
    try:
        yield made
    finally:
        for child in reversed(made.children):
            await child.stop()


async def provisioned(made: Whole, nodes: int, *words: str) -> list[dict[str, Any]]:
    """What the nodes of a fleet hold once usher has provisioned all of them."""
    report = made.site.directory / "report"
    fleet = made.fleet(nodes, "--protocol", "v1", "--rsa-keys", "4", "--once", "--report", str(report), *words)
    made.daemon()
    await made.until(nodes, State.PROVISIONED)
    async with asyncio.timeout(60):
        assert await fleet.ended == 0
    return [orjson.loads(line) for line in report.read_bytes().splitlines()]


async def test_unsecured_over_a_plain_server(tmp_path: Path):
    async with (
        EmbeddedBroker(tmp_path / "w" / "broker", None) as broker,
        site(tmp_path, broker, SmallCa.make("usher-test-ca", NOW, YEAR).certificate, {}, choria_insecure=True) as made,
    ):
        held = await provisioned(made, 10, "--plain")
        assert {each["phase"] for each in held} == {"provisioned"}
        assert all(each["tls_key"] == each["certificate_key"] != "" for each in held)


async def test_with_a_certificate_over_a_broker_that_demands_one(tmp_path: Path):
    authority = SmallCa.make("usher-test-ca", NOW, YEAR)
    async with X509Broker(tmp_path / "w" / "broker", authority, NOW) as broker:
        files = client_files(tmp_path, authority)
        async with site(tmp_path, broker, authority.certificate, files) as made:
            held = await provisioned(made, 10)
            assert {each["phase"] for each in held} == {"provisioned"}
            assert all(each["tls_key"] == each["certificate_key"] != "" for each in held)


def client_files(where: Path, authority: SmallCa) -> dict[str, Any]:
    """The client configuration of the provider `file`, and what it names."""
    certificate, key = authority.issue(CERTNAME, NOW, YEAR)
    found: dict[str, Any] = {"plugin.security.provider": "file"}
    for name, text in (("certificate", certificate), ("key", key), ("ca", authority.certificate)):
        file = where / f"client-{name}.pem"
        file.touch(mode=0o600)
        file.write_text(text)
        found[f"plugin.security.file.{name}"] = file
    return found
