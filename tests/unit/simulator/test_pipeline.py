"""The receive pipeline and the agents that only read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.simulated import NOW, Bench, setup, wire_request
from transport.wire.mcorpc import DISCOVERY_PING, encode_call
from transport.wire.messages import Filter
from transport.wire.v2 import decode_reply
from usher.simulator.model import SECOND, Answer
from usher.simulator.node import action_of, refuse

PING = encode_call("rpcutil", "ping", {})


def counted(bench: Bench) -> dict[str, int]:
    return {name: count for name, count in bench.node.process.counters._asdict().items() if count}


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({"filter": Filter(agent=("scout",))}, {"filtered": 1}),
        ({"filter": Filter(agent=("rpcutil",), identity=("other",))}, {"filtered": 1}),
        ({"collective": "choria"}, {"passed": 1, "unvalidated": 1}),
        ({"time_ns": NOW - 60 * SECOND}, {"passed": 1, "ttlexpired": 1}),
        ({"time_ns": NOW + 60 * SECOND}, {"passed": 1, "ttlexpired": 1}),
        ({"agent": "unheard", "filter": None}, {"passed": 1, "validated": 1}),
        ({"filter": Filter(agent=None)}, {"passed": 1, "validated": 1}),
        ({"reply_to": ""}, {"passed": 1, "validated": 1, "replies": 1}),
        ({"reply_to": "a b"}, {"passed": 1, "validated": 1, "replies": 1}),
    ],
)
def test_what_fails_is_counted_and_met_with_silence(changes: dict[str, Any], counts: dict[str, int]) -> None:
    bench = Bench()
    assert bench.hear(wire_request(PING, **{"agent": "rpcutil", **changes})) == ()
    assert counted(bench) == {"events": 1, "total": 1, **counts}


def test_bytes_that_did_not_decode_are_counted() -> None:
    bench = Bench()
    assert bench.hear(None) == ()
    assert counted(bench) == {"events": 1, "total": 1, "unvalidated": 1}


@pytest.mark.parametrize("age", [-59.9, 0, 59.9])
def test_a_request_is_good_for_its_ttl_in_both_directions(age: float) -> None:
    bench = Bench()
    assert bench.hear(wire_request(PING, agent="rpcutil", filter=None, time_ns=NOW - int(age * SECOND)))


@pytest.mark.parametrize("payload", [DISCOVERY_PING, b"a ping?"])
def test_discovery_answers_pong(payload: bytes) -> None:
    bench = Bench()
    request = wire_request(payload, agent="discovery", filter=Filter(agent=("choria_provision",)))
    (answer,) = bench.hear(request)
    assert isinstance(answer, Answer)
    reply = decode_reply(answer.payload)
    assert (reply.payload, reply.sender, reply.request_id) == (b"pong", "n1.example.net", "r1")


def test_discovery_with_a_bare_ping_is_not_understood() -> None:
    """Four letters are valid base64 (wire/protocol.md §7.4)."""
    assert Bench().hear(wire_request(b"ping", agent="discovery", filter=None)) == ()


def test_a_payload_that_is_no_call_is_answered() -> None:
    bench = Bench()
    (answer,) = bench.hear(wire_request(b"[]", agent="rpcutil", filter=None))
    assert isinstance(answer, Answer)
    assert b'"statuscode":4' in decode_reply(answer.payload).payload


def test_facts_are_shown_and_can_be_asked_for() -> None:
    bench = Bench(setup(facts={"os": {"family": "Debian"}, "cpus": 4}))
    inventory = bench.ask("inventory", {}, agent="rpcutil")
    one = bench.ask("get_fact", {"fact": "os.family"}, agent="rpcutil")
    some = bench.ask("get_facts", {"facts": "cpus, none"}, agent="rpcutil")
    where = bench.ask("collective_info", {}, agent="rpcutil")
    assert inventory is not None
    assert one is not None
    assert some is not None
    assert where is not None
    assert inventory.data["facts"] == {"os": {"family": "Debian"}, "cpus": 4}
    assert one.data == {"fact": "os.family", "value": "Debian"}
    assert some.data == {"values": {"cpus": 4, "none": None}}
    assert where.data == {"main_collective": "provisioning", "collectives": ["provisioning"]}


@pytest.mark.parametrize(
    ("wanted", "heard"),
    [
        (Filter(identity=("n1.example.net", "x")), True),
        (Filter(identity=("/^n\\d/",)), True),
        (Filter(identity=("/[/",)), False),
        (Filter(agent=("/util$/",)), True),
        (Filter(agent=(5,)), False),
        (Filter(cf_class=("x",)), False),
        (Filter(compound=([{"expr": "true"}],)), False),
        (Filter(fact=({"fact": "os.family", "operator": "==", "value": "debian"},)), True),
        (Filter(fact=({"fact": "os.family", "operator": "=~", "value": "/^Deb/"},)), True),
        (Filter(fact=({"fact": "os.family", "operator": "!=", "value": "Debian"},)), False),
        (Filter(fact=({"fact": "cpus", "operator": ">=", "value": "4"},)), True),
        (Filter(fact=({"fact": "cpus", "operator": "<", "value": "4.5"},)), True),
        (Filter(fact=({"fact": "cpus", "operator": "<", "value": "few"},)), False),
        (Filter(fact=({"fact": "cpus", "operator": "?", "value": "4"},)), False),
        (Filter(fact=({"fact": "virtual", "operator": "==", "value": "yes"},)), True),
        (Filter(fact=({"fact": "virtual", "operator": "<", "value": "yes"},)), False),
        (Filter(fact=({"fact": "none", "operator": "==", "value": ""},)), False),
        (Filter(fact=("os",)), False),
    ],
)
def test_filters(wanted: Filter, *, heard: bool) -> None:
    bench = Bench(setup(facts={"os": {"family": "Debian"}, "cpus": 4, "virtual": True}))
    assert bool(bench.hear(wire_request(PING, agent="rpcutil", filter=wanted))) is heard


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"token": 5}, "json: cannot unmarshal number into Go struct field RestartRequest.token of type string"),
        ({"splay": 1.5}, "json: cannot unmarshal number 1.5 into Go struct field RestartRequest.splay of type int"),
        ({"splay": "1"}, "json: cannot unmarshal string into Go struct field RestartRequest.splay of type int"),
        ({"splay": True}, "json: cannot unmarshal bool into Go struct field RestartRequest.splay of type int"),
        ({"splay": []}, "json: cannot unmarshal array into Go struct field RestartRequest.splay of type int"),
        ({"token": {}}, "json: cannot unmarshal object into Go struct field RestartRequest.token of type string"),
    ],
)
def test_inputs_of_a_wrong_type(data: dict[str, Any], text: str) -> None:
    answer = Bench().ask("restart", data)
    assert answer is not None
    assert (answer.code, answer.data) == (4, {})
    assert answer.message == f"Could not parse request data for choria_provision#restart: {text}"


def test_inputs_match_in_any_letter_case_and_null_is_nothing() -> None:
    answer = Bench().ask("gen25519", {"TOKEN": "s3cret", "Nonce": None, "other": 5})
    assert answer is not None
    assert answer.code == 0


def test_refusing_changes_nothing_but_a_count() -> None:
    bench = Bench()
    request = wire_request(encode_call("choria_provision", "jwt", {"token": "s3cret"}))
    step = refuse(bench.node, bench.setup, request, "No", NOW)
    assert step.node.files == bench.node.files
    assert step.node.process.lock is None
    (answer,) = step.outputs
    assert isinstance(answer, Answer)
    assert b'"action":"jwt","statuscode":1,"statusmsg":"No"' in decode_reply(answer.payload).payload


@pytest.mark.parametrize(
    ("request_", "action"),
    [
        (None, ""),
        (wire_request(DISCOVERY_PING, agent="discovery"), "discovery"),
        (wire_request(PING), "ping"),
        (wire_request(b"?"), ""),
    ],
)
def test_what_a_request_asks_for(request_: Any, action: str) -> None:
    assert action_of(request_) == action
