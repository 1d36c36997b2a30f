"""The codec: what is stored is small, stable and strict."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from fsm.codec import (
    LARGEST,
    MalformedError,
    TooLargeError,
    decode_event,
    decode_snapshot,
    encode_event,
    encode_snapshot,
)
from fsm.effects import Effect
from fsm.events import (
    CsrFacts,
    DueKind,
    Event,
    HelperFacts,
    Hint,
    HintKind,
    InventoryFacts,
    JwtFacts,
    KeyFacts,
    TokenFacts,
    Verdict,
)
from fsm.quiet import configuration
from fsm.snapshot import Awaited, Doing, Facts, Looks, Parting, Quiet, Snapshot, unseen
from fsm.states import State

AT = 1_795_200_000_000
FULL = Snapshot(
    "node00042.fleet.example.net", State.RESTARTED, 7, 214, AT, AT, AT,
    doing=Doing(
        effect=Effect.LOOK, seq=213, opened=214, epoch=12, tries=2, at=AT, entropy=b"\xff" * 16, since=AT, open=True
    ),
    facts=Facts(
        AT, JwtFacts("a" * 64, "2nQxZ0bTzLk1jWmJx0q0v7yPq1S", True), InventoryFacts("b" * 64, "0.29.4", True),
        KeyFacts("c" * 64, "/etc/choria"), HelperFacts("d" * 64, Verdict.CONFIGURE, "ok"),
        TokenFacts("5c1ff8d4c8e2d7c8f3a1b2c3d4e5f607", "e" * 64, AT // 1000, "3f8a9c0d1e2f4a5b"), "f" * 64,
    ),
    quiet=Quiet(AT, "c-12", AT, ""), parting=Parting(AT, True, 2), looks=Looks(1, "c-12", 1), answered=True,
    failures=3, returns=1, previous_key="9" * 64, previous_token="2nQxZ0bTzLk1jWmJx0q0v7yPq1S",
)  # fmt: skip


def test_a_full_snapshot_fits_into_a_kilobyte():
    stored = encode_snapshot(FULL)
    assert len(stored) <= LARGEST
    assert decode_snapshot(stored) == FULL


def test_an_x509_node_with_everything_held_fits_too():
    csr = CsrFacts("a" * 64, "b" * 64, "/etc/choria/ssl", "csr_foreign_name")
    held = replace(FULL, facts=replace(FULL.facts, key=None, token=None, csr=csr))
    stored = encode_snapshot(held)
    assert len(stored) <= LARGEST
    assert decode_snapshot(stored) == held
    assert orjson.loads(stored)["F"]["r"] == {
        "d": "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo", "f": "u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7s",
        "p": "/etc/choria/ssl", "c": "csr_foreign_name",
    }  # fmt: skip


EARLIER = (
    b'{"v":1,"n":"web1.example.net","s":"enrolled","g":1,"q":8,"t":1795202697000,"f":1795202697000,"d":{"e":"configure",'
    b'"q":7,"o":7,"E":1,"n":1,"t":1795202697000,"r":"AAAAAAAAAAAAAAAAAAAAAA==","s":1795202697000,"u":false},"w":{"t":'
    b'1795202697750,"k":"step","s":750},"F":{"t":1795202697000,"j":{"d":"GxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxs",'
    b'"i":"jti","p":true},"i":{"d":"LCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCw","v":"0.30.2","u":false},"k":{"k":'
    b'"CgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgo","d":"/etc/choria"},"h":{"d":"Tk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5'
    b'OTk4","v":"configure","m":"a word"},"o":{"i":"token","d":"PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT0","x":'
    b'1826738754,"s":""}},"Q":{"u":1795202757000,"c":"c1","s":1795202697000,"d":"4e4e4e4e4e4e4e4e.3d3d3d3d3d3d3d3d"},'
    b'"a":true,"R":"no_answer","D":"so it said"}'
)
"""A node that usher 0.1.0 left while a configure had no answer."""


def test_what_an_earlier_usher_stored_is_read_and_means_the_same():
    snapshot = decode_snapshot(EARLIER)
    assert (snapshot.state, snapshot.facts.csr) == (State.ENROLLED, None)
    assert encode_snapshot(snapshot) == EARLIER
    assert snapshot.quiet is not None
    assert snapshot.quiet.digest == configuration(snapshot.facts)


def test_what_has_its_default_is_left_out():
    assert orjson.loads(encode_snapshot(unseen("n1"))) == {"v": 1, "n": "n1"}


def test_a_due_time_is_read_back():
    waiting = replace(FULL, doing=None, awaited=Awaited(AT, DueKind.LOOK, 5000))
    assert decode_snapshot(encode_snapshot(waiting)) == waiting


def test_long_explanations_are_cut_and_facts_are_not():
    facts = replace(FULL.facts, helper=HelperFacts("d" * 64, Verdict.DEFER, "m" * 900))
    read = decode_snapshot(encode_snapshot(replace(FULL, detail="x" * 900, evidence="silence", facts=facts)))
    assert read.detail == "x" * 32
    assert read.facts.helper == HelperFacts("d" * 64, Verdict.DEFER, "m" * 32)
    assert replace(read, detail="", evidence="", facts=FULL.facts) == FULL


def test_the_longest_name_with_everything_held_is_stored():
    longest = replace(FULL, node="n" * 253, detail="x" * 500)
    assert decode_snapshot(encode_snapshot(longest)).node == longest.node


def test_what_cannot_be_made_small_is_refused_by_name():
    with pytest.raises(TooLargeError, match="node00042"):
        encode_snapshot(replace(FULL, quiet=Quiet(AT, "c" * 3000, AT, "")))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"z": 1}, "z"),
        ({"s": "nowhere"}, "s"),
        ({"g": True}, "g"),
        ({"g": "7"}, "g"),
        ({"d": {"e": "look"}}, "d"),
        ({"d": []}, "d"),
        ({"w": {"t": 1, "k": "look", "s": 1, "other": 1}}, "w.other"),
        ({"pk": "not base64"}, "pk"),
        ({"pk": 7}, "pk"),
        ({"v": 2}, "v"),
    ],
)
def test_a_wrong_snapshot_names_the_node_and_the_key(changes: dict[str, object], key: str):
    document = orjson.loads(encode_snapshot(FULL))
    with pytest.raises(MalformedError) as caught:
        decode_snapshot(orjson.dumps(document | changes))
    assert (caught.value.node, caught.value.key) == (FULL.node, key)
    assert FULL.node in str(caught.value)


@pytest.mark.parametrize("stored", [b"", b"[]", b"null", b"{", b"\xff", b'{"v":1}', b'{"n":"n1"}'])
def test_what_is_no_snapshot_is_refused(stored: bytes):
    with pytest.raises(MalformedError):
        decode_snapshot(stored)


def test_an_event_is_json_that_a_person_can_read():
    event = Event(AT, b"\x00\x01", Hint(HintKind.STARTUP), 3)
    stored = encode_event(event)
    body = {"is": "hint", "kind": "startup"}
    assert orjson.loads(stored) == {"v": 1, "at": AT, "entropy": "0001", "body": body, "epoch": 3}
    assert decode_event(stored) == event
