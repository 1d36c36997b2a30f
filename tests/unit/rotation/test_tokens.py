"""The tokens that nodes ask for: which is offered first, how they are named, and what is kept of that."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsm.snapshot import unseen
from usher.effects.tokens import Tokens
from usher.rotation.known import Known
from usher.rotation.marking import FILE, marking_key
from usher.rotation.tokens import tokens_entry
from usher.state import StateDirectory, StateError

NODE = unseen("n1.example.net")


def test_the_one_that_worked_comes_first_and_the_others_in_their_order():
    tokens = Tokens(["one", "two", "three"])
    assert [offer.text for offer in tokens.offers_for(NODE)] == ["one", "two", "three"]
    node = type(NODE)(NODE.node, let_in=tokens.mark("two"))
    assert [(offer.text, offer.position) for offer in tokens.offers_for(node)] == [("two", 2), ("one", 1), ("three", 3)]
    assert tokens.of(node) == "two"


def test_what_was_withdrawn_is_not_sent_any_more():
    tokens = Tokens(["one", "two"])
    node = type(NODE)(NODE.node, let_in=tokens.mark("two"))
    tokens.use(["three", "one"])
    assert tokens.of(node) == "three"
    assert [offer.text for offer in tokens.offers_for(node)] == ["three", "one"]


@pytest.mark.parametrize("texts", [(), ("",)])
def test_no_token_is_an_empty_one_that_has_no_mark(texts: tuple[str, ...]):
    tokens = Tokens(texts)
    (offer,) = tokens.offers_for(NODE)
    assert (offer.text, offer.mark, tokens.of(NODE)) == ("", "", "")


def test_a_mark_needs_the_key_and_shows_nothing_of_the_token():
    one, other = Tokens(["s3cret"], b"a" * 32), Tokens(["s3cret"], b"b" * 32)
    assert one.marks != other.marks
    other.keyed(b"a" * 32)
    assert one.marks == other.marks
    assert [len(mark) for mark in one.marks] == [8]
    assert "s3cret" not in f"{one!r}{one.offers!r}{tokens_entry(one.marks, 0)!r}"


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path):
    state = StateDirectory(tmp_path)
    key = marking_key(state)
    assert (len(key), marking_key(state)) == (32, key)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    (tmp_path / FILE).write_bytes(b"short")
    with pytest.raises(StateError, match=r"marks\.key has 5 bytes, not 32.*remove it"):
        marking_key(state)


def test_secrets_only_grow_and_are_not_shown():
    known = Known(["one", "", "two"])
    seen = iter(known)
    known.add(["three", "one"])
    assert list(known) == ["one", "two", "three"]
    assert list(seen) == ["one", "two"]
    assert ("two" in known, "four" in known, len(known)) == (True, False, 3)
    assert "one" not in repr(known)
