"""What a helper printed is fit to be read by many."""

from __future__ import annotations

import pytest

from helpers.redact import GONE, printed, redact, visible

JWT = "eyJhbGciOiJFZERTQSJ9.eyJqdGkiOiIxIn0.c2lnbmF0dXJl"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("the token is s3cret, s3cret!", f"the token is {GONE}, {GONE}!"),
        (f"got {JWT}.", f"got {GONE}."),
        (f"a\n{PEM}\nb", f"a\n{GONE}\nb"),
        ("a\n-----BEGIN PRIVATE KEY-----\nMIIE and the rest", f"a\n{GONE}"),
        ("MIIE\n-----END PRIVATE KEY-----\nb", f"{GONE}\nb"),
        ("DB_PASSWORD=hunter2 x", f"DB_PASSWORD={GONE} x"),
        ('{"api_key": "hunter 2", "a": 1}', f'{{"api_key": {GONE}, "a": 1}}'),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_secrets_are_replaced(text: str, left: str):
    assert redact(text, ["s3cret", "", "abc"]) == left


def test_the_longer_of_two_secrets_goes_first():
    assert redact("s3cret-and-more", ["s3cret", "s3cret-and-more"]) == GONE


def test_control_characters_are_made_visible():
    assert visible("a\x1b[2Jb\x07\r\tc\nd\x7f\u202ee") == "a\\x1b[2Jb\\x07\\x0d\tc\nd\\x7f\\u202ee"


def test_the_end_is_kept_and_marked():
    kept = printed(b"first\n" + b"x" * 5000 + b" the error", [], 100)
    assert len(kept) == 100
    assert kept.startswith("… ")
    assert kept.endswith("the error")


def test_a_line_that_was_cut_in_half_is_dropped():
    assert printed(b"half-of-a-secret\nwhole line\n", [], 100, cut=True) == "… whole line"


def test_short_text_stays_as_it_is():
    assert printed(b"warning: \xff\r\n", [], 100) == "warning: \ufffd"
