"""The whole daemon with nodes of protocol v1: over a plain server, and over a broker that demands a certificate."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from fsm.states import State
from tests.fakes.whole import Whole, whole
from usher.simulator.broker import EmbeddedBroker
from usher.simulator.material import make_site
from usher.simulator.networks import Kind
from usher.simulator.x509_site import X509Site, make_authority, make_x509_site

NOW = int(time.time())
NODES = 10
pytestmark = [pytest.mark.network, pytest.mark.usefixtures("broker")]

SUPPLY = '''
def decide(node):
    """A key of ours, and the certificate for it."""
    authority, now = SmallCa.of(Path(CA).read_text(), Path(CA_KEY).read_text()), int(time.time())
    certificate, key = authority.issue(node["identity"], now, YEAR)
    node["csr"] = {"ssldir": "/etc/choria/ssl"}
    answer = {"certificate": certificate, "ca": Path(CA).read_text(), "key": key, "ssldir": "/etc/choria/ssl"}
    return answer | {"configuration": configuration(node, {})}
'''
ANONYMOUS = '''
def decide(node):
    """A server that shows its token in place of a certificate."""
    directory = node["ed25519_pubkey"]["directory"]
    return {"configuration": {
        "plugin.choria.server.provision": "false",
        "identity": node["identity"],
        "plugin.security.provider": "file",
        "plugin.security.server_anon_tls": "true",
        "plugin.choria.security.server.seed_file": f"{directory}/server.seed",
        "plugin.choria.security.server.token_file": f"{directory}/server.jwt",
    }}
'''


def helped(made: Whole, decide: str) -> None:
    """Have the site's helper decide otherwise."""
    script = made.site.helper.read_text()
    made.site.helper.write_text(script.replace("\ndef main()", f"\n{decide}\n\ndef main()"))


async def provisioned(made: Whole, *words: str) -> list[dict[str, Any]]:
    """What the nodes of a fleet hold once usher has provisioned all of them."""
    report = made.site.directory / "report"
    fleet = made.fleet(NODES, "--rsa-keys", "4", "--once", "--report", str(report), *words)
    made.daemon()
    await made.until(NODES, State.PROVISIONED)
    async with asyncio.timeout(60):
        assert await fleet.ended == 0
    held = [orjson.loads(line) for line in report.read_bytes().splitlines()]
    assert {each["phase"] for each in held} == {"provisioned"}
    return held


async def test_unsecured_over_a_plain_server(tmp_path: Path):
    async with EmbeddedBroker(tmp_path / "w" / "broker", None) as broker:
        certifying = X509Site(tmp_path / "w" / "site", broker.url)
        wishes = {"features": {"jwt": True, "pki": True}, "helper": certifying.command, "choria_insecure": True}
        made = Whole(broker, make_site(tmp_path / "w", broker, NOW, wishes))
        make_x509_site(certifying.directory, certifying.brokers, make_authority(NOW))
        made.site.ca.write_text(certifying.ca.read_text())
        lines = f"identity = usher.example.net\nplugin.choria.middleware_hosts = {broker.url}\n"
        made.site.choria_config.write_text(lines)
        try:
            held = await provisioned(made, "--protocol", "v1", "--plain")
        finally:
            await asyncio.gather(*(child.stop() for child in made.children))
        assert all(each["tls_key"] == each["certificate_key"] != "" for each in held)


@pytest.mark.parametrize("features", [{"jwt": True, "pki": True}, {"pki": True}])
async def test_with_a_certificate_over_a_broker_that_demands_one(tmp_path: Path, features: dict[str, bool]):
    async with whole(tmp_path / "w", Kind.X509, features=features) as made:
        held = await provisioned(made)
        assert all(each["tls_key"] == each["certificate_key"] != "" for each in held)


@pytest.mark.parametrize("features", [{"jwt": True, "pki": True}, {"jwt": True}])
async def test_keys_that_the_helper_supplies(tmp_path: Path, features: dict[str, bool]):
    async with whole(tmp_path / "w", Kind.X509, features=features) as made:
        helped(made, SUPPLY)
        held = await provisioned(made)
        assert all(each["tls_key"] == each["certificate_key"] != "" for each in held)
        assert len({each["tls_key"] for each in held}) == NODES


async def test_servers_that_show_a_token_in_place_of_a_certificate(tmp_path: Path):
    """`server_anon_tls` on an x509 network: their tokens are signed with the site's RSA key."""
    signer = str(tmp_path / "w" / "site" / "provisioning-signer.key")
    features = {"jwt": True, "ed25519": True}
    async with whole(tmp_path / "w", Kind.X509, features=features, jwt_signing_key=signer) as made:
        helped(made, ANONYMOUS)
        held = await provisioned(made)
        assert all(each["key"] == each["token_key"] != "" for each in held)


async def test_nodes_with_nothing_but_a_configuration_are_not_left_dead(tmp_path: Path):
    """Without features a key cannot be carried: the helper's answer is refused, and the nodes wait as they are."""
    async with whole(tmp_path / "w", Kind.X509, features={"jwt": False}) as made:
        helped(made, SUPPLY)
        made.fleet(NODES, "--rsa-keys", "4")
        made.daemon()
        await made.until(NODES, State.FAILED)
        said = await made.ask("errors", "--json")
        assert '"helper_unsupported"' in said.out
        why = await made.ask("nodes", "why", "node-0001.example.net")
        assert "it is the helper, or what it asks, and no node" in why.out


async def test_servers_that_are_too_old(tmp_path: Path):
    async with whole(tmp_path / "w", Kind.X509) as made:
        made.fleet(NODES, "--without", "gencsr")
        made.daemon()
        await made.until(NODES, State.FAILED)
        assert (
            "too old for what this site's `features` ask"
            in (await made.ask("nodes", "why", "node-0001.example.net")).out
        )
