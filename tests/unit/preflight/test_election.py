"""Who takes part in an election, as a preflight hears it, and whether all of them are one to the nodes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from security.peers import PeerSeal
from transport.wire.decisions import View, encode_view
from transport.wire.peers import Leads, encode_leads
from usher.config.site import Site
from usher.preflight.election import Heard, Other, told
from usher.preflight.verdicts import Verdict

SITE = cast("Site", SimpleNamespace(election_name="u1"))
SEAL = PeerSeal(lambda: "s3cret")


def view(name: str, sender: str, *, leads: bool = False, seal: PeerSeal = SEAL) -> bytes:
    return seal.seal(encode_view(View("a" * 16, "b" * 16, name, sender, leads, 7, {})))


def leader(name: str, sender: str) -> bytes:
    return encode_leads(Leads("b" * 16, name, sender, 1, 2))


def test_who_leads_and_who_stands_by_are_heard():
    heard = Heard(SEAL)
    heard.peer(b"", view("u2", "site", leads=True))
    heard.leader(b"", leader("u2", "site"))
    heard.peer(b"", view("u3", "other"))
    heard.peer(b"", view("u2", "site"))
    assert heard.others == {"u2": Other("u2", "site", leads=True), "u3": Other("u3", "other", leads=False)}


@pytest.mark.parametrize("said", [b"", b"x" * 200, view("u3", "x", seal=PeerSeal(lambda: "another")), SEAL.seal(b"{}")])
def test_what_is_not_sealed_with_the_brokers_password_or_is_no_view_is_nobody(said: bytes):
    heard = Heard(SEAL)
    heard.peer(b"", said)
    heard.leader(b"", said)
    assert heard.others == {}


def test_no_more_are_remembered_than_can_be_told():
    heard = Heard(SEAL)
    for number in range(100):
        heard.leader(b"", leader(f"u{number}", "site"))
    assert len(heard.others) == 32


def test_all_who_are_one_to_the_nodes_are_named_in_one_line():
    (check,) = told(SITE, [Other("u2", "site", leads=True), Other("u3", "site", leads=False)], "site")
    assert check.verdict is Verdict.OK
    assert "; u2 leads; u3 stands by; this usher is u1" in check.what
    (check,) = told(SITE, [], "site")
    assert "no usher says that it leads" in check.what


def test_whoever_is_somebody_else_to_the_nodes_is_a_doubt_of_its_own():
    others = [Other("u2", "x", leads=True), Other("u3", "site", leads=False), Other("u4", "y", leads=False)]
    first, second = told(SITE, others, "site")
    assert {first.verdict, second.verdict} == {Verdict.WARNING}
    assert first.what.startswith("u2 leads, and is x to the nodes")
    assert second.what.startswith("u4 stands by, and is y to the nodes")
