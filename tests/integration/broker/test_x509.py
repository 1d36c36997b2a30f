"""The broker of an x509 network, and the plain one: who gets in, and a provisioner that speaks v1 over each."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fsm.errors import CallError
from fsm.events import Certainty
from fsm.runtime.clock import SystemClock
from security.ca import SmallCa
from security.certificate import signed_by_certificate
from tests.fakes.link import QUICK, UNSECURED, Asked, Discarded, Heard, Known, asking, responder, running, started
from transport.connection import Connection
from transport.credentials import Tls, tls_context
from transport.reports import Refused, Report
from transport.rpc import RpcClient
from transport.wire.caller import Caller
from transport.wire.versions import Version
from usher.simulator.broker import BrokerMissingError, EmbeddedBroker, binary
from usher.simulator.material import YEAR
from usher.simulator.x509_broker import X509Broker

NOW = int(time.time())
pytestmark = pytest.mark.network
NODE = "n1.example.net"


@pytest.fixture(scope="module")
def authority() -> SmallCa:
    return SmallCa.make("usher-test-ca", NOW, YEAR)


@pytest.fixture(scope="module")
def x509(authority: SmallCa, tmp_path_factory: pytest.TempPathFactory) -> Iterator[X509Broker]:
    try:
        binary()
    except BrokerMissingError as error:
        pytest.skip(str(error))
    broker = X509Broker(tmp_path_factory.mktemp("x509"), authority, NOW)
    broker.start()
    yield broker
    broker.stop()


def context(where: Path, authority: SmallCa, by: SmallCa | None = None) -> tuple[Tls, str, str]:
    """TLS that shows a certificate of `by` and trusts the authority; and the two PEM texts."""
    certificate, key = (by or authority).issue("provisioner.mcollective", NOW, YEAR)
    files = {"ca.pem": authority.certificate, "cert.pem": certificate, "key.pem": key}
    for name, text in files.items():
        (where / name).write_text(text)
    tls = tls_context(where / "ca.pem", certificate=where / "cert.pem", key=where / "key.pem")
    return tls, certificate, key


def link(url: str, user: str, password: str, tls: Tls, report: Heard[Report] | None = None) -> Connection:
    return Connection(
        "rpc", [url], Known(user, password), tls, name="test", discards=Discarded(), report=report or Heard(),
        options=QUICK,
    )  # fmt: skip


def signing(key: str) -> RSAPrivateKey:
    read = load_pem_private_key(key.encode(), None)
    assert isinstance(read, RSAPrivateKey)
    return read


@contextlib.asynccontextmanager
async def calling(
    provisioner: Connection, node: Connection, caller: Caller
) -> AsyncIterator[tuple[RpcClient, Heard[Asked]]]:
    """A client, and a node of the name NODE that keeps what it is asked."""
    asked = Heard[Asked]()
    rpc = RpcClient(provisioner, caller, SystemClock(), discards=Discarded(), on_second_answer=Heard())
    await rpc.start()
    await responder(node, NODE, lambda each: (asked(each), each.answer({"pong": 1})))
    async with running(node), running(provisioner):
        yield rpc, asked
        rpc.close()


async def test_a_signed_request_reaches_a_node_and_its_answer_us(x509, authority, tmp_path: Path):
    tls, certificate, key = context(tmp_path, authority)
    private = signing(key)
    caller = Caller(
        Version.V1, "usher.example.net", "choria=provisioner.mcollective", certificate,
        lambda data: private.sign(data, PKCS1v15(), SHA256()),
    )  # fmt: skip
    provisioner = link(x509.url, "provisioner", x509.passwords.provisioner, tls)
    node = link(x509.node_url, "node", x509.passwords.node, tls_context())
    async with calling(provisioner, node, caller) as (rpc, asked):
        assert (await rpc.call(asking(NODE))).data == {"pong": 1}
        (one,) = asked.items
        assert one.wire.credential == certificate
        assert signed_by_certificate(one.wire.credential, one.wire.signed, one.wire.signature or b"")
        with pytest.raises(CallError) as caught:
            await rpc.call(asking("nobody.example.net"))
        assert caught.value.certainty is Certainty.NOT_DELIVERED


async def test_without_a_certificate_nobody_gets_in_where_the_provisioner_does(x509, authority, tmp_path: Path):
    foreign, _, _ = context(tmp_path, authority, SmallCa.make("another", NOW, YEAR))
    for tls in (tls_context(), foreign):
        report: Heard[Report] = Heard()
        async with started(link(x509.url, "provisioner", x509.passwords.provisioner, tls, report)):
            refused = await report.kind(Refused)
            assert "certificate" in refused.reason or "authority" in refused.reason


async def test_with_a_certificate_and_a_wrong_password_nobody_gets_in(x509, authority, tmp_path: Path):
    tls, _, _ = context(tmp_path, authority)
    report: Heard[Report] = Heard()
    async with started(link(x509.url, "provisioner", "wrong", tls, report)):
        assert "Authorization Violation" in (await report.kind(Refused)).reason


async def test_the_provisioner_does_not_get_in_where_nobody_is_asked_for_a_certificate(x509):
    report: Heard[Report] = Heard()
    async with started(link(x509.node_url, "provisioner", x509.passwords.provisioner, tls_context(), report)):
        assert "Authorization Violation" in (await report.kind(Refused)).reason


@pytest.mark.usefixtures("broker")  # so that it is skipped where no broker is installed
async def test_an_unsecured_request_over_a_plain_server(tmp_path: Path):
    async with EmbeddedBroker(tmp_path / "broker", None) as plain:
        provisioner = link(plain.url, "provisioner", plain.passwords.provisioner, None)
        node = link(plain.url, "node", plain.passwords.node, None)
        async with calling(provisioner, node, UNSECURED) as (rpc, asked):
            assert (await rpc.call(asking(NODE))).data == {"pong": 1}
            assert (asked.items[0].wire.credential, asked.items[0].wire.signature) == ("insecure", None)
        assert not (plain.directory / "tls.pem").exists()
