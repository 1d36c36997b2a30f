"""What really crossed the wire of an x509 network decodes, verifies, and is what we would have sent."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from security.certificate import signed_by_certificate
from tests.contract.transport.test_captures import replies, requests, rows_of, shape
from tests.fakes.link import Known
from transport import subjects
from transport.credentials import connect_options
from transport.discovery import AGENT
from transport.wire import mcorpc, v1
from transport.wire.caller import INSECURE, Caller
from transport.wire.events import decode_event, encode_startup
from transport.wire.messages import Filter, Version, WireRequest

Row = dict[str, Any]
SECOND = 10**9


@pytest.fixture(scope="module")
def wire(shared: Path) -> Path:
    return shared / "wire"


@pytest.fixture(scope="module")
def published(wire: Path) -> list[Row]:
    """All that was published."""
    return [row for row in rows_of(wire, "v1-pki.jsonl") if row["op"] == "pub"]


def decoded(row: Row) -> WireRequest:
    return v1.decode_request(row["payload"].encode())


def server_of(row: Row) -> str:
    server: str = json.loads(row["payload"])["headers"]["seen-by"][0][0]
    return server


def test_every_request_decodes_and_its_signature_verifies(published):
    for row in requests(published):
        request = decoded(row)
        assert request.signature is not None
        assert signed_by_certificate(request.credential, request.signed, request.signature)
        assert not signed_by_certificate(request.credential, request.signed + b" ", request.signature)
        assert request.credential.startswith("-----BEGIN CERTIFICATE-----\n")
        assert request.header_sender == request.sender
        assert request.ttl >= v1.SHORTEST_TTL
        assert request.filter == Filter(agent=("choria_provision" if request.agent == AGENT else request.agent,))
        assert request.reply_to == subjects.reply(request.caller, request.request_id)
        if request.agent == AGENT:
            assert request.payload == mcorpc.DISCOVERY_PING
            assert row["subject"] == subjects.broadcast(AGENT)
        else:
            assert mcorpc.decode_call(request.payload).agent == request.agent
            assert row["subject"] == subjects.node("v1a.example.net")


def test_every_reply_decodes_and_names_its_request(published):
    asked = {decoded(row).request_id: decoded(row) for row in requests(published)}
    for row in replies(published):
        reply = v1.decode_reply(row["payload"].encode())
        request = asked[reply.request_id]
        assert row["subject"] == request.reply_to
        assert (reply.sender, reply.header_sender) == ("v1a.example.net", "v1a.example.net")
        assert reply.agent == request.agent
        assert -SECOND < reply.time_ns - request.time_ns < 10 * SECOND
        answer = mcorpc.decode_answer(reply.payload)
        assert (answer.action, answer.code) == (mcorpc.decode_call(request.payload).action, mcorpc.OK)


def test_the_hash_of_a_captured_reply_is_over_its_text(published):
    for row in replies(published):
        secure = json.loads(b64decode(json.loads(row["payload"])["data"]))
        assert b64decode(secure["hash"]) == sha256(secure["message"].encode()).digest()


def test_a_request_of_ours_is_theirs_byte_for_byte(published):
    same = 0
    for row in requests(published):
        theirs = decoded(row)
        caller = Caller(
            Version.V1, theirs.sender, theirs.caller, theirs.credential, lambda _data, theirs=theirs: theirs.signature
        )
        payload = theirs.payload
        if theirs.agent != AGENT:
            call = mcorpc.decode_call(payload)
            payload = mcorpc.encode_call(call.agent, call.action, call.data)
            assert json.loads(payload) == json.loads(theirs.payload)
        assert theirs.filter is not None
        ours = v1.encode_request(
            payload, caller=caller, agent=theirs.agent, request_id=theirs.request_id, reply_to=theirs.reply_to,
            ttl=theirs.ttl, time_ns=theirs.time_ns, filter_agents=theirs.filter.agent or (), server=server_of(row),
        )  # fmt: skip
        assert shape(json.loads(ours)) == shape(json.loads(row["payload"]))
        if payload == theirs.payload:
            assert ours.decode() == row["payload"]
            same += 1
    assert same > 3


def test_a_reply_of_ours_is_theirs_byte_for_byte(published):
    for row in replies(published):
        theirs = v1.decode_reply(row["payload"].encode())
        ours = v1.encode_reply(
            theirs.payload, request_id=theirs.request_id, sender=theirs.sender, agent=theirs.agent,
            time_ns=theirs.time_ns, server=server_of(row),
        )  # fmt: skip
        assert ours.decode() == row["payload"]


def test_an_unsecured_request_of_ours_is_theirs_but_for_the_two_words(published):
    for row in requests(published):
        theirs = decoded(row)
        caller = Caller(Version.V1, theirs.sender, theirs.caller, INSECURE, None)
        assert theirs.filter is not None
        ours = v1.encode_request(
            theirs.payload, caller=caller, agent=theirs.agent, request_id=theirs.request_id, reply_to=theirs.reply_to,
            ttl=theirs.ttl, time_ns=theirs.time_ns, filter_agents=theirs.filter.agent or (), server=server_of(row),
        )  # fmt: skip
        mine, captured = json.loads(ours), json.loads(row["payload"])
        secure = json.loads(b64decode(captured["data"])) | {"signature": "insecure", "pubcert": "insecure"}
        assert json.loads(b64decode(mine["data"])) == secure
        assert mine == captured | {"data": b64encode(json.dumps(secure, separators=(",", ":")).encode()).decode()}


def test_every_lifecycle_event_decodes_and_our_startup_is_theirs(published):
    events = [row for row in published if row["subject"].startswith("choria.lifecycle.")]
    assert len(events) > 3
    for row in events:
        event = decode_event(row["payload"].encode())
        assert row["subject"] == subjects.lifecycle(event.kind, event.component)
    (row,) = [row for row in events if row["from"] == "provisioner"]
    theirs = json.loads(row["payload"])
    ours = encode_startup(
        identity=theirs["identity"], version=theirs["version"], event_id=theirs["id"], timestamp=theirs["timestamp"]
    )
    assert ours.decode() == row["payload"]


def test_our_connect_is_theirs(wire):
    """The provisioner's: user and password and nothing else, since the certificate is TLS's; its INFO has no nonce."""
    compared = 0
    for row in rows_of(wire, "v1-pki.jsonl"):
        if row["op"] == "info" and row["from"] == "provisioner":
            assert row["nonce"] is None
        if row["op"] == "connect" and row["from"] == "provisioner":
            theirs = row["options"]
            info = {"nonce": None, "headers": True, "tls_required": True}
            ours = connect_options(
                Known(theirs["user"], theirs["pass"]), info, name=theirs["name"], version=theirs["version"], tls=True
            )
            assert ours == theirs | {"lang": ours["lang"]}
            compared += 1
    assert compared > 10
