"""The seal: what was sealed for a place is opened there, and nothing else ever is."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from security.vault import KEY_BYTES, KeyRing, SealedVault, VaultKey, sealed_by

KEYS = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES).map(VaultKey.of)
PLACES = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
DATA = st.binary(max_size=300)
OVERHEAD = 49


@given(KEYS, PLACES, DATA)
def test_what_was_sealed_is_opened_and_says_nothing(key: VaultKey, place: str, data: bytes):
    vault = SealedVault(KeyRing((key,)))
    sealed, again = vault.seal(place, data), vault.seal(place, data)
    assert vault.open(place, sealed) == vault.open(place, again) == data
    assert sealed != again
    assert len(sealed) == len(data) + OVERHEAD
    assert sealed_by(sealed) == key.id
    assert len(data) < 8 or data not in sealed
    assert key.raw not in sealed
    assert key.raw.hex() not in repr(key) + repr(vault.ring)


@given(KEYS, PLACES, PLACES, DATA)
def test_another_place_opens_nothing(key: VaultKey, place: str, other: str, data: bytes):
    assume(place != other)
    vault = SealedVault(KeyRing((key,)))
    assert vault.open(other, vault.seal(place, data)) is None


@given(KEYS, KEYS, PLACES, DATA)
def test_another_key_opens_nothing(key: VaultKey, other: VaultKey, place: str, data: bytes):
    assume(key.id != other.id)
    sealed = SealedVault(KeyRing((key,))).seal(place, data)
    assert SealedVault(KeyRing((other,))).open(place, sealed) is None
    forged = other.header + sealed[len(key.header) :]
    assert SealedVault(KeyRing((other, key))).open(place, forged) is None


@given(KEYS, PLACES, DATA, st.data())
def test_one_bit_that_differs_opens_nothing(key: VaultKey, place: str, data: bytes, draw: st.DataObject):
    vault = SealedVault(KeyRing((key,)))
    sealed = bytearray(vault.seal(place, data))
    bit = draw.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    assert vault.open(place, bytes(sealed)) is None


@given(KEYS, PLACES, DATA, st.data())
def test_a_part_of_it_or_more_than_it_opens_nothing(key: VaultKey, place: str, data: bytes, draw: st.DataObject):
    vault = SealedVault(KeyRing((key,)))
    sealed = vault.seal(place, data)
    assert vault.open(place, sealed[: draw.draw(st.integers(0, len(sealed) - 1))]) is None
    assert vault.open(place, sealed + draw.draw(st.binary(min_size=1, max_size=9))) is None


@given(DATA)
def test_any_bytes_are_no_entry_and_no_error(data: bytes):
    assert SealedVault(KeyRing((VaultKey.of(b"k" * KEY_BYTES),))).open("a/1/reply", data) is None
    assert sealed_by(data) in {"", data[1:9].hex()}


@given(KEYS, KEYS, PLACES, DATA)
def test_while_keys_are_changed_both_open_and_the_first_seals(old: VaultKey, new: VaultKey, place: str, data: bytes):
    assume(old.id != new.id)
    vault = SealedVault(KeyRing((old,)))
    before = vault.seal(place, data)
    vault.use(KeyRing((new, old)))
    after = vault.seal(place, data)
    assert (sealed_by(before), sealed_by(after)) == (old.id, new.id)
    assert vault.open(place, before) == vault.open(place, after) == data
    vault.use(KeyRing((new,)))
    assert (vault.open(place, before), vault.open(place, after)) == (None, data)


@given(st.binary(max_size=80))
def test_a_key_has_its_length(raw: bytes):
    if len(raw) == KEY_BYTES:
        assert len(VaultKey.of(raw).id) == 16
        assert VaultKey.of(raw).id not in raw.hex()
    else:
        with pytest.raises(ValueError, match="has 32 bytes"):
            VaultKey.of(raw)


def test_fresh_keys_differ():
    assert len({VaultKey.fresh().id for _ in range(50)}) == 50
