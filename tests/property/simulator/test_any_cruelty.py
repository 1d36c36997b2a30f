"""Whatever comes in, a cruel server stays one, and whatever a profile says is read or refused."""

from __future__ import annotations

import string
import tempfile
from pathlib import Path

import orjson
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.simulated import ENTROPY, IDENTITY, NOW, SECRET, Bench, wire_request
from tests.property.simulator.test_any_input import ACTION, INPUTS, JSON
from usher.simulator import cruel
from usher.simulator.cruelty import Cruelty, Part
from usher.simulator.model import Announce, Answer, Attach, Detach
from usher.simulator.profile import ProfileError, read_profile

CRUELTY = st.sampled_from(Cruelty)
TO = st.sampled_from(["", IDENTITY, "other.example.net", "*", ">", "a b"])
AGENT = st.sampled_from(["choria_provision", "rpcutil", "discovery", "x"])
WORDS = st.sampled_from([
    "nodes", "seed", "facts", "unkindness", "cruelties", "churn", "set", "size", "many", "away", "twin", "lose",
    "flood-events", "crash-after-jwt", "each_second", "stays", "seconds", "2%", "1", "0", "-1", ".nan", "1e999", "~",
])  # fmt: skip


@given(CRUELTY, st.binary(max_size=80) | JSON.map(orjson.dumps), AGENT, TO, st.text(min_size=1, max_size=5))
def test_any_payload(cruelty: Cruelty, payload: bytes, agent: str, to: str, request_id: str) -> None:
    node = Bench().node
    request = wire_request(payload, agent=agent, filter=None, request_id=request_id)
    for heard in (request, None):
        step, struck = cruel.hear(Part(cruelty, many=3), 0, node, Bench().setup, heard, to, NOW, ENTROPY)
        assert struck >= 0
        assert all(isinstance(output, Answer | Announce | Attach | Detach) for output in step.outputs)


@given(CRUELTY, st.lists(st.tuples(ACTION, INPUTS), max_size=4))
def test_any_actions(cruelty: Cruelty, asked: list[tuple[str, dict[str, object]]]) -> None:
    bench, struck = Bench(), 0
    for action, data in asked:
        payload = orjson.dumps({"agent": "choria_provision", "action": action, "data": {"token": SECRET, **data}})
        request = wire_request(payload)
        part = Part(cruelty, many=3)
        step, struck = cruel.hear(part, struck, bench.node, bench.setup, request, IDENTITY, NOW, ENTROPY)
        bench.take(step)


@given(
    st.binary(max_size=200)
    | st.text(string.printable, max_size=200).map(str.encode)
    | st.recursive(
        WORDS | JSON,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
        max_leaves=12,
    ).map(orjson.dumps)
)
def test_any_profile(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "profile"
        path.write_bytes(data)
        said = []
        try:
            said = list(read_profile(path).told(10))
        except ProfileError as error:
            said = error.mistakes or ["\n"]
    assert all(line.isprintable() for line in said)
