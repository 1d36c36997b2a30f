"""Request ids look as Choria's do."""

from __future__ import annotations

import re
from hashlib import sha256

from transport.ksuid import ksuid

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LOW, HIGH = bytes(16), b"\xff" * 16


def second_of(text: str) -> int:
    """What a reader of KSUIDs finds in one: the upper 32 of 160 bits, since 2014."""
    number = 0
    for character in text:
        number = number * 62 + DIGITS.index(character)
    return (number >> 128) + 1_400_000_000


def test_the_reader_of_this_test_knows_the_form():
    # An id with known parts, from the KSUID project's own documentation.
    assert second_of("0ujtsYcgvSTl8PAuAdqWYSMnLOv") == 107_608_047 + 1_400_000_000


def test_the_second_is_in_the_id_whatever_chance_says():
    for second in [*range(1_795_202_327, 1_795_202_427), 1_400_000_000, 1_400_000_000 + 2**32 - 1]:
        for entropy in (LOW, HIGH, bytes(range(16))):
            text = ksuid(second * 1000 + 999, entropy)
            assert re.fullmatch("[0-9A-Za-z]{27}", text)
            assert second_of(text) == second


def test_ids_sort_by_their_second_and_differ_by_chance():
    assert ksuid(1_795_202_327_000, HIGH) < ksuid(1_795_202_328_000, LOW)
    made = {ksuid(1_795_202_327_000, sha256(b"%d" % at).digest()) for at in range(5000)}
    assert len(made) == 5000


def test_no_time_and_no_chance_is_too_much_or_too_little():
    assert re.fullmatch("[0-9A-Za-z]{27}", ksuid(0, LOW))
    assert re.fullmatch("[0-9A-Za-z]{27}", ksuid(2**60, HIGH))
    assert len(ksuid(0, b"")) == 27
