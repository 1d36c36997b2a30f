"""Request ids look as Choria's do."""

from __future__ import annotations

import re

from transport.ksuid import ksuid


def test_the_form_of_a_ksuid():
    # An id with known parts, from the KSUID project's own documentation.
    entropy = bytes.fromhex("B5A1CD34B5F99D1154FB6853345C9735")
    assert ksuid((107_608_047 + 1_400_000_000) * 1000, entropy) == "0ujtsYcgvSTl8PAuAdqWYSMnLOv"


def test_ids_sort_by_their_second_and_differ_by_chance():
    low, high = bytes(16), b"\xff" * 16
    assert ksuid(1_795_202_327_000, high) < ksuid(1_795_202_328_000, low)
    assert ksuid(1_795_202_327_000, high) != ksuid(1_795_202_327_000, low)
    assert re.fullmatch("[0-9A-Za-z]{27}", ksuid(0, low))
    assert re.fullmatch("[0-9A-Za-z]{27}", ksuid(2**60, high))
