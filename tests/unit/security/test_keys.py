"""Pairs that sign, keys that verify, and exact hexadecimal."""

from __future__ import annotations

import pytest

from security.keys import Ed25519Key, SigningKey, exact_hex, signed_by

# RFC 8032, 7.1, test 2
SEED = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
PUBLIC = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
SIGNATURE = (
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_it_is_the_ed25519_of_the_standard():
    key = SigningKey.from_hex(SEED)
    assert (key.public_hex, key.seed_hex, key.sign(b"\x72").hex()) == (PUBLIC, SEED, SIGNATURE)


def test_a_signature_verifies_with_its_key_and_message_only():
    key, other = SigningKey.generate(), SigningKey.generate()
    signature = key.sign(b"message")
    assert signed_by(key.public, b"message", signature)
    assert not signed_by(other.public, b"message", signature)
    assert not signed_by(key.public, b"massage", signature)
    assert not signed_by(key.public, b"message", bytes([signature[0] ^ 1]) + signature[1:])


def test_wrong_lengths_are_no_and_never_an_error():
    key = SigningKey.generate()
    signature = key.sign(b"message")
    assert not signed_by(key.public[:31], b"message", signature)
    assert not signed_by(key.public + b"\0", b"message", signature)
    assert not signed_by(key.public, b"message", signature[:63])
    assert not signed_by(key.public, b"", signature + b"message")
    assert not signed_by(b"", b"", b"")


def test_a_seed_is_never_shown():
    key = SigningKey.from_hex(SEED)
    assert SEED not in repr(key)
    assert SEED[:16] not in repr(key)
    assert repr(bytes.fromhex(SEED))[2:20] not in repr(key)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (SEED + "\n", "newline or a space around"),
        (" " + SEED, "newline or a space around"),
        (SEED[:-1], "this has 63"),
        (SEED + "00", "this has 66"),
        ("", "this has 0"),
        ("g" + SEED[1:], "other characters"),
        ("g" + SEED[1:] + "\n", "other characters"),
        ("٣" + SEED[1:], "other characters"),
        (SEED[:32] + "\n" + SEED[32:], "other characters"),
    ],
)
def test_hexadecimal_is_exact_and_the_message_says_what_is_wrong(text: str, why: str):
    with pytest.raises(ValueError, match=why) as caught:
        SigningKey.from_hex(text)
    assert SEED[:20] not in str(caught.value)


def test_upper_case_is_the_same_key():
    assert Ed25519Key.from_hex(PUBLIC.upper()) == Ed25519Key.from_hex(PUBLIC)
    assert exact_hex("0aF0", "it", 2) == b"\x0a\xf0"


def test_a_seed_of_another_length_is_refused():
    with pytest.raises(ValueError, match="32 bytes, this has 31"):
        SigningKey.from_seed(bytes(31))
