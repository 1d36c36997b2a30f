"""Logins with a client certificate, at a broker that verifies them; and logins that ask for no TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from security.client_certificate import Paths
from tests.fakes.authority import Authority
from tests.fakes.link import QUICK, Discarded, Heard, Known, started
from tests.fakes.proxy import FaultProxy
from tests.fakes.verifying import PlainBroker, VerifyingBroker, authority_of_today, client_files
from transport.connection import Connection
from transport.credentials import CertificateFileError, Demanded, Tls, demanded_tls, tls_context
from transport.reports import Connected, Refused, Report
from usher.simulator.broker import HOST, EmbeddedBroker

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def authority() -> Authority:
    return authority_of_today()


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[dict[str, EmbeddedBroker]]:
    directory = tmp_path_factory.mktemp("certificates")
    made = {"verifying": VerifyingBroker(directory / "x509", authority), "plain": PlainBroker(directory / "plain")}
    with ExitStack() as stack:
        for broker in made.values():
            broker.start()
            stack.callback(broker.stop)
        yield made


def link(broker: EmbeddedBroker, tls: Tls, report: Heard[Report], url: str = "") -> Connection:
    known = Known("provisioner", broker.passwords.provisioner)
    return Connection(
        "test", [url or broker.url], known, tls, name="t", discards=Discarded(), report=report, options=QUICK
    )


def context(paths: Paths) -> ssl.SSLContext:
    return tls_context(paths.ca, certificate=paths.certificate, key=paths.key)


async def test_a_certificate_of_the_brokers_authority_is_let_in(tmp_path: Path, brokers, authority: Authority):
    report: Heard[Report] = Heard()
    async with started(link(brokers["verifying"], context(client_files(tmp_path, authority)), report)):
        assert (await report.kind(Connected)).server == brokers["verifying"].url


async def test_a_certificate_of_another_is_refused_in_words(tmp_path: Path, brokers, authority: Authority):
    report: Heard[Report] = Heard()
    paths = client_files(tmp_path, authority, authority_of_today("another-ca"))
    async with started(link(brokers["verifying"], context(paths), report)):
        reason = (await report.kind(Refused)).reason
    assert "refused the client certificate" in reason


async def test_none_at_all_is_refused(brokers):
    report: Heard[Report] = Heard()
    async with started(link(brokers["verifying"], tls_context(), report)):
        reason = (await report.kind(Refused)).reason
    assert "refused the client certificate" in reason


async def test_a_certificate_that_is_replaced_is_shown_at_the_next_login(tmp_path: Path, brokers, authority: Authority):
    broker = brokers["verifying"]
    report: Heard[Report] = Heard()
    used = [context(client_files(tmp_path, authority, authority_of_today("another-ca")))]
    async with started(link(broker, lambda: used[0], report)):
        await report.kind(Refused)
        used[0] = context(client_files(tmp_path, authority))
        await report.kind(Connected)


async def test_no_tls_is_asked_for_and_none_is_needed(brokers):
    report: Heard[Report] = Heard()
    async with started(link(brokers["plain"], demanded_tls(), report)):
        await report.kind(Connected)


async def test_tls_that_is_wanted_is_not_done_without(tmp_path: Path, brokers, authority: Authority):
    report: Heard[Report] = Heard()
    async with started(link(brokers["plain"], context(client_files(tmp_path, authority)), report)):
        assert (await report.kind(Refused)).reason == "the broker does not offer TLS"


async def test_tls_that_is_demanded_is_done_and_verified_with_the_systems_authorities(
    tmp_path: Path, authority: Authority
):
    plain_tls = EmbeddedBroker(tmp_path / "tls", VerifyingBroker(tmp_path / "x", authority)._pem)
    known = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    known.load_verify_locations(client_files(tmp_path / "c", authority).ca)
    async with plain_tls as broker, FaultProxy(HOST, broker.port) as proxy:
        report: Heard[Report] = Heard()
        async with started(link(broker, demanded_tls(), report)):
            assert "the broker's certificate does not verify" in (await report.kind(Refused)).reason
        report = Heard()
        async with started(link(broker, Demanded(known), report, proxy.url)):
            await report.kind(Connected)


def test_files_that_tls_does_not_take_are_named(tmp_path: Path, authority: Authority):
    paths = client_files(tmp_path, authority)
    paths.key.write_text("hello")
    with pytest.raises(CertificateFileError) as caught:
        context(paths)
    assert caught.value.file == str(paths.certificate)
    paths.ca.write_text("hello")
    with pytest.raises(CertificateFileError) as caught:
        context(paths)
    assert caught.value.file == str(paths.ca)
