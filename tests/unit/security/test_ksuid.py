"""Ids that carry their second."""

from __future__ import annotations

import pytest

from security.ksuid import EPOCH, ksuid, seconds_of, source


def test_a_captured_id_carries_its_second():
    assert seconds_of("3MNsNUp9TNjYg55gjzvW0tCKf4m") == 1_795_202_319


def test_the_smallest_and_the_largest_have_27_characters():
    assert ksuid(EPOCH, bytes(16)) == "0" * 27
    assert ksuid(EPOCH + 0xFFFFFFFF, b"\xff" * 16) == "aWgEPTl1tmebfsQzFP4bxwgy80V"


@pytest.mark.parametrize("seconds", [EPOCH - 1, EPOCH + (1 << 32), -5])
def test_a_time_that_does_not_fit_is_refused(seconds: int):
    with pytest.raises(ValueError, match="cannot hold the time"):
        ksuid(seconds, bytes(16))


@pytest.mark.parametrize("size", [0, 15, 17])
def test_it_takes_sixteen_bytes(size: int):
    with pytest.raises(ValueError, match="16 bytes"):
        ksuid(EPOCH, bytes(size))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "27 characters"),
        ("0" * 26, "27 characters"),
        ("0" * 28, "27 characters"),
        ("0" * 26 + "-", "made of"),
        ("0" * 26 + "é", "made of"),
        ("aWgEPTl1tmebfsQzFP4bxwgy80W", "larger"),
        ("z" * 27, "larger"),
    ],
)
def test_what_is_no_ksuid_is_refused(text: str, why: str):
    with pytest.raises(ValueError, match=why):
        seconds_of(text)


def test_a_source_makes_ids_of_its_clock_and_entropy():
    drawn = iter([b"a" * 16, b"b" * 16])
    new = source(lambda: 1_795_202_319_999, lambda: next(drawn))
    first, second = new(), new()
    assert (first, second) == (ksuid(1_795_202_319, b"a" * 16), ksuid(1_795_202_319, b"b" * 16))
