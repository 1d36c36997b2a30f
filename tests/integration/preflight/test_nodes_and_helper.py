"""The nodes' side and the helper in the whole preflight, with each mistake made on purpose."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from security.issuing import make_issuer, make_provisioning_token
from tests.integration.preflight.conftest import Trial, verdicts
from usher.preflight.verdicts import Verdict

pytestmark = pytest.mark.network

YEAR = 365 * 86_400


def node_token(trial: Trial, **changes: object) -> None:
    """Another provisioning token, by another issuer unless it is said."""
    given = {"token": "", "urls": [trial.broker.url], "user": "node", "password": trial.broker.passwords.node}
    issuer = make_issuer(b"o" * 32)
    trial.token.write_text(make_provisioning_token(issuer, int(time.time()), YEAR, **(given | changes)))


async def test_a_nodes_password_that_is_wrong_and_another_issuer(trial: Trial):
    node_token(trial, password="other")
    checks = await trial.check(node=True)
    assert "token_invalid" in checks["node token"][0].what
    (login,) = checks["node login"]
    assert (login.verdict, "password for user node is wrong" in login.what) == (Verdict.WRONG, True)
    assert verdicts(checks, Verdict.NOT_CHECKED) == {"node reach"}


async def test_a_cht_that_differs(trial: Trial):
    trial.set(token="other")
    checks = await trial.check(node=True)
    assert any("its cht differs" in each.what for each in checks["node token"])
    assert verdicts(checks, Verdict.OK) >= {"node login", "node reach"}


async def test_a_node_in_another_account(trial: Trial):
    node_token(trial, user="fleet", password=trial.broker.passwords.fleet)
    checks = await trial.check(node=True)
    assert "nothing that usher asks reaches the node" in checks["node reach"][0].what


async def test_a_node_that_looks_for_another_broker(trial: Trial, unused_tcp_port: int):
    node_token(trial, urls=[f"nats://127.0.0.1:{unused_tcp_port}", "nats://"])
    checks = await trial.check(node=True)
    assert checks["node brokers"][0].verdict is Verdict.WARNING
    assert [each.verdict for each in checks["node login"]] == [Verdict.WRONG, Verdict.WRONG]


async def test_a_node_that_is_sent_to_a_broker_that_says_nothing(trial: Trial):
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    trial.cfg.write_text(f"{trial.cfg.read_text()}plugin.choria.network.connect_timeout = 500ms\n")
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        node_token(trial, urls=[f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"])
        checks = await trial.check(node=True)
    assert "lets nobody in within 1s" in checks["node login"][0].what


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("exit 3", "helper_failed"),
        ("echo nonsense", "helper_bad_output"),
        ("true", "helper_no_output"),
        ("echo '{}'", "`configuration` is missing or empty"),
        ("""echo '{"configuration":{"identity":"x"}}'""", "would stay in provisioning"),
        ("""echo '{"configuration":{"plugin.choria.server.provision":"false","a b":"x"}}'""", "'a b'"),
        ("""echo '{"configuration":{"plugin.choria.server.provision":"false"},"server_claims":{"exp":"x"}}'""", "exp"),
    ],
)
async def test_a_helper_that_does_not_do(trial: Trial, script: str, says: str):
    trial.set(helper=f"sh -c {json.dumps('echo s3cret >&2; ' + script)}")
    found = await trial.check(helper=True, node=True)
    wrong = [
        each for name in ("helper", "server token") for each in found.get(name, ()) if each.verdict is Verdict.WRONG
    ]
    assert len(wrong) == 1, found
    assert says in wrong[0].what
    assert "s3cret" not in str(found)
    assert "login" in verdicts(found, Verdict.OK)


async def test_a_helper_that_defers_is_asked_about_another_node(trial: Trial, tmp_path: Path):
    sample = tmp_path / "sample.json"
    sample.write_text('{"facts": {"maintenance": true}}')
    checks = await trial.check(helper=True, sample=sample, node=True)
    assert (checks["helper"][0].verdict, "defers" in checks["helper"][0].what) == (Verdict.WARNING, True)
    sample.write_text("[]")
    checks = await trial.check(helper=True, sample=sample, node=True)
    assert "no JSON object" in checks["helper"][0].what


async def test_a_helper_knows_that_it_is_a_trial(trial: Trial, tmp_path: Path):
    trial.set(helper=f"sh -c 'echo $USHER_CHECK $USHER_NODE > {tmp_path}/told'")
    await trial.check(helper=True, node=True)
    assert await asyncio.to_thread((tmp_path / "told").read_text) == "1 usher-check.example.net\n"
