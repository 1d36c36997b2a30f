"""The walks of docs/rotation.md, over a real broker, simulated servers, and `usher run` that is never restarted."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from fsm.states import State
from security.issuing import Issuer, make_broker_certificate, make_issuer, make_provisioning_token, make_signer
from store.reader import open_reader
from tests.fakes.whole import Whole, whole
from usher.children import Child
from usher.simulator.broker import HOST, EmbeddedBroker, Passwords
from usher.simulator.material import CALLER, YEAR, helper_script

pytestmark = pytest.mark.network

SENT = (State.RESTARTED, State.PROVISIONED)
"""A node that is there has taken its configuration: the looks that follow are others' tests."""
NEW = "the-new-token-of-nodes"


def replaced(path: Path, text: str) -> None:
    """As careful tools do it: a new file is renamed over the old one."""
    beside = path.with_name(f".{path.name}.new")
    beside.touch(mode=0o600)
    beside.write_text(text)
    beside.chmod(path.stat().st_mode)
    beside.rename(path)


def settings(made: Whole) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(made.site.config.read_text())
    return found


def changed(made: Whole, more: Mapping[str, Any]) -> None:
    replaced(made.site.config, yaml.safe_dump(settings(made) | dict(more)))


def issuer_of(made: Whole) -> Issuer:
    return make_issuer(bytes.fromhex((made.site.site / "issuer.seed").read_text()))


def node_token(made: Whole, issuer: Issuer, secret: str, name: str) -> Path:
    """Another provisioning.jwt."""
    text = make_provisioning_token(
        issuer,
        int(time.time()),
        YEAR,
        token=secret,
        urls=[made.broker.url],
        user="node",
        password=made.broker.passwords.node,
    )
    path = made.site.site / name
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def fleet(made: Whole, names: str, token: Path, nodes: int = 2) -> None:
    words = ["simulate", "--nodes", str(nodes), "--names", f"{names}-{{}}", "--token", str(token)]
    made.start("fleet", *words, "--ca", str(made.site.ca))


async def said(made: Whole, daemon: Child, words: str, times: int = 1) -> None:
    """Wait for a line of the log."""
    await made.until_so(lambda: daemon.log.read_text().count(words) >= times)


async def started(made: Whole) -> Child:
    daemon = made.daemon()
    await made.until_so((made.site.state / "control.sock").exists)
    return daemon


def entries(made: Whole, kind: str) -> list[dict[str, Any]]:
    with open_reader(made.site.state / "usher.db") as reader:
        return [json.loads(entry.payload or b"{}") for entry in reader.fleet() if entry.kind == kind]


async def test_a_new_token_of_nodes_beside_the_old_one_which_then_goes(tmp_path: Path):
    async with whole(tmp_path / "w") as made:
        old = settings(made)["token"]
        daemon = await started(made)
        fleet(made, "old", made.site.provisioning_token)
        await made.until(2, *SENT)

        changed(made, {"token": [NEW, old]})
        await said(made, daemon, "nodes are offered 2, in this order")  # noticed without a word from us
        fleet(made, "new", node_token(made, issuer_of(made), NEW, "new.jwt"))
        fleet(made, "late", made.site.provisioning_token, 1)
        await made.until(5, *SENT)
        listed = json.loads((await made.ask("tokens", "--json")).out)
        assert [(each["token"], each["nodes"]) for each in listed] == [(1, 2), (2, 3)]
        users = await made.ask("nodes", "list", "--token", "2")
        assert [line.split()[0] for line in users.out.splitlines()[1:]] == [
            f"{name}.example.net" for name in ("late-1", "old-1", "old-2")
        ]
        assert "let in with token 2 of 2" in (await made.ask("history", "late-1.example.net")).out

        changed(made, {"token": [NEW]})
        os.kill(daemon.pid, signal.SIGHUP)
        await said(made, daemon, "nodes are offered 1, in this order")
        fleet(made, "forgotten", made.site.provisioning_token, 1)
        await made.until(1, State.FAILED)
        failed = await made.ask("nodes", "list", "--reason", "wrong_token")
        assert "forgotten-1.example.net" in failed.out
        assert "withdrawn" in (await made.ask("tokens")).out
        assert len(entries(made, "tokens")) == 3
        for file in (daemon.log, *made.site.state.glob("usher.db*")):
            assert not [text for text in (old, NEW) if text.encode() in file.read_bytes()], file


