"""Whatever bytes come as protocol v1, a layer gives a value or a WireError, which names what is wrong."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.link import CALLERS, UNSECURED
from tests.property.transport.test_wire import JSON, dumps, survives
from transport.wire import v1
from transport.wire.caller import INSECURE
from transport.wire.errors import WireError
from transport.wire.versions import WIRES, Version, decode_request

ID = "293e13a61c6e4d928bf34de508575dbc"
FILTER: dict[str, Any] = {"fact": [], "cf_class": [], "agent": ["discovery"], "identity": [], "compound": []}
ENVELOPES: dict[str, dict[str, Any]] = {
    "reply": {"requestid": ID, "senderid": "n1", "agent": "discovery", "time": 1795202234},
    "request": {
        "requestid": ID, "senderid": "s", "callerid": "choria=s", "collective": "provisioning", "agent": "discovery",
        "ttl": 60, "time": 1795202485, "filter": FILTER,
    },
}  # fmt: skip
KINDS = {"reply": v1.REPLY, "request": v1.REQUEST}
SECURE = {"reply": v1.SECURE_REPLY, "request": v1.SECURE_REQUEST}
DECODERS: dict[str, Callable[[bytes], object]] = {"reply": v1.decode_reply, "request": v1.decode_request}


def document(layer: str, envelope: object = None, **changed: Any) -> dict[str, Any]:
    """A reply or a request, in it this envelope or a good one."""
    given = ENVELOPES[layer] if envelope is None else envelope
    return {"protocol": KINDS[layer], "message": "pong", "envelope": given} | changed


def sealed(layer: str, inner: bytes, **changed: Any) -> bytes:
    """The transport message around the text of a document; its secure document changed."""
    proof = (
        {"hash": b64encode(hashlib.sha256(inner).digest()).decode()}
        if layer == "reply"
        else {"signature": "AAAA", "pubcert": "x"}
    )
    secure = {"protocol": SECURE[layer], "message": inner.decode()} | proof | changed
    headers = {"mc_sender": "n1", "reply-to": "a.b"}
    return dumps({"protocol": v1.TRANSPORT, "data": b64encode(dumps(secure)).decode(), "headers": headers})


@pytest.mark.parametrize("layer", DECODERS)
@given(data=st.binary(max_size=200), given_=JSON)
def test_anything(layer, data, given_):
    decode = DECODERS[layer]
    assert decode(sealed(layer, dumps(document(layer))))
    for message in (data, dumps(given_), dumps({"protocol": v1.TRANSPORT, "data": given_, "headers": given_})):
        survives(decode, message)
        survives(decode_request, message)
    survives(decode, dumps({"protocol": v1.TRANSPORT, "data": b64encode(data).decode(), "headers": {}}))
    survives(decode, sealed(layer, dumps(given_)))
    survives(decode, sealed(layer, dumps(document(layer, given_))))
    survives(decode, sealed(layer, dumps(document(layer)), message=given_))


@pytest.mark.parametrize("layer", DECODERS)
@given(data=st.data())
def test_one_field_is_anything_or_missing(layer, data):
    decode, envelope = DECODERS[layer], ENVELOPES[layer]
    name = data.draw(st.sampled_from(sorted(envelope)))
    less = {key: value for key, value in envelope.items() if key != name}
    survives(decode, sealed(layer, dumps(document(layer, less))))
    survives(decode, sealed(layer, dumps(document(layer, less | {name: data.draw(JSON)}))))
    survives(decode, sealed(layer, dumps(document(layer, message=data.draw(JSON)))))


@pytest.mark.parametrize("layer", DECODERS)
def test_a_missing_field_is_named(layer):
    for name in ENVELOPES[layer]:
        less = {key: value for key, value in ENVELOPES[layer].items() if key != name}
        with pytest.raises(WireError) as caught:
            DECODERS[layer](sealed(layer, dumps(document(layer, less))))
        assert caught.value.detail == f"envelope.{name}"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ttl": 29}, "wrong_field"),
        ({"ttl": 60.0}, "wrong_field"),
        ({"requestid": "3MNrNWWARsKolp2zejBZdfsgwe7"}, "wrong_field"),
        ({"requestid": "293e13a6-1c6e-4d92-8bf3-4de508575dbc"}, "wrong_field"),
        ({"time": 1795202485000000000}, "wrong_field"),
        ({"time": True}, "wrong_field"),
        ({"callerid": ""}, "wrong_field"),
        ({"filter": {"fact": []}}, "wrong_field"),
    ],
)
def test_what_a_v1_server_throws_away_is_no_request(change, reason):
    with pytest.raises(WireError) as caught:
        v1.decode_request(sealed("request", dumps(document("request", ENVELOPES["request"] | change))))
    assert caught.value.reason == reason


def test_a_reply_whose_hash_does_not_fit_is_none():
    inner = dumps(document("reply"))
    with pytest.raises(WireError, match="wrong_hash"):
        v1.decode_reply(sealed("reply", inner, hash=b64encode(hashlib.sha256(b"other").digest()).decode()))


def test_a_filter_without_agents_is_told_from_an_empty_one():
    """The real server runs such a request and cannot answer it (wire/protocol.md §2.6)."""
    without = {name: terms for name, terms in FILTER.items() if name != "agent"}
    request = v1.decode_request(
        sealed("request", dumps(document("request", ENVELOPES["request"] | {"filter": without})))
    )
    assert request.filter is not None
    assert request.filter.agent is None


@pytest.mark.parametrize("caller", [CALLERS[Version.V1], UNSECURED], ids=["secured", "unsecured"])
@given(payload=st.text(min_size=1, max_size=40), time=st.integers(0, 2**62))
def test_documents_are_texts_in_texts(caller, payload, time):
    """Nothing but the transport's `data` is base64, and what is signed is the text that travels (§11, 1 and 2)."""
    message = v1.encode_request(
        payload.encode(), caller=caller, agent="rpcutil", request_id=ID, reply_to="a.b", ttl=30, time_ns=time,
        server="nats://b:4222",
    )  # fmt: skip
    outer = orjson.loads(message)
    assert outer["headers"] == {
        "reply-to": "a.b", "mc_sender": caller.sender, "seen-by": [["nats://b:4222", caller.sender, "nats://b:4222"]],
    }  # fmt: skip
    got = v1.decode_request(message)
    assert orjson.loads(got.signed) == {
        "protocol": v1.REQUEST, "message": payload, "envelope": {
            "requestid": ID, "senderid": caller.sender, "callerid": caller.caller, "collective": "provisioning",
            "agent": "rpcutil", "ttl": 30, "time": time // 10**9, "filter": FILTER | {"agent": []},
        },
    }  # fmt: skip
    assert got.credential == caller.credential
    assert got.signature == (None if caller.sign is None else caller.sign(got.signed))
    assert (got.signature is None) == (got.credential == INSECURE)


