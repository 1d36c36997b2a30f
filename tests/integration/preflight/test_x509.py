"""The preflight of an x509 network: a broker that verifies client certificates, one that is plain, and mistakes."""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from security.issuing import make_broker_certificate
from tests.fakes.authority import DAY, SERVER, Authority, pem
from tests.fakes.site import written
from tests.fakes.verifying import (
    USER,
    VerifyingBroker,
    authority_of_today,
    client_files,
    file_settings,
)
from tests.integration.preflight.conftest import Trial, verdicts
from usher.config import check
from usher.preflight.verdicts import Verdict
from usher.simulator.broker import EmbeddedBroker
from usher.simulator.material import make_site

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def authority() -> Authority:
    return authority_of_today()


@pytest.fixture(scope="module")
def verifying(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[EmbeddedBroker]:
    broker = VerifyingBroker(tmp_path_factory.mktemp("x509") / "broker", authority)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker(tmp_path_factory.mktemp("plain") / "broker", None)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def trial_of(where: Path, broker: EmbeddedBroker, client: str) -> Trial:
    """A site at that broker whose client configuration has these lines."""
    (where / "demo").mkdir()
    made = make_site(where / "demo", broker, int(time.time()), {"server_jwt_validity": "90d"})
    shutil.move(made.site, where / "site")
    trial = Trial(broker, where / "site")
    trial.set(
        state_directory=str(where / "state"),
        helper=str(trial.where / "helper.py"),
        jwt_signing_key=str(trial.where / "signer.seed"),
        jwt_signing_token=str(trial.where / "signer.jwt"),
        fleet_token_file="",
        fleet_seed_file="",
    )
    trial.cfg.write_text(
        f"identity = usher.example.net\nplugin.choria.use_srv = false\nplugin.choria.middleware_hosts = {broker.url}\n"
        f"{client}"
    )
    return trial


@pytest.fixture
def trial(tmp_path: Path, verifying: EmbeddedBroker, authority: Authority) -> Trial:
    return trial_of(tmp_path, verifying, file_settings(client_files(tmp_path / "ssl", authority)))


async def test_a_network_in_order(trial: Trial):
    checks = await trial.check(helper=True)
    assert verdicts(checks, Verdict.OK) == set(checks), checks
    assert (
        f"the caller is choria=usher.example.net, the certificate is for {USER}" in checks["client certificate"][0].what
    )
    assert "it is for clients" in checks["client certificate"][1].what
    assert "chain and name verified" in checks["tls"][0].what
    assert checks["login"][0].what == "let in as user provisioner, into account provisioning"


async def test_a_wrong_password_is_told_from_a_refused_certificate(trial: Trial):
    trial.set(broker_provisioning_password="other")
    checks = await trial.check()
    (login,) = checks["login"]
    assert (login.verdict, "Authorization Violation" in login.what) == (Verdict.WRONG, True)
    assert "the password of user provisioner is wrong" in login.what
    assert verdicts(checks, Verdict.OK) >= {"tcp", "tls", "client certificate"}


async def test_a_certificate_of_another_authority(trial: Trial, authority: Authority):
    client_files(trial.where.parent / "ssl", authority, authority_of_today("another-ca"))
    checks = await trial.check()
    assert any("does not lead to an authority" in each.what for each in checks["files"])
    said = [each for each in (*checks["tls"], *checks["login"]) if each.verdict is Verdict.WRONG]
    assert ["refused the client certificate" in each.what for each in said] == [True], checks
    assert "plugin.security.file.ca" in said[0].next_step
    assert verdicts(checks, Verdict.NOT_CHECKED) >= {"rights", "discovery"}


async def test_a_certificate_for_servers_only(trial: Trial, authority: Authority):
    written(trial.where.parent / "ssl" / "cert.pem", pem(authority.issue(USER, uses=(SERVER,))))
    checks = await trial.check()
    assert any("not for clients" in each.what for each in checks["files"])
    said = [each.what for each in (*checks["tls"], *checks["login"]) if each.verdict is Verdict.WRONG]
    assert ["refused the client certificate" in what for what in said] == [True], checks


async def test_a_broker_of_another_authority(trial: Trial):
    written(trial.where.parent / "ssl" / "ca.pem", make_broker_certificate(["broker"])[0])
    (tls,) = (await trial.check())["tls"]
    assert tls.verdict is Verdict.WRONG
    assert "the certificate does not verify" in tls.what
    assert "in plugin.security.file.ca (now " in tls.next_step


async def test_a_brokers_certificate_that_ends_soon(tmp_path: Path):
    authority = authority_of_today()
    async with VerifyingBroker(tmp_path / "broker", authority, begin=authority.begin - 340 * DAY) as broker:
        trial = trial_of(tmp_path, broker, file_settings(client_files(tmp_path / "ssl", authority)))
        (tls,) = (await trial.check())["tls"]
    assert (tls.verdict, "it expires in 2" in tls.what) == (Verdict.WARNING, True)
    assert tls.next_step == "have the broker's renewed"


async def test_files_that_cannot_be_used_are_found_before_anything_is_sent(trial: Trial):
    written(trial.where.parent / "ssl" / "key.pem", "hello")
    checks = await trial.check()
    assert any("holds no private key in PEM" in each.what for each in checks["files"])
    assert "because files failed" in checks["brokers"][0].what


async def test_a_node_of_protocol_v2_hears_nothing_of_a_client_of_v1(trial: Trial):
    checks = await trial.check(node=True)
    assert any(
        "nodes with it speak protocol v2, usher as it is configured v1" in each.what for each in checks["node token"]
    )


async def test_unsecured_at_a_plain_broker(tmp_path: Path, plain: EmbeddedBroker):
    trial = trial_of(tmp_path, plain, "")
    trial.set(choria_insecure=True)
    checks = await trial.check()
    assert verdicts(checks, Verdict.WRONG) == set()
    assert "nothing proves it" in checks["unsecured"][0].what
    assert "all goes over the network as it is" in checks["tls"][0].what
    assert verdicts(checks, Verdict.WARNING) == {"files", "unsecured", "tls"}
    assert checks["login"][0].what == "let in as user provisioner, into account provisioning"
    trial.set(broker_provisioning_password="other")
    (login,) = (await trial.check())["login"]
    assert "the user provisioner or its password is wrong" in login.what


async def test_unsecured_at_a_broker_that_demands_tls(trial: Trial):
    trial.set(choria_insecure=True)
    (tls,) = (await trial.check())["tls"]
    assert tls.verdict is Verdict.WRONG
    assert "does not verify" in tls.what
    assert "SSL_CERT_FILE" in tls.next_step


async def test_a_certificate_at_a_plain_broker(tmp_path: Path, plain: EmbeddedBroker, authority: Authority):
    trial = trial_of(tmp_path, plain, file_settings(client_files(tmp_path / "ssl", authority)))
    (tls,) = (await trial.check())["tls"]
    assert (tls.verdict, tls.what) == (Verdict.WRONG, "the broker offers no TLS")


def test_the_command(trial: Trial, capsys: pytest.CaptureFixture[str]):
    parser = argparse.ArgumentParser()
    check.add_arguments(parser)
    words = ["--config", str(trial.yaml), "--choria-config", str(trial.cfg), "--connect", "--no-helper"]
    assert check.run(parser.parse_args(words)) == 0
    said = capsys.readouterr().out
    assert "ok          client certificate: the caller is choria=" in said
    assert "PRIVATE KEY" not in said
