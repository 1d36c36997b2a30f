"""Whatever bytes a peer, or who pretends to be one, sends: a value within its bounds, or a WireError."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fsm.identity import is_safe
from tests.fakes.cluster_talk import LINEAGES, decision
from transport.wire.decisions import (
    BUCKETS,
    DECISIONS,
    FLEET,
    LATEST,
    LONGEST_REASON,
    MOST,
    NAMES,
    VIEW,
    Kind,
    View,
    decode,
    encode_decisions,
    encode_view,
    is_pattern,
)
from transport.wire.documents import LONGEST_NAME
from transport.wire.errors import WireError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
SEEN = View(LINEAGES["a"], "0" * 16, "a", "site", leads=True, at=7, marks={0: "0" * 16, BUCKETS - 1: "f" * 16})


def survives(data: bytes) -> None:
    try:
        said = decode(data)
    except WireError:
        return
    if isinstance(said, View):
        assert len(said.marks) <= BUCKETS
        assert len(said.name) <= LONGEST_NAME
        assert 0 <= said.at < LATEST
        return
    assert 0 < len(said) <= MOST
    for each in said:
        names = is_pattern if each.kind in NAMES else is_safe
        assert each.node == "" if each.kind in FLEET else names(each.node)
        assert 0 <= each.stamp < LATEST
        assert len(each.reason) <= LONGEST_REASON


@given(data=st.binary(max_size=300))
def test_any_bytes(data: bytes):
    survives(data)


@given(document=JSON)
def test_any_json(document: Any):
    survives(json.dumps(document).encode())
    survives(json.dumps({"protocol": VIEW, "marks": document}).encode())
    survives(json.dumps({"protocol": DECISIONS, "decisions": document}).encode())
    survives(json.dumps({"protocol": DECISIONS, "decisions": [document]}).encode())


@given(data=st.data())
def test_one_field_is_anything_or_missing(data: st.DataObject):
    (whole,), (named,) = encode_decisions([decision()]), encode_decisions([decision("/^ci-/", kind=Kind.DENY)])
    for document, part in ((json.loads(encode_view(SEEN)), None), (json.loads(whole), 0), (json.loads(named), 0)):
        inner = document if part is None else document["decisions"][part]
        field = data.draw(st.sampled_from(sorted(inner)))
        inner[field] = data.draw(JSON)
        survives(json.dumps(document).encode())
        del inner[field]
        survives(json.dumps(document).encode())


@given(word=st.text("/^(ci-)[[\\\n.*+?{2}\U0001f600", max_size=12) | st.text(max_size=300))
def test_a_pattern_can_be_compiled_and_written_in_one_line(word: str):
    for each in (word, f"/{word}/"):
        if is_pattern(each):
            assert re.compile(each[1:-1]).pattern == each[1:-1]
            assert each.isprintable()


def test_what_is_said_is_what_is_heard():
    assert decode(encode_view(SEEN)) == SEEN
    many = [decision(f"n{number}", number, reason="ä" * LONGEST_REASON) for number in range(450)]
    messages = list(encode_decisions(many))
    told = [decode(message) for message in messages]
    assert [each for part in told if isinstance(part, tuple) for each in part] == many
    assert max(len(message) for message in messages) < 64 * 1024
