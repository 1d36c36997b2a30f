"""The audit key's file and its public half: what is read, and what is refused in which words."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from security.auditkey import fingerprint, pem, read_audit_keys, read_public, write_audit_keys
from security.keys import SigningKey
from security.problems import CredentialError

KEY, OTHER = SigningKey.from_seed(b"a" * 32), SigningKey.from_seed(b"b" * 32)


def test_what_is_written_is_read(tmp_path: Path):
    file = tmp_path / "audit.key"
    write_audit_keys(file, (KEY, OTHER))
    assert [key.public for key in read_audit_keys(file, "x")] == [KEY.public, OTHER.public]
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        (None, 0o600, "there is no such file"),
        ("", 0o600, "it holds no seed"),
        ("abc", 0o600, "line 1 is not 64 hexadecimal characters"),
        ("-----BEGIN PRIVATE KEY-----", 0o600, "line 1 is a key in PEM"),
        (f"{KEY.seed_hex}\n", 0o640, "others than its owner may use it (mode 0640)"),
        (f"{KEY.seed_hex}\n" * 3, 0o600, "more than 2 seeds"),
    ],
)
def test_what_is_no_key_is_refused_without_its_content(tmp_path: Path, text: str | None, mode: int, said: str):
    file = tmp_path / "audit.key"
    if text is not None:
        file.write_text(text)
        file.chmod(mode)
    with pytest.raises(CredentialError) as refused:
        read_audit_keys(file, "audit.key_file")
    assert said in str(refused.value)
    assert str(file) in str(refused.value)
    assert KEY.seed_hex not in str(refused.value)


def test_a_public_key_is_read_as_it_is_written(tmp_path: Path):
    (tmp_path / "key.pem").write_text(pem(KEY.public_hex))
    (tmp_path / "key.hex").write_text(KEY.public_hex.upper() + "\n")
    for value in (KEY.public_hex, str(tmp_path / "key.pem"), str(tmp_path / "key.hex")):
        assert read_public(value, "--key") == KEY.public_hex
    assert len(fingerprint(KEY.public_hex)) == 64


def test_a_key_of_another_kind_is_named(tmp_path: Path):
    file = tmp_path / "rsa.pem"
    public = rsa.generate_private_key(65537, 2048).public_key()
    file.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(CredentialError, match="its key is not ed25519"):
        read_public(str(file), "--key")
    for text, said in (("-----BEGIN NOTHING-----", "holds no public key"), ("zz", "exactly 64 hexadecimal")):
        file.write_text(text)
        with pytest.raises(CredentialError, match=said):
            read_public(str(file), "--key")