async def test_another_signer_is_a_policy_before_it_signs_and_what_is_wrong_changes_nothing(tmp_path: Path):
    async with whole(tmp_path / "w") as made:
        daemon = await started(made)
        seed, token = made.site.site / "signer.seed", made.site.site / "signer.jwt"
        before = token.read_text()

        replaced(token, before[: len(before) // 2])  # half of it has been copied
        await said(made, daemon, "cannot be used; what was read before stays in use")
        fleet(made, "a", made.site.provisioning_token, 1)
        await made.until(1, *SENT)

        other = make_signer(issuer_of(made), CALLER, int(time.time()), 2 * YEAR)
        replaced(seed, other.seed_hex)
        replaced(token, other.token)
        os.kill(daemon.pid, signal.SIGHUP)
        await said(made, daemon, "server tokens are signed by")
        await said(made, daemon, "the client token is")  # the demo logs in with its signer token
        fleet(made, "b", made.site.provisioning_token, 1)
        await made.until(2, *SENT)
        (taken,) = [each for each in entries(made, "reload") if each["setting"] == "jwt_signing_key"]
        with open_reader(made.site.state / "usher.db") as reader:
            signers = [reader.node(f"{name}-1.example.net").facts.token.signer for name in "ab"]
            rows = reader.latest("b-1.example.net")
            policies = {json.loads(reader.policy(row.policy) or b"{}")["signer"] for row in rows}
        assert signers == [taken["before"], taken["signer"]]
        assert policies == {taken["signer"]}
        assert other.seed_hex.encode() not in daemon.log.read_bytes()

        # a token that ends before the server tokens that it signs would
        short = make_signer(issuer_of(made), CALLER, int(time.time()), YEAR // 2)
        replaced(seed, short.seed_hex)
        replaced(token, short.token)
        await said(made, daemon, "server tokens end with it, not after server_jwt_validity")
        assert "renew      jwt_signing_token: it expires in" in (await made.ask("status")).out
        words = ("check-config", "--config", str(made.site.config), "--choria-config", str(made.site.choria_config))
        checked = await made.say(*words)
        assert (checked.code, "server tokens end with it" in checked.out) == (0, True)


async def test_another_password_and_authority_of_the_broker(tmp_path: Path):
    async with whole(tmp_path / "w") as made:
        daemon = await started(made)
        await said(made, daemon, "connected")
        changed(made, {"broker_provisioning_password": "another-password", "interval": "2m"})
        await said(made, daemon, "broker_provisioning_password: another one from the next login on")
        await said(made, daemon, "interval needs a restart")

        await made.broker.astop()
        certificate, given = make_broker_certificate([HOST, "localhost"]), made.broker.passwords
        passwords = Passwords(provisioner="another-password", node=given.node, fleet=given.fleet)
        async with EmbeddedBroker(made.broker.directory, certificate, port=made.broker.port, passwords=passwords):
            await said(made, daemon, "the broker's authority is the file with the digest")
            fleet(made, "a", made.site.provisioning_token, 1)
            await made.until(1, *SENT)
        assert b"another-password" not in daemon.log.read_bytes()


async def test_another_organization_issuer(tmp_path: Path):
    async with whole(tmp_path / "w") as made:
        daemon = await started(made)
        issuer = make_issuer()
        signer = make_signer(issuer, CALLER, int(time.time()), 2 * YEAR)
        replaced(made.site.helper, helper_script(issuer.public_hex))
        replaced(made.site.site / "signer.seed", signer.seed_hex)
        replaced(made.site.site / "signer.jwt", signer.token)
        before = settings(made)["jwt_verify_cert"]
        changed(made, {"jwt_verify_cert": [issuer.public_hex, before]})
        os.kill(daemon.pid, signal.SIGHUP)
        both = f"the keys {issuer.public_hex[:16]} and {before[:16]}, in this order,"
        await said(made, daemon, f"jwt_verify_cert: {both} from now on")
        await said(made, daemon, "server tokens are signed by")
        fleet(made, "a", node_token(made, issuer, settings(made)["token"], "new.jwt"), 1)
        fleet(made, "b", made.site.provisioning_token, 1)
        await made.until(2, *SENT)
        changed(made, {"jwt_verify_cert": issuer.public_hex})
        await said(made, daemon, f"jwt_verify_cert: the key {issuer.public_hex[:16]} from now on")
        fleet(made, "c", made.site.provisioning_token, 1)  # verified by the issuer before
        await made.until(1, State.FAILED)
        assert "token_invalid" in (await made.ask("nodes", "list", "--in", "failed")).out


async def test_a_key_that_seals_is_replaced_while_usher_runs(tmp_path: Path):
    async with whole(tmp_path / "w") as made:
        await started(made)
        before = (made.site.state / "vault.key").read_text()
        done = await made.ask("db", "rekey", "--reason", "the yearly change")
        assert (done.code, "is not needed any more" in done.out) == (0, True)
        assert (made.site.state / "vault.key").read_text() != before
