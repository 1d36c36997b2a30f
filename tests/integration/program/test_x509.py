"""The whole daemon with nodes of protocol v1: over a plain server, and over a broker that demands a certificate."""

from __future__ import annotations

import asyncio
import shlex
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from fsm.states import State
from security.authority_x509 import CertificateAuthority, make_authority
from tests.fakes.whole import Whole
from usher.simulator.broker import EmbeddedBroker
from usher.simulator.material import make_site
from usher.simulator.x509_broker import X509Broker

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("broker")]
CERTNAME = "provisioner.mcollective"
HELPER = """
import json, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

where = Path(__file__).parent
node = json.load(sys.stdin)
request = x509.load_pem_x509_csr(node["csr"]["csr"].encode())
key = serialization.load_pem_private_key((where / "ca.key").read_bytes(), None)
ca = x509.load_pem_x509_certificate((where / "ca.pem").read_bytes())
now = datetime.now(UTC)
builder = x509.CertificateBuilder(ca.subject, request.subject, request.public_key(), x509.random_serial_number())
builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=30))
names = x509.SubjectAlternativeName([x509.DNSName(node["identity"])])
made = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
ssl = node["csr"]["ssldir"]
print(json.dumps({
    "msg": "certified",
    "certificate": made.public_bytes(serialization.Encoding.PEM).decode(),
    "ca": (where / "ca.pem").read_text(),
    "configuration": {
        "plugin.choria.server.provision": "false", "identity": node["identity"], "plugin.security.provider": "file",
        "plugin.security.file.certificate": ssl + "/certificate.pem", "plugin.security.file.key": ssl + "/private.pem",
        "plugin.security.file.ca": ssl + "/ca.pem",
    },
}))
"""


@asynccontextmanager
async def site(
    where: Path, broker: EmbeddedBroker | X509Broker, ca: str, client: dict[str, Any], **more: Any
) -> AsyncIterator[Whole]:
    """A site with an authority of its own whose helper certifies every request; `ca` is that of the broker."""
    authority = make_authority("nodes")
    helper = where / "w" / "site" / "certify.py"
    wishes = {"features": {"jwt": True, "pki": True}, "helper": shlex.join([sys.executable, "-I", str(helper)])} | more
    plain = broker.behind if isinstance(broker, X509Broker) else broker
    made = Whole(plain, make_site(where / "w", plain, int(time.time()), wishes))
    for name, text in (("ca.pem", authority.pem), ("ca.key", authority.key_pem), (helper.name, HELPER)):
        (helper.parent / name).write_text(text)
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
        site(tmp_path, broker, make_authority().pem, {}, choria_insecure=True) as made,
    ):
        held = await provisioned(made, 10, "--plain")
        assert {each["phase"] for each in held} == {"provisioned"}
        assert all(each["tls_key"] == each["certificate_key"] != "" for each in held)


async def test_with_a_certificate_over_a_broker_that_demands_one(tmp_path: Path):
    authority = make_authority()
    async with X509Broker(tmp_path / "w" / "broker", authority) as broker:
        files = client_files(tmp_path, authority)
        async with site(tmp_path, broker, authority.pem, files) as made:
            held = await provisioned(made, 10)
            assert {each["phase"] for each in held} == {"provisioned"}
            assert all(each["tls_key"] == each["certificate_key"] != "" for each in held)


def client_files(where: Path, authority: CertificateAuthority) -> dict[str, Any]:
    """The client configuration of the provider `file`, and what it names."""
    certificate, key = authority.client(CERTNAME)
    found: dict[str, Any] = {"plugin.security.provider": "file"}
    for name, text in (("certificate", certificate), ("key", key), ("ca", authority.pem)):
        file = where / f"client-{name}.pem"
        file.touch(mode=0o600)
        file.write_text(text)
        found[f"plugin.security.file.{name}"] = file
    return found
