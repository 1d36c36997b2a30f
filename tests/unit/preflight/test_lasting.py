"""How long a lease has to be, for what is sent under it."""

from __future__ import annotations

import pytest

from transport.wire.versions import SHORTEST_TTL, Version
from usher.preflight.election import lasting
from usher.preflight.verdicts import Verdict

V1, V2 = SHORTEST_TTL[Version.V1], SHORTEST_TTL[Version.V2]


@pytest.mark.parametrize(
    ("ttl", "least", "verdict", "words"),
    [
        (0.5, V2, Verdict.WRONG, "must be at least 1 s"),
        (3601, V2, Verdict.WRONG, "at most 3600 s"),
        (20, V1, Verdict.WRONG, "would never send anything to a node"),
        (30, V1, Verdict.WRONG, "would never send anything to a node"),
        (31, V1, Verdict.WARNING, "sends only while 30 s of its lease are left"),
        (59.5, V1, Verdict.WARNING, "sends only while 30 s of its lease are left"),
    ],
)
def test_a_lease_that_is_too_short_is_named(ttl: float, least: int, verdict: Verdict, words: str):
    check = lasting(ttl, least)
    assert check is not None
    assert check.verdict is verdict
    assert words in check.what


@pytest.mark.parametrize(("ttl", "least"), [(60, V1), (3600, V1), (1, V2), (10, V2), (60, V2)])
def test_a_lease_that_lasts_is_no_matter(ttl: float, least: int):
    assert lasting(ttl, least) is None
