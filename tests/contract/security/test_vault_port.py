"""One suite for everything that implements `fsm.ports.Vault`, with the places that usher's hand gives it."""

from __future__ import annotations

import pytest

from fsm.ports import Vault
from security.vault import KeyRing, SealedVault, VaultKey
from usher.effects.hand import Name, blob_place, entry_place


def sealed() -> Vault:
    return SealedVault(KeyRing((VaultKey.fresh(),)))


def changed() -> Vault:
    """A vault whose key was changed since it was made."""
    vault = SealedVault(KeyRing((VaultKey.fresh(),)))
    vault.use(KeyRing((VaultKey.fresh(), *vault.ring.keys)))
    return vault


@pytest.fixture(params=[sealed, changed])
def vault(request: pytest.FixtureRequest) -> Vault:
    made: Vault = request.param()
    return made


PLACES = [
    *(entry_place(node, generation, name) for node in ("n1", "n1.a") for generation in (1, 11) for name in Name),
    blob_place("5f" * 32),
    blob_place("6f" * 32),
]


def test_no_two_things_have_one_place():
    assert len(set(PLACES)) == len(PLACES)


@pytest.mark.parametrize("place", PLACES)
def test_it_is_opened_where_it_was_sealed_and_nowhere_else(vault: Vault, place: str):
    entry = vault.seal(place, b"correcthorse")
    assert b"correcthorse" not in entry
    assert [vault.open(each, entry) for each in PLACES] == [
        b"correcthorse" if each == place else None for each in PLACES
    ]


def test_what_cannot_be_opened_is_none(vault: Vault):
    for wrong in (b"", b"\x01", b"\x01" * 9, b"\x01" * 60, b"plain text", vault.seal("a/1/reply", b"x")[:-1]):
        assert vault.open("a/1/reply", wrong) is None


def test_nothing_is_something_too(vault: Vault):
    assert vault.open("a/1/reply", vault.seal("a/1/reply", b"")) == b""


def test_two_seals_of_one_text_cannot_be_told_to_be_the_same(vault: Vault):
    assert vault.seal("a/1/reply", b"x") != vault.seal("a/1/reply", b"x")
