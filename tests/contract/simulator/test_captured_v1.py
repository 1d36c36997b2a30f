"""The simulator against the captured x509 network: the same requests in the same situation, the same answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from security.ca import SmallCa
from security.csr import RequestVerifier
from tests.contract.simulator.test_captured import ENTROPY, lines, run_until
from tests.fakes.shapes import secure_shape, shape, transport_shape
from transport.wire import v1
from transport.wire.mcorpc import decode_answer
from transport.wire.messages import Version
from usher.config.keys import DENIED
from usher.simulator.kinds import made_keys
from usher.simulator.model import SECOND, Announce, Answer, Attach, Mode, Setup
from usher.simulator.node import receive, start
from usher.simulator.startup import boot, claims

NOW = 1_795_202_300
NODE = "v1a.example.net"
LATE = "choria.lifecycle.event.alive."


@pytest.fixture
def session(shared: Path) -> list[dict[str, Any]]:
    return lines(shared / "wire" / "v1-pki.jsonl")


def test_session(session: list[dict[str, Any]]) -> None:
    """The captured provisioning of the node: the same publications in the same order, its subscriptions, its end."""
    asked = [entry for entry in session if entry["op"] == "pub" and entry["subject"].endswith(f"node.{NODE}")]
    published = [entry for entry in session if entry["op"] == "pub" and entry["from"] == "server"]
    connect = next(entry for entry in session if entry["from"] == "server" and entry["op"] == "connect")
    token = connect["options"]["auth_token"]
    setup = Setup(
        token=token, secret=claims(token)["cht"], broker="nats://localhost:4333", version=Version.V1, keys=made_keys(2)
    )
    first = orjson.loads(published[0]["payload"])
    step = start(NODE, setup, first["data"]["timestamp"] * SECOND, ENTROPY)
    attach, said = step.outputs
    assert isinstance(attach, Attach)
    assert list(attach.subjects) == [e["subject"] for e in session if e["from"] == "server" and e["op"] == "sub"]
    assert isinstance(said, Announce)
    assert shape(orjson.loads(said.payload)) == shape(first)
    node = step.node._replace(process=step.node.process._replace(alive_at=0))
    ours: list[tuple[str, bytes]] = [(said.subject, said.payload)]
    for entry in asked:
        request = v1.decode_request(entry["payload"].encode())
        step = receive(node, setup, request, request.time_ns + 1000, ENTROPY)
        node = step.node
        ours += [(out.subject, out.payload) for out in step.outputs if isinstance(out, Announce | Answer)]
    theirs = [entry for entry in published if not entry["subject"].startswith(LATE)]
    assert [subject for subject, _ in ours] == [entry["subject"] for entry in theirs]
    actions = [compare(payload, entry["payload"].encode()) for (_, payload), entry in zip(ours, theirs, strict=True)]
    assert [action for action in actions if action] == ["jwt", "inventory", "gencsr", "configure", "restart"]
    node = run_until(node, setup, request.time_ns + 4 * SECOND, [])
    assert node.process.mode is Mode.DEAD, "the captured certificate is for the key of the captured node"


def compare(payload: bytes, captured: bytes) -> str:
    """One publication; the action if it is an answer."""
    if b"choria:transport:1" not in captured:
        assert shape(orjson.loads(payload)) == shape(orjson.loads(captured))
        return ""
    assert transport_shape(payload) == transport_shape(captured)
    assert secure_shape(payload) == secure_shape(captured)
    ours, theirs = v1.decode_reply(payload), v1.decode_reply(captured)
    assert (ours.sender, ours.request_id, ours.agent) == (theirs.sender, theirs.request_id, theirs.agent)
    mine, said = decode_answer(ours.payload), decode_answer(theirs.payload)
    assert (mine.action, mine.code, mine.message) == (said.action, said.code, said.message)
    assert list(mine.data) == list(said.data)
    changing = {"csr", "public_key", "ecdh_public"}
    assert {name: mine.data[name] for name in mine.data if name not in changing} == {
        name: said.data[name] for name in said.data if name not in changing
    }
    if mine.action == "gencsr":
        for data in (mine.data, said.data):
            RequestVerifier(DENIED, strict=True).certificate_request(data["csr"], data["public_key"], NODE)
    return mine.action


def test_the_file_that_was_written_makes_a_server_of_certificate_and_key(shared: Path) -> None:
    """wire/server.conf.v1-written, with the files that it names."""
    text = (shared / "wire" / "server.conf.v1-written").read_text()
    (pair, other), authority = made_keys(2), SmallCa.make("ca", NOW, 3600)
    setup = Setup("t", "s", version=Version.V1)
    ssl = setup.ssl_directory
    files = {
        setup.config_file: text, f"{ssl}/ca.pem": authority.certificate,
        f"{ssl}/certificate.pem": authority.certify(pair.request({"cn": NODE}), NODE, NOW, 3600),
    }  # fmt: skip
    node = start(NODE, setup, NOW * SECOND, ENTROPY).node
    for key, mode in ((pair, Mode.SERVER), (other, Mode.DEAD)):
        there = node._replace(files={**files, f"{ssl}/private.pem": key.private_pem})
        assert boot(there, setup, NOW * SECOND, ENTROPY).node.process.mode is mode
    assert boot(node._replace(files=files), setup, NOW * SECOND, ENTROPY).node.process.mode is Mode.DEAD
