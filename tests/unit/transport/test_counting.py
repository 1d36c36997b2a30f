"""Replies are counted by what became of them, as the libraries of the older program do."""

from __future__ import annotations

from base64 import b64decode, b64encode

import orjson
import pytest

from transport.counting import ReplyCounts
from transport.wire.errors import WireError
from transport.wire.v2 import encode_reply

GOOD = encode_reply(b"pong", request_id="r", sender="n1.example.net", agent="discovery", time_ns=1)


def forged() -> bytes:
    """A reply whose hash is of something else."""
    outer = orjson.loads(GOOD)
    inner = orjson.loads(b64decode(outer["data"]))
    inner["hash"] = b64encode(bytes(32)).decode()
    return orjson.dumps(outer | {"data": b64encode(orjson.dumps(inner)).decode()})


def test_a_reply_that_is_whole():
    counts = ReplyCounts()
    assert counts.decode(GOOD).sender == "n1.example.net"
    assert counts == ReplyCounts(valid=1)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ReplyCounts(unparsable=1, errors=1)),
        (b"\xff{", ReplyCounts(unparsable=1, errors=1)),
        (b"[" * 10_000, ReplyCounts(unparsable=1, errors=1)),
        (b"[]", ReplyCounts(invalid=1, errors=1)),
        (b"{}", ReplyCounts(invalid=1, errors=1)),
        (forged(), ReplyCounts(invalid=1)),
    ],
    ids=["nothing", "no JSON", "deep", "no object", "not as its schema", "another hash"],
)
def test_a_reply_that_is_not(data: bytes, expected: ReplyCounts):
    counts = ReplyCounts()
    with pytest.raises(WireError):
        counts.decode(data)
    assert counts == expected
    counts.decode(GOOD)
    assert counts.valid == 1
