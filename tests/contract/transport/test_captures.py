"""What really crossed the wire decodes, verifies, and is what we would have sent."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import VerifyKey

from tests.fakes.link import Known
from transport import subjects
from transport.credentials import connect_options
from transport.discovery import AGENT
from transport.wire import mcorpc, v2
from transport.wire.caller import Caller
from transport.wire.events import LifecycleEvent, decode_event, encode_startup
from transport.wire.messages import Filter, Version

V2 = ("v2-ed25519.jsonl", "v2-rare.jsonl", "v2-fleet-side.jsonl")
Row = dict[str, Any]


@pytest.fixture(scope="module")
def wire(shared: Path) -> Path:
    """The folder of the captures."""
    return shared / "wire"


@pytest.fixture(scope="module")
def published(wire: Path) -> list[Row]:
    """All that was published in the long capture."""
    rows = [json.loads(line) for line in (wire / "v2-ed25519.jsonl").read_text().splitlines()]
    return [row for row in rows if row["op"] == "pub"]


def rows_of(wire: Path, name: str) -> list[Row]:
    return [json.loads(line) for line in (wire / name).read_text().splitlines()]


def requests(published: list[Row]) -> list[Row]:
    found = [row for row in published if row["subject"].startswith(("provisioning.node.", "provisioning.broadcast."))]
    assert found
    return found


def replies(published: list[Row]) -> list[Row]:
    found = [row for row in published if row["subject"].startswith("provisioning.reply.") and row["from"] == "server"]
    assert found
    return found


def shape(document: object) -> object:
    """Keys and nesting: every document in base64 is opened, every other value becomes its type."""
    if isinstance(document, dict):
        return {key: shape(opened(value)) for key, value in document.items()}
    if isinstance(document, list):
        return [shape(value) for value in document]
    return type(document).__name__


def opened(value: object) -> object:
    try:
        inner = json.loads(b64decode(value, validate=True)) if isinstance(value, str) else None
    except ValueError:
        return value
    return inner if isinstance(inner, dict) else value


def test_every_request_decodes_and_its_signature_verifies(wire, published):
    public = VerifyKey(bytes.fromhex((wire / "keys/provisioner-ed25519-public.hex").read_text().strip()))
    for row in requests(published):
        request = v2.decode_request(row["payload"].encode())
        public.verify(request.signed, request.signature)
        assert request.credential == (wire / "keys/provisioner-client.jwt").read_text().strip()
        assert request.filter == Filter(agent=("choria_provision" if request.agent == AGENT else request.agent,))
        assert request.reply_to == subjects.reply(request.caller, request.request_id)
        if request.agent == AGENT:
            assert request.payload == mcorpc.DISCOVERY_PING
            assert row["subject"] == subjects.broadcast(AGENT)
        else:
            assert mcorpc.decode_call(request.payload).agent == request.agent


def test_every_reply_decodes_and_names_its_request(published):
    asked = {}
    for row in requests(published):
        request = v2.decode_request(row["payload"].encode())
        asked[request.request_id] = request
    for row in replies(published):
        reply = v2.decode_reply(row["payload"].encode())
        request = asked[reply.request_id]
        assert row["subject"] == request.reply_to
        assert reply.sender == reply.header_sender
        assert reply.agent == request.agent
        if request.agent == AGENT:
            assert reply.payload == mcorpc.PONG
        else:
            answer = mcorpc.decode_answer(reply.payload)
            assert answer.action == mcorpc.decode_call(request.payload).action


def test_a_request_of_ours_is_theirs_byte_for_byte(published):
    for row in requests(published):
        theirs = v2.decode_request(row["payload"].encode())
        trace = json.loads(row["payload"])["headers"]["trace"]
        caller = Caller(
            Version.V2, theirs.sender, theirs.caller, theirs.credential, lambda _data, theirs=theirs: theirs.signature
        )
        payload = theirs.payload
        if theirs.agent != AGENT:
            call = mcorpc.decode_call(payload)
            payload = mcorpc.encode_call(call.agent, call.action, call.data)
            assert json.loads(payload) == json.loads(theirs.payload)
            assert shape(json.loads(payload)) == shape(json.loads(theirs.payload))
        assert theirs.filter is not None
        ours = v2.encode_request(
            payload, caller=caller, agent=theirs.agent, request_id=theirs.request_id, reply_to=theirs.reply_to,
            ttl=theirs.ttl, time_ns=theirs.time_ns, filter_agents=theirs.filter.agent or (), server=trace[0][0],
        )  # fmt: skip
        assert shape(json.loads(ours)) == shape(json.loads(row["payload"]))
        if payload == theirs.payload:
            assert ours.decode() == row["payload"]


def test_a_reply_of_ours_is_theirs_byte_for_byte(published):
    for row in replies(published):
        theirs = v2.decode_reply(row["payload"].encode())
        ours = v2.encode_reply(
            theirs.payload, request_id=theirs.request_id, sender=theirs.sender, agent=theirs.agent,
            time_ns=theirs.time_ns, server=json.loads(row["payload"])["headers"]["trace"][0][0],
        )  # fmt: skip
        assert ours.decode() == row["payload"]


@pytest.mark.parametrize("name", V2[1:])
def test_every_answer_of_the_rare_paths_is_an_answer(wire, name):
    answers = [row for row in rows_of(wire, name) if "reply" in row]
    assert answers
    for row in answers:
        answer = mcorpc.decode_answer(json.dumps(row["reply"]).encode())
        assert (answer.action, answer.data) == (row["request"]["action"], row["reply"]["data"])
        call = row["request"]
        ours = mcorpc.decode_call(mcorpc.encode_call(call["agent"], call["action"], call["data"]))
        assert (ours.agent, ours.action, ours.data) == (call["agent"], call["action"], call["data"])


def test_every_lifecycle_event_decodes(wire, published):
    events = [(row["subject"], row["payload"]) for row in published if row["subject"].startswith("choria.lifecycle.")]
    events += [(row["event"], json.dumps(row["payload"])) for row in rows_of(wire, "v2-rare.jsonl") if "event" in row]
    assert len(events) > 10
    for subject, payload in events:
        event = decode_event(payload.encode())
        assert subject == subjects.lifecycle(event.kind, event.component)
        assert isinstance(event, LifecycleEvent)
        assert event.version if event.kind in {"startup", "alive"} else not event.version


def test_our_startup_event_is_theirs_byte_for_byte(published):
    row = next(row for row in published if row["subject"] == subjects.lifecycle("startup", "provisioner"))
    theirs = json.loads(row["payload"])
    ours = encode_startup(
        identity=theirs["identity"],
        version=theirs["version"],
        event_id=theirs["id"],
        timestamp=theirs["timestamp"],
    )
    assert ours.decode() == row["payload"]


def test_our_connect_is_theirs(wire):
    infos = {}
    compared = 0
    for row in rows_of(wire, "v2-ed25519.jsonl"):
        key = (row["from"], row["connection"])
        if row["op"] == "info":
            infos.setdefault(key, row)
        if row["op"] == "connect":
            theirs = row["options"]
            known = Known(theirs.get("user", ""), theirs.get("pass", ""), theirs["auth_token"])
            info = {"nonce": infos[key]["nonce"] if "sig" in theirs else None, "headers": True, "tls_required": True}
            ours = connect_options(known, info, name=theirs["name"], version=theirs["version"], tls=True)
            assert ours.keys() == theirs.keys()
            differ = {name for name in ours if ours[name] != theirs[name]}
            assert differ <= {"sig", "lang"}
            compared += 1
    assert compared > 20


def test_the_captured_nonce_signature_is_over_the_nonce_as_it_is(wire):
    public = VerifyKey(bytes.fromhex((wire / "keys/provisioner-ed25519-public.hex").read_text().strip()))
    nonces = {}
    for row in rows_of(wire, "v2-ed25519.jsonl"):
        if row["from"] == "provisioner" and row["op"] == "info" and row["nonce"]:
            nonces.setdefault(row["connection"], row["nonce"])
        if row["from"] == "provisioner" and row["op"] == "connect":
            public.verify(nonces[row["connection"]].encode(), urlsafe_b64decode(row["options"]["sig"] + "=="))
    assert nonces


def test_the_hash_of_a_captured_reply_is_over_the_document_as_it_is(published):
    for row in replies(published):
        secure = json.loads(b64decode(json.loads(row["payload"])["data"]))
        assert b64decode(secure["hash"]) == hashlib.sha256(b64decode(secure["reply"])).digest()
