"""Whatever comes in, a simulated server stays a server: no error, no half step, what it promises about due times."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.simulated import SECRET, Bench, wire_request
from transport.wire.errors import WireError
from transport.wire.messages import Filter
from transport.wire.v2 import decode_reply, decode_request
from usher.simulator.model import Answer, Mode
from usher.simulator.node import action_of
from usher.simulator.provision import ACTIONS

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
INPUTS = st.dictionaries(
    st.sampled_from(["token", "nonce", "config", "splay", "server_jwt", "key", "action_policies", "version"]),
    st.just(SECRET) | st.just("{}") | JSON,
    max_size=5,
)
ACTION = st.sampled_from([*sorted(ACTIONS), "nope"])
TERMS = st.lists(JSON, max_size=3).map(tuple)


@given(
    st.binary(max_size=200) | JSON.map(orjson.dumps), st.sampled_from(["choria_provision", "rpcutil", "discovery", "x"])
)
def test_any_payload(payload: bytes, agent: str) -> None:
    bench = Bench()
    request = wire_request(payload, agent=agent, filter=None)
    assert isinstance(action_of(request), str)
    for out in bench.hear(request):
        if isinstance(out, Answer):
            assert decode_reply(out.payload).request_id == request.request_id


@given(st.binary(max_size=300) | JSON.map(orjson.dumps))
def test_any_bytes(data: bytes) -> None:
    bench = Bench()
    try:
        request = decode_request(data)
    except WireError:
        request = None
    bench.hear(request)
    assert bench.node.process.counters.total == 1


@given(fact=TERMS, cf_class=TERMS, agent=TERMS, identity=TERMS, compound=TERMS)
def test_any_filter(**terms: tuple[object, ...]) -> None:
    payload = orjson.dumps({"agent": "rpcutil", "action": "ping", "data": {}})
    bench = Bench()
    bench.hear(wire_request(payload, agent="rpcutil", filter=Filter(**terms)))
    counted = bench.node.process.counters
    assert counted.filtered + counted.validated == 1


@given(st.lists(st.tuples(ACTION, JSON | INPUTS, st.floats(0, 200), st.binary(min_size=48, max_size=48)), max_size=8))
def test_any_conversation(calls: list[tuple[str, object, float, bytes]]) -> None:
    bench = Bench()
    for action, data, seconds, entropy in calls:
        heard_in = bench.mode
        silent_before = bench.node.process.ending is not None
        answer = bench.ask(action, data, entropy=entropy)
        if heard_in not in (Mode.PROVISIONING, Mode.SERVER):
            assert answer is None
        elif answer is not None:
            assert answer.action in (action, "")
            assert answer.code in (0, 1, 2, 4)
            assert answer.code == 0 or answer.data == {}
            assert not (silent_before and answer.code == 0)
        bench.wait(seconds)
        due = bench.node.due
        assert due is None or due > bench.now
        attached = bench.story().count("attach") - bench.story().count("detach")
        assert attached == (1 if bench.mode in (Mode.PROVISIONING, Mode.SERVER) else 0)
