"""The whole preflight against a real broker, with each mistake made on purpose."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from security.issuing import make_broker_certificate, make_issuer, make_signer
from tests.fakes.link import CALLER, Heard, connection, running
from tests.integration.preflight.conftest import Trial, verdicts
from transport.subjects import broadcast
from transport.wire.mcorpc import DISCOVERY_PING
from transport.wire.v2 import encode_request
from usher.config import check
from usher.preflight.place import Machine
from usher.preflight.verdicts import Verdict
from usher.state import StateDirectory

pytestmark = pytest.mark.network

YEAR = 365 * 86_400
AFTER_LOGIN = {"rights", "discovery", "clock"}
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def test_a_site_in_order_and_nothing_of_it_is_changed(trial: Trial):
    before = {path: path.stat().st_mtime_ns for path in await asyncio.to_thread(lambda: list(trial.where.iterdir()))}
    events: Heard[bytes] = Heard()
    listener = connection("listener", trial.broker.url, "provisioner", trial.broker.passwords.provisioner)
    await listener.subscribe("choria.lifecycle.>", lambda _subject, data, _status: events(data))
    async with running(listener):
        checks = await trial.check(node=True, helper=True)
    assert verdicts(checks, Verdict.OK) == set(checks), checks
    assert "into account provisioning" in checks["login"][0].what
    assert "chain and name verified" in checks["tls"][0].what
    assert "the broker's clock" in checks["clock"][0].what
    assert "0 nodes" in checks["discovery"][0].what
    assert "its answers reach usher" in checks["node reach"][0].what
    assert events.items == []
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert not (trial.where.parent / "state").exists()


def discovery(reply_to: str) -> bytes:
    """What another provisioner asks everybody."""
    return encode_request(
        DISCOVERY_PING,
        caller=CALLER,
        agent="discovery",
        request_id="r1",
        reply_to=reply_to,
        ttl=60,
        time_ns=time.time_ns(),
        filter_agents=("choria_provision",),
    )


async def test_a_second_provisioner_never_hears_of_the_node_that_the_check_plays(trial: Trial):
    heard: Heard[bytes] = Heard()
    other = connection("other", trial.broker.url, "provisioner", trial.broker.passwords.provisioner)
    await other.subscribe("provisioning.reply.another.>", lambda _subject, data, _status: heard(data))
    async with running(other):
        checking = asyncio.ensure_future(trial.check(node=True))
        while not checking.done():
            other.publish(broadcast("discovery"), discovery("provisioning.reply.another.x"))
            await asyncio.wait({checking}, timeout=0.01)
    assert verdicts(checking.result(), Verdict.WRONG) == set()
    assert [data for data in heard.items if data] == []


async def test_a_wrong_password(trial: Trial):
    trial.set(broker_provisioning_password="other")
    checks = await trial.check(node=True)
    (login,) = checks["login"]
    assert verdicts(checks, Verdict.WRONG) == {"login"}
    assert verdicts(checks, Verdict.NOT_CHECKED) == {*AFTER_LOGIN, "node reach"}
    assert "Authorization Violation" in login.what
    assert "client_password" in login.next_step
    assert verdicts(checks, Verdict.OK) >= {"tcp", "tls", "node login", "node token"}


async def test_no_password(trial: Trial):
    trial.set(broker_provisioning_password="")
    checks = await trial.check()
    assert "no user is sent" in checks["login"][0].what


async def test_a_user_that_may_not_do_what_a_provisioner_does(trial: Trial):
    trial.set(broker_provisioning_password="")
    password = trial.broker.passwords.node
    trial.cfg.write_text(f"{trial.cfg.read_text()}plugin.nats.user = node\nplugin.nats.pass = {password}\n")
    checks = await trial.check()
    assert verdicts(checks, Verdict.OK) >= {"login"}
    assert any("Permissions Violation for Subscription" in each.what for each in checks["rights"])
    assert "discovery" in verdicts(checks, Verdict.NOT_CHECKED)


async def test_a_user_of_another_account(trial: Trial):
    trial.set(broker_provisioning_password="")
    password = trial.broker.passwords.fleet
    trial.cfg.write_text(f"{trial.cfg.read_text()}plugin.nats.user = fleet\nplugin.nats.pass = {password}\n")
    (login,) = (await trial.check())["login"]
    assert (login.verdict, "into account choria" in login.what) == (Verdict.WRONG, True)


async def test_a_seed_of_another_token(trial: Trial):
    (trial.where / "signer.seed").write_text(make_issuer(b"x" * 32).seed_hex)
    checks = await trial.check()
    assert any("names the public key" in each.what for each in checks["files"])
    assert "because files failed" in checks["brokers"][0].what


@pytest.mark.parametrize(("issued", "says"), [(-2 * YEAR, "expired"), (0, "did not issue it")])
async def test_an_expired_token_and_one_of_another_issuer(trial: Trial, issued: int, says: str):
    signer = make_signer(make_issuer(b"o" * 32), "usher_demo", int(time.time()) + issued, YEAR)
    (trial.where / "signer.seed").write_text(signer.seed_hex)
    (trial.where / "signer.jwt").write_text(signer.token)
    checks = await trial.check()
    assert any(says in each.what for each in [*checks["files"], *checks["client token"]])


async def test_nobody_listens(trial: Trial, unused_tcp_port: int):
    trial.replace(trial.broker.url, f"127.0.0.1:{unused_tcp_port}")
    checks = await trial.check()
    assert "nobody listens there" in checks["tcp"][0].what
    assert verdicts(checks, Verdict.NOT_CHECKED) == {"tls", "login", *AFTER_LOGIN}


async def test_one_broker_of_two_is_enough_to_go_on(trial: Trial, unused_tcp_port: int):
    trial.replace(trial.broker.url, f"127.0.0.1:{unused_tcp_port}, {trial.broker.url}")
    checks = await trial.check(node=True)
    assert [each.verdict for each in checks["tcp"]] == [Verdict.WRONG, Verdict.OK]
    assert verdicts(checks, Verdict.OK) >= {"login", "rights", "discovery", "node reach"}


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def another(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example.net ESMTP\r\n")
    await silent(reader, writer)


async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b'INFO {"server_name":"plain","version":"2.0.0","max_payload":1024}\r\n')
    await silent(reader, writer)


async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b'INFO {"tls_required":true}\r\n')
    await reader.read(100)
    writer.write(b"what?\r\n" * 10)
    await silent(reader, writer)


async def gone(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


@pytest.mark.parametrize(
    ("serve", "name", "says"),
    [
        (silent, "tcp", "says nothing within 0.2s"),
        (another, "tcp", "does not speak NATS"),
        (gone, "tcp", "ends them at once"),
        (plain, "tls", "offers no TLS"),
        (no_tls, "tls", "TLS handshake failed"),
    ],
)
async def test_what_is_no_broker(trial: Trial, serve: Serve, name: str, says: str):
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        trial.replace(trial.broker.url, f"127.0.0.1:{port}")
        trial.cfg.write_text(f"{trial.cfg.read_text()}plugin.choria.network.connect_timeout = 200ms\n")
        checks = await trial.check()
    (found,) = checks[name]
    assert (found.verdict, says in found.what) == (Verdict.WRONG, True), found
    assert "login" in verdicts(checks, Verdict.NOT_CHECKED)


async def test_a_certificate_of_another_authority(trial: Trial):
    ca = trial.where / "other.pem"
    ca.write_text(make_broker_certificate(["broker.example.net"])[0])
    trial.replace(str(trial.broker.certificate), str(ca))
    checks = await trial.check()
    assert "does not verify: self-signed certificate; it is for 127.0.0.1, localhost" in checks["tls"][0].what
    assert str(ca) in checks["tls"][0].next_step


async def test_a_name_that_the_certificate_does_not_have(trial: Trial):
    trial.replace("127.0.0.1", "127.0.0.2")
    checks = await trial.check()
    assert checks["tcp"][0].verdict is Verdict.WRONG or "does not verify" in checks["tls"][0].what


async def test_without_an_authority_it_is_said_that_nothing_is_verified(trial: Trial):
    trial.replace(f"plugin.security.choria.ca = {trial.broker.certificate}\n", "")
    checks = await trial.check(node=True)
    assert checks["tls"][0].verdict is Verdict.WARNING
    assert "not verified, since no authority is configured" in checks["tls"][0].what
    assert checks["login"][0].verdict is Verdict.OK


async def test_a_state_directory_that_is_locked_or_on_a_network(trial: Trial):
    state = StateDirectory(trial.where.parent / "state")
    state.prepare()
    state.lock()

    def nfs(_path: Path) -> Machine:
        return Machine("1 0 0:1 / / rw - nfs4 host:/ rw\n", 10**10, os.geteuid())

    checks = await trial.check(node=True, seen=nfs)
    state.unlock()
    assert any(f"process {os.getpid()} holds its lock" in each.what for each in checks["state directory"])
    assert any("network file system (nfs4)" in each.what for each in checks["state directory"])
    assert "login" in verdicts(checks, Verdict.OK)


async def test_the_whole_has_a_time_limit(trial: Trial):
    trial.set(helper="sh -c 'exec sleep 60'", helper_timeout="60s")
    checks = await trial.check(helper=True, within=1.0)
    assert "time limit of 1s" in checks["helper"][0].what
    assert verdicts(checks, Verdict.NOT_CHECKED) >= {"brokers", "discovery"}


async def test_a_configuration_that_cannot_be_used_leaves_nothing_to_try(trial: Trial):
    trial.set(workers=-1)
    checks = await trial.check()
    assert verdicts(checks, Verdict.NOT_CHECKED) == {"state directory", "helper", "brokers", "discovery"}


def command(trial: Trial, *words: str) -> int:
    parser = argparse.ArgumentParser()
    check.add_arguments(parser)
    return check.run(parser.parse_args(["--config", str(trial.yaml), "--choria-config", str(trial.cfg), *words]))


def test_the_command(trial: Trial, capsys: pytest.CaptureFixture[str]):
    assert command(trial, "--connect", "--as-node", str(trial.token)) == 0
    said = capsys.readouterr().out.splitlines()
    assert {line.split(" ")[0] for line in said[:-1]} == {"ok"}
    assert said[-1] == f"usher can provision here ({len(said) - 1} ok)"
    trial.set(broker_provisioning_password="other")
    assert command(trial, "--connect", "--no-helper", "--json") == 2
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert {"name", "verdict", "what", "next"} == document["checks"][0].keys()
    assert document["site"]["token"] == "set"


@pytest.mark.parametrize("words", [("--as-node", "x"), ("--sample", "x"), ("--no-helper",)])
def test_an_option_that_needs_connect(trial: Trial, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]):
    assert command(trial, *words) == 2
    assert f"{words[0]} counts only with --connect" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["0", "x", "1e9", "nan"])
def test_a_limit_that_is_none(trial: Trial, value: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        command(trial, "--connect", "--within", value)
    assert caught.value.code == 2
    assert "--within" in capsys.readouterr().err
