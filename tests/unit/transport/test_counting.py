"""Replies are counted by what became of them, as the libraries of the older program do."""

from __future__ import annotations

from base64 import b64decode, b64encode

import orjson
import pytest

from transport.counting import ReplyCounts
from transport.wire.errors import WireError
from transport.wire.versions import WIRES, Version, Wire

VERSIONS = pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)


def good(wire: Wire) -> bytes:
    return wire.encode_reply(b"pong", request_id="r", sender="n1.example.net", agent="discovery", time_ns=1)


def forged(wire: Wire) -> bytes:
    """A reply whose hash is of something else."""
    outer = orjson.loads(good(wire))
    inner = orjson.loads(b64decode(outer["data"]))
    inner["hash"] = b64encode(bytes(32)).decode()
    return orjson.dumps(outer | {"data": b64encode(orjson.dumps(inner)).decode()})


def counted(wire: Wire, data: bytes) -> tuple[int, int, int, int]:
    """Valid, invalid, unparsable, errors, after these bytes were refused."""
    counts = ReplyCounts(wire)
    with pytest.raises(WireError):
        counts.decode(data)
    return counts.valid, counts.invalid, counts.unparsable, counts.errors


@VERSIONS
def test_a_reply_that_is_whole(wire):
    counts = ReplyCounts(wire)
    assert counts.decode(good(wire)).sender == "n1.example.net"
    assert counts == ReplyCounts(wire, valid=1)


@VERSIONS
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", (0, 0, 1, 1)),
        (b"\xff{", (0, 0, 1, 1)),
        (b"[" * 10_000, (0, 0, 1, 1)),
        (b"[]", (0, 1, 0, 1)),
        (b"{}", (0, 1, 0, 1)),
    ],
    ids=["nothing", "no JSON", "deep", "no object", "not as its schema"],
)
def test_a_reply_that_is_not(wire, data, expected):
    assert counted(wire, data) == expected


@VERSIONS
def test_a_forged_reply_is_invalid_and_no_error(wire):
    assert counted(wire, forged(wire)) == (0, 1, 0, 0)


@pytest.mark.parametrize(("version", "other"), [(Version.V1, Version.V2), (Version.V2, Version.V1)])
def test_a_reply_of_the_other_version_is_not_as_its_schema(version, other):
    assert counted(WIRES[version], good(WIRES[other])) == (0, 1, 0, 1)
