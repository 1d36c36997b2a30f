"""Whatever can be a snapshot or an event is read back equal; whatever else is stored is refused by a named error."""

from __future__ import annotations

import contextlib
import typing
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.codec import (
    REFUSED,
    MalformedError,
    decode_event,
    decode_snapshot,
    encode_event,
    encode_snapshot,
    fit,
)
from fsm.events import Body, Done, Event, Payload
from fsm.snapshot import Snapshot

INTEGERS = st.integers(min_value=-(2**53), max_value=2**53)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.text("0123456789abcdef~=", max_size=70)
for kind, strategy in ((int, INTEGERS), (str, TEXTS), (bytes, st.binary(max_size=16))):
    st.register_type_strategy(kind, strategy)
SNAPSHOTS = st.from_type(Snapshot)
JSON = st.recursive(
    st.none() | st.booleans() | INTEGERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(SNAPSHOTS)
def test_snapshots_are_read_back(snapshot: Snapshot):
    stored = encode_snapshot(snapshot)
    assert len(stored) <= REFUSED
    assert decode_snapshot(stored) in (snapshot, fit(snapshot))
    assert encode_snapshot(decode_snapshot(stored)) == stored


@given(SNAPSHOTS)
def test_fitting_twice_changes_nothing(snapshot: Snapshot):
    assert fit(fit(snapshot)) == fit(snapshot)


@pytest.mark.parametrize("kind", typing.get_args(Body))
def test_every_body_is_read_back(kind: type):
    @given(st.builds(Event, at=INTEGERS, entropy=st.binary(max_size=16), body=st.from_type(kind), epoch=INTEGERS))
    def check(event: Event) -> None:
        stored = encode_event(event)
        assert decode_event(stored) == event
        assert encode_event(decode_event(stored)) == stored

    check()


@pytest.mark.parametrize("kind", typing.get_args(Payload))
def test_every_payload_is_read_back(kind: type):
    @given(st.from_type(Done), st.from_type(kind))
    def check(done: Done, facts: Payload) -> None:
        event = Event(1, b"entropy", replace(done, facts=facts))
        assert decode_event(encode_event(event)) == event

    check()


@given(JSON | st.dictionaries(st.sampled_from(["v", "n", "s", "F", "d", "at", "body", "is"]), JSON))
def test_other_documents_are_refused_by_name(document: object):
    stored = orjson.dumps({"v": 1, **document} if isinstance(document, dict) else document)
    for decode in (decode_snapshot, decode_event):
        with contextlib.suppress(MalformedError):  # and nothing else
            decode(stored)


@given(SNAPSHOTS, st.data())
def test_one_wrong_value_is_refused_by_name(snapshot: Snapshot, data: st.DataObject):
    document = orjson.loads(encode_snapshot(fit(replace(snapshot, facts=Snapshot("").facts))))
    key = data.draw(st.sampled_from(sorted(set(document) - {"v"})))
    with pytest.raises(MalformedError) as caught:
        decode_snapshot(orjson.dumps(document | {key: [1.5]}))
    assert caught.value.key.split(".")[0] in {key, *document}
    assert caught.value.node == (snapshot.node if key != "n" else "")


@given(st.binary(max_size=60))
def test_other_bytes_are_refused(stored: bytes):
    with pytest.raises(MalformedError):
        decode_snapshot(stored)
