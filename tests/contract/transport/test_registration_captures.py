"""Protocol v1 as it really crossed the wire, and registration data as it is made of that."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.registering import registration_v1
from transport.registration import registered
from transport.wire import v1
from transport.wire.errors import WireError


@pytest.fixture(scope="module")
def captured(shared: Path) -> list[dict[str, Any]]:
    """Every v1 transport message of the capture, parsed."""
    rows = [json.loads(line) for line in (shared / "wire/v1-pki.jsonl").read_text().splitlines()]
    payloads = [str(row.get("payload", "")) for row in rows if row["op"] == "pub"]
    found = [json.loads(payload) for payload in payloads if '"choria:transport:1"' in payload]
    assert len(found) > 3
    return found


def secured(message: dict[str, Any]) -> dict[str, Any]:
    secure: dict[str, Any] = json.loads(b64decode(message["data"]))
    return secure


def requests(captured: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [message for message in captured if secured(message)["protocol"] == v1.SECURE_REQUEST]
    assert found
    return found


def test_every_request_decodes(captured):
    for message in requests(captured):
        theirs = json.loads(secured(message)["message"])
        request = v1.decode_request(json.dumps(message).encode())
        assert request.sender == request.header_sender == theirs["envelope"]["senderid"]
        assert request.collective == "provisioning"
        assert (request.agent, request.payload.decode()) == (theirs["envelope"]["agent"], theirs["message"])


def test_what_is_no_request_is_none(captured):
    replies = [message for message in captured if secured(message)["protocol"] != v1.SECURE_REQUEST]
    for message in replies:
        with pytest.raises(WireError, match="wrong_protocol"):
            v1.decode_request(json.dumps(message).encode())


def test_a_request_to_the_agent_registration_is_a_registration(captured):
    """A node's is theirs in form: another agent, and words where the signature is."""
    for message in requests(captured):
        with pytest.raises(WireError):
            registered(json.dumps(message).encode())
        secure = secured(message)
        request = json.loads(secure["message"])
        request["envelope"]["agent"] = "registration"
        secure |= {"message": json.dumps(request), "signature": "insecure", "pubcert": "insecure"}
        changed = message | {"data": b64encode(json.dumps(secure).encode()).decode()}
        assert registered(json.dumps(changed).encode()) == request["envelope"]["senderid"]


def test_the_tests_own_is_theirs_in_form(captured):
    ours = json.loads(registration_v1())
    for message in requests(captured):
        theirs, secure = json.loads(secured(message)["message"]), secured(ours)
        request = json.loads(secure["message"])
        assert message.keys() == ours.keys()
        assert message["headers"].keys() == ours["headers"].keys()
        assert secured(message).keys() == secure.keys()
        assert theirs.keys() == request.keys()
        assert theirs["envelope"].keys() == request["envelope"].keys()
