"""Whatever bytes come, a layer gives a value or a WireError; what we encode, we decode."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.link import CALLERS
from transport.wire import events, mcorpc, v2
from transport.wire.errors import WireError
from transport.wire.messages import Filter
from transport.wire.versions import WIRES, Version, decode_request

DECODERS: dict[str, Callable[[bytes], object]] = {
    "reply": v2.decode_reply,
    "request": v2.decode_request,
    "call": mcorpc.decode_call,
    "answer": mcorpc.decode_answer,
    "event": events.decode_event,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.from_regex(r"[a-z0-9-]{1,8}(\.[a-z0-9-]{1,8}){0,3}", fullmatch=True)
TEXT = st.text(min_size=1, max_size=20)
DATA = st.dictionaries(st.text(max_size=8), JSON, max_size=4)


def survives(decode: Callable[[bytes], object], data: bytes) -> None:
    """A value or a WireError, whose words are printable and short."""
    try:
        decode(data)
    except WireError as error:
        said = error
    else:
        return
    assert said.reason
    assert len(str(said)) < 200


def dumps(document: object) -> bytes:
    """JSON, whose numbers may be what orjson would not write."""
    return orjson.dumps(document)


def b64(data: bytes) -> str:
    return b64encode(data).decode()


def sealed(inner: bytes, kind: str = "reply") -> bytes:
    """The transport message around the bytes of a reply or of a request."""
    if kind == "reply":
        secure = {"protocol": v2.SECURE_REPLY, "reply": b64(inner), "hash": b64(hashlib.sha256(inner).digest())}
    else:
        secure = {"protocol": v2.SECURE_REQUEST, "request": b64(inner), "signature": "AAAA", "caller": "x"}
    headers = {"sender": "n1", "reply": "a.b"}
    return dumps({"protocol": v2.TRANSPORT, "data": b64(dumps(secure)), "headers": headers})


REPLY = {"protocol": v2.REPLY, "message": "cG9uZw==", "request": "1", "sender": "n1", "agent": "discovery", "time": 1}
REQUEST = {
    "protocol": v2.REQUEST, "message": "cG9uZw==", "id": "1", "sender": "s", "caller": "c",
    "collective": "provisioning", "agent": "discovery", "ttl": 60, "time": 1,
    "filter": {"fact": [], "cf_class": [], "agent": [], "identity": [], "compound": []},
}  # fmt: skip
ANSWER = {"action": "ping", "statuscode": 0, "statusmsg": "OK", "data": {}}
CALL = {"agent": "rpcutil", "action": "ping", "data": {}}
EVENT = {
    "protocol": "io.choria.lifecycle.v1.startup", "id": "x", "identity": "n1", "component": "server", "timestamp": 1,
    "version": "1",
}  # fmt: skip
GOOD: dict[str, tuple[dict[str, Any], Callable[[bytes], bytes]]] = {
    "reply": (REPLY, sealed),
    "request": (REQUEST, lambda inner: sealed(inner, "request")),
    "call": (CALL, bytes),
    "answer": (ANSWER, bytes),
    "event": (EVENT, bytes),
}


@pytest.mark.parametrize("layer", DECODERS)
@given(data=st.binary(max_size=200))
def test_any_bytes(layer, data):
    survives(DECODERS[layer], data)


@pytest.mark.parametrize("layer", DECODERS)
@given(document=JSON)
def test_any_json(layer, document):
    survives(DECODERS[layer], dumps(document))
    survives(v2.decode_reply, sealed(dumps(document)))
    survives(v2.decode_request, sealed(dumps(document), "request"))
    survives(v2.decode_reply, dumps({"protocol": v2.TRANSPORT, "data": document, "headers": document}))


@pytest.mark.parametrize("layer", GOOD)
@given(data=st.data())
def test_one_field_is_anything_or_missing(layer, data):
    document, wrap = GOOD[layer]
    DECODERS[layer](wrap(dumps(document)))
    name = data.draw(st.sampled_from(sorted(document)))
    changed = {key: value for key, value in document.items() if key != name}
    survives(DECODERS[layer], wrap(dumps(changed)))
    survives(DECODERS[layer], wrap(dumps(changed | {name: data.draw(JSON)})))


@pytest.mark.parametrize("layer", ["reply", "request", "answer", "call", "event"])
def test_a_missing_field_is_named(layer):
    document, wrap = GOOD[layer]
    optional = {"data", "filter", "id", "version"} if layer != "request" else {"filter"}
    for name in document.keys() - optional:
        with pytest.raises(WireError) as caught:
            DECODERS[layer](wrap(dumps({key: value for key, value in document.items() if key != name})))
        assert name == "protocol" or name in caught.value.detail


@pytest.mark.parametrize("layer", DECODERS)
@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"data":', b'{"agent":"a","action":"b","data":{"x":'])
@pytest.mark.parametrize("depth", [70, 1_000, 100_000])
def test_deep_nesting(layer, opening, depth):
    closing = b"]" if opening == b"[" else b"}"
    deep = opening + b"[" * depth + b"]" * depth + closing
    with pytest.raises(WireError):
        DECODERS[layer](deep)


@pytest.mark.parametrize("depth", [65, 200, 500])
def test_outputs_of_an_agent_are_not_deep(depth):
    deep = (
        b'{"action":"a","statuscode":0,"statusmsg":"OK","data":{"x":' + b'{"y":' * depth + b"1" + b"}" * depth + b"}}"
    )
    with pytest.raises(WireError, match="too_deep"):
        mcorpc.decode_answer(deep)
    wide = dumps(ANSWER | {"data": {"x": [{}] * 5_000}})
    assert len(mcorpc.decode_answer(wide).data["x"]) == 5_000


@pytest.mark.parametrize("layer", DECODERS)
def test_huge_documents(layer):
    with pytest.raises(WireError, match="too_large"):
        DECODERS[layer](b"[" + b"1," * (3 * 1024 * 1024) + b"1]")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"time": True}, "wrong_field"),
        ({"time": 1.0}, "wrong_field"),
        ({"time": 2**63}, "wrong_field"),
        ({"time": 0}, "wrong_field"),
        ({"sender": ""}, "wrong_field"),
        ({"sender": ["n1"]}, "wrong_field"),
        ({"message": "cG9uZw"}, "not_base64"),
        ({"message": "cG9u\nZw=="}, "not_base64"),
        ({"message": "ä"}, "not_base64"),
        ({"message": ""}, "wrong_field"),
        ({"protocol": v2.REQUEST}, "wrong_protocol"),
    ],
)
def test_wrong_types_in_a_reply_are_named(change, reason):
    with pytest.raises(WireError) as caught:
        v2.decode_reply(sealed(dumps(REPLY | change)))
    assert caught.value.reason == reason
    assert caught.value.detail.startswith("reply")


def test_a_reply_whose_hash_does_not_fit_is_none():
    inner = dumps(REPLY)
    secure = {"protocol": v2.SECURE_REPLY, "reply": b64(inner), "hash": b64(hashlib.sha256(b"other").digest())}
    message = {"protocol": v2.TRANSPORT, "data": b64(dumps(secure)), "headers": {"sender": "n1"}}
    with pytest.raises(WireError, match="wrong_hash"):
        v2.decode_reply(dumps(message))


@pytest.mark.parametrize("caller", CALLERS.values(), ids=CALLERS)
@given(agent=TEXT, action=TEXT, data=DATA, ttl=st.integers(30, 3600), time=st.integers(1, 2**62), more=st.lists(TEXT))
def test_a_request_comes_out_as_it_went_in(caller, agent, action, data, ttl, time, more):
    wire = WIRES[caller.version]
    request_id = wire.make_id(time // 10**6, b"")
    message = wire.encode_request(
        mcorpc.encode_call(agent, action, data), caller=caller, agent=agent, request_id=request_id, reply_to="a.b",
        ttl=ttl, time_ns=time, filter_agents=more,
    )  # fmt: skip
    got = decode_request(message)
    assert (got.version, got.sender, got.caller, got.credential) == (
        caller.version, caller.sender, caller.caller, caller.credential,
    )  # fmt: skip
    assert (got.header_sender, got.agent, got.ttl, got.request_id) == (caller.sender, agent, ttl, request_id)
    assert got.reply_to == "a.b"
    assert got.time_ns == (time if caller.version is Version.V2 else time // 10**9 * 10**9)
    assert got.collective == "provisioning"
    assert got.signature == caller.sign(got.signed)
    assert got.filter == Filter(agent=tuple(more))
    call = mcorpc.decode_call(got.payload)
    assert (call.agent, call.action, call.data) == (agent, action, orjson.loads(orjson.dumps(data)))


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
@given(name=NAMES, action=st.text(max_size=8), code=st.integers(0, 255), message=st.text(max_size=20), data=DATA)
def test_a_reply_comes_out_as_it_went_in(wire, name, action, code, message, data):
    payload = mcorpc.encode_answer(action, code, message, data)
    got = wire.decode_reply(wire.encode_reply(payload, request_id="3MN", sender=name, agent="rpcutil", time_ns=5))
    assert (got.header_sender, got.sender, got.request_id, got.agent) == (name, name, "3MN", "rpcutil")
    answer = mcorpc.decode_answer(got.payload)
    assert (answer.action, answer.code, answer.message) == (action, code, message)
    assert answer.data == orjson.loads(orjson.dumps(data))


@given(name=st.text(max_size=12))
def test_an_event_of_an_unsafe_name_is_none(name):
    try:
        event = events.decode_event(dumps(EVENT | {"identity": name}))
    except WireError:
        return
    assert event.identity == name
    assert all(c.isascii() and (c.isalnum() or c in "_-.") for c in name)
