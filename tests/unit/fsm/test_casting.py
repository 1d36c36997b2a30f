"""Casting: documents of earlier versions become today's, one version after the other; others are refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from fsm.casting import cast
from fsm.codec import CASTERS, VERSION, MalformedError, NewerError, decode_event, decode_payload
from fsm.events import Event, Hint, HintKind


def renamed(document: dict[str, Any]) -> dict[str, Any]:
    """From version 1 to 2: the time has another name."""
    return {"at": document.pop("when"), **document}


def in_milliseconds(document: dict[str, Any]) -> dict[str, Any]:
    """From version 2 to 3: the time is in milliseconds."""
    return document | {"at": document["at"] * 1000}


STEPS = {1: renamed, 2: in_milliseconds}


@pytest.mark.parametrize(
    "document", [{"v": 1, "when": 7, "x": 1}, {"v": 2, "at": 7, "x": 1}, {"v": 3, "at": 7000, "x": 1}]
)
def test_each_version_leads_to_the_newest(document: dict[str, Any]):
    assert cast(document, 3, STEPS) == {"at": 7000, "x": 1}


@pytest.mark.parametrize("version", [None, "1", True, 0, -1, 1.0])
def test_a_version_that_is_none_is_refused(version: object):
    with pytest.raises(MalformedError, match="this usher reads 3") as caught:
        cast({"v": version, "at": 7}, 3, STEPS)
    assert not isinstance(caught.value, NewerError)


def test_a_newer_version_is_told_from_a_wrong_one():
    with pytest.raises(NewerError, match="has version 4, this usher reads 3"):
        cast({"v": 4}, 3, STEPS)
    newer = b'{"v":%d,"at":1,"entropy":"","body":{"is":"unheard of"}}' % (VERSION + 1)
    with pytest.raises(NewerError, match="newer usher: use that one"):
        decode_event(newer)
    with pytest.raises(NewerError):
        decode_payload(b'{"event":' + newer + b"}")


def test_there_is_a_caster_from_every_version_to_the_next():
    assert set(CASTERS) == set(range(1, VERSION))


def test_what_the_first_release_wrote_is_read():
    stored = b'{"v":1,"at":7,"entropy":"00","body":{"is":"hint","kind":"listed"},"epoch":1}'
    assert decode_event(stored) == Event(7, b"\0", Hint(HintKind.LISTED), 1)