@given(time=st.integers(1, 2**62))
def test_the_time_of_a_reply_is_never_before_it_was_written(time):
    """So that a process never seems younger than it is; v1 tells no more than the second, v2 all of it."""
    for version, wire in WIRES.items():
        reply = wire.encode_reply(b"pong", request_id="r", sender="n1", agent="discovery", time_ns=time)
        late = wire.decode_reply(reply).time_ns - time
        assert 0 <= late < 10**9 if version is Version.V1 else late == 0


@given(entropy=st.binary(max_size=20), now=st.integers(1_400_000_000_000, 4_102_444_800_000))
def test_a_request_id_is_what_its_nodes_take(entropy, now):
    made = WIRES[Version.V1].make_id(now, entropy)
    assert len(made) == 32
    assert set(made) <= set("0123456789abcdef")
    assert len(WIRES[Version.V2].make_id(now, entropy)) == 27


def test_a_payload_that_is_no_text_is_not_sent():
    for encode in (
        lambda: v1.encode_reply(b"\xff", request_id=ID, sender="n", agent="a", time_ns=1),
        lambda: v1.encode_request(b"\xff", caller=UNSECURED, agent="a", request_id=ID, reply_to="a", ttl=30, time_ns=1),
    ):
        with pytest.raises(WireError, match="not_text"):
            encode()
