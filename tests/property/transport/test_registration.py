"""Whatever bytes come as registration data, they are a safe name or a WireError, and never more than a hint."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.identity import is_safe
from tests.fakes.registering import content, envelope, registration_v1, registration_v2, transport_v1
from transport.registration import LARGEST, registered
from transport.wire import v1
from transport.wire.errors import WireError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
REQUEST = {"protocol": v1.REQUEST, "message": content(), "envelope": envelope("n1.example.net")}


def survives(data: bytes) -> None:
    try:
        assert is_safe(registered(data))
    except WireError as error:
        said = error
    else:
        return
    assert said.reason
    assert len(str(said)) < 200


@given(data=st.binary(max_size=300))
def test_any_bytes(data):
    survives(data)
    survives(b'{"protocol":"choria:transport:1","headers":{},"data":"' + b64encode(data) + b'"}')


@given(document=JSON)
def test_any_json_at_any_depth(document):
    survives(json.dumps(document).encode())
    survives(json.dumps({"protocol": v1.TRANSPORT, "data": document, "headers": document}).encode())
    survives(transport_v1(document))
    survives(transport_v1(REQUEST | {"envelope": document}))


@given(data=st.data())
def test_one_field_is_anything_or_missing(data):
    assert registered(transport_v1(REQUEST)) == "n1.example.net"
    part = data.draw(st.sampled_from(["request", "envelope", "secure"]))
    value: Any = data.draw(JSON)
    if part == "envelope":
        name = data.draw(st.sampled_from(sorted(envelope(""))))
        survives(transport_v1(REQUEST | {"envelope": envelope("n1.example.net", **{name: value})}))
        less = {key: each for key, each in envelope("n1.example.net").items() if key != name}
        survives(transport_v1(REQUEST | {"envelope": less}))
    elif part == "request":
        name = data.draw(st.sampled_from(sorted(REQUEST)))
        survives(transport_v1(REQUEST | {name: value}))
        survives(transport_v1({key: each for key, each in REQUEST.items() if key != name}))
    else:
        survives(transport_v1(REQUEST, **{data.draw(st.sampled_from(["protocol", "message", "signature"])): value}))


@given(sender=st.text(max_size=12))
def test_only_a_safe_name_is_a_name(sender):
    for message in (registration_v1(sender, header=sender or "x"), registration_v2(sender)):
        try:
            assert registered(message) == sender
        except WireError:
            assert not is_safe(sender)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (registration_v1(agent="rpcutil"), "wrong_field"),
        (registration_v2(agent="rpcutil"), "wrong_field"),
        (registration_v1(header="n9.example.net"), "wrong_field"),
        (registration_v1("*"), "unsafe_name"),
        (registration_v2("a/b"), "unsafe_name"),
        (b"[" * 100_000, "not_json"),
        (b'{"a":' + b"[" * 2_000 + b"]" * 2_000 + b"}", "not_json"),
        (registration_v1() + b" " * LARGEST, "too_large"),
        (transport_v1({}, protocol="choria:secure:reply:1"), "wrong_protocol"),
    ],
)
def test_what_is_none_is_named(message: bytes, reason: str):
    with pytest.raises(WireError) as caught:
        registered(message)
    assert caught.value.reason == reason
