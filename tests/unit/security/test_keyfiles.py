"""Key files as sites have them, and what is said about the wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from security.issuing import make_broker_certificate
from security.keyfiles import read_seed, read_token, verify_key
from security.keys import Ed25519Key, RsaKey, SigningKey
from security.problems import CredentialError
from tests.fakes.site import NODE, written

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def spki(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_a_seed_file_is_read(tmp_path: Path):
    key, problems = read_seed(written(tmp_path / "seed", NODE.seed_hex), "jwt_signing_key")
    assert key == NODE
    assert problems == ()


def test_a_newline_at_the_end_is_an_error_that_says_so(tmp_path: Path):
    path = written(tmp_path / "seed", NODE.seed_hex + "\n")
    with pytest.raises(CredentialError, match="newline") as caught:
        read_seed(path, "jwt_signing_key")
    problem = caught.value.problem
    assert (problem.check, problem.fatal) == ("seed_format", True)
    assert problem.place == f"jwt_signing_key ({path})"
    assert "printf" in problem.next
    assert NODE.seed_hex not in str(caught.value)


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o666])
def test_a_seed_that_everybody_may_read_is_a_warning_and_strict_refuses_it(tmp_path: Path, mode: int):
    path = written(tmp_path / "seed", NODE.seed_hex, mode)
    _, (problem,) = read_seed(path, "jwt_signing_key")
    assert (problem.check, problem.fatal, problem.next) == ("secret_readable", False, f"chmod 0600 {path}")
    _, (refused,) = read_seed(path, "jwt_signing_key", strict=True)
    assert (refused.check, refused.fatal) == ("secret_readable", True)
    assert "everybody may read it" in refused.what


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_a_seed_that_is_kept_is_no_problem(tmp_path: Path, mode: int):
    assert read_seed(written(tmp_path / "seed", NODE.seed_hex, mode), "x", strict=True)[1] == ()


def test_an_rsa_signing_key_is_refused_by_name(tmp_path: Path):
    pem = RSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    with pytest.raises(CredentialError, match="needs an ed25519 seed") as caught:
        read_seed(written(tmp_path / "key.pem", pem), "jwt_signing_key")
    assert caught.value.problem.check == "rsa_signing_key"


def test_what_is_not_there_or_no_text_is_named(tmp_path: Path):
    with pytest.raises(CredentialError, match="no such file"):
        read_seed(tmp_path / "none", "jwt_signing_key")
    with pytest.raises(CredentialError, match="not a file"):
        read_seed(tmp_path, "jwt_signing_key")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(CredentialError, match="not text"):
        read_seed(tmp_path / "binary", "jwt_signing_key")
    with pytest.raises(CredentialError, match="cannot be read"):
        read_seed(Path("a" * 5000), "jwt_signing_key")
    with pytest.raises(CredentialError, match="larger than"):
        read_token(written(tmp_path / "large", "x" * 200_000), "token_file")


def test_a_token_file_may_end_in_a_newline(tmp_path: Path):
    assert read_token(written(tmp_path / "t", " a.b.c\n\n"), "token_file") == "a.b.c"
    with pytest.raises(CredentialError, match="it is empty"):
        read_token(written(tmp_path / "t", "\n"), "token_file")


def test_a_verify_key_is_hexadecimal_or_a_file(tmp_path: Path):
    expected = Ed25519Key(NODE.public)
    assert verify_key(NODE.public_hex) == expected
    assert verify_key(str(written(tmp_path / "key.hex", NODE.public_hex))) == expected


def test_a_verify_key_may_be_an_rsa_key_in_pem(tmp_path: Path):
    key = verify_key(str(written(tmp_path / "key.pem", spki(RSA.public_key()))))
    assert isinstance(key, RsaKey)
    assert key.key.public_numbers() == RSA.public_key().public_numbers()
    assert len(key.id) == 64


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (NODE.public_hex + "\n", "newline"),
        (NODE.public_hex[:-2], "this has 62"),
        (spki(ec.generate_private_key(ec.SECP256R1()).public_key()), "not RSA"),
        (spki(ed25519.Ed25519PrivateKey.generate().public_key()), "64 hexadecimal characters"),
        (make_broker_certificate(["localhost"])[0], "not RSA"),
        ("-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----\n", "cannot be decoded"),
        ("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n", "cannot be decoded"),
        ("-----BEGIN RSA PUBLIC KEY-----\nMIIB\n-----END RSA PUBLIC KEY-----\n", "not supported"),
    ],
)
def test_a_wrong_verify_key_file_is_explained(tmp_path: Path, text: str, why: str):
    path = written(tmp_path / "key", text)
    with pytest.raises(CredentialError, match=why) as caught:
        verify_key(str(path))
    assert caught.value.problem.place == f"jwt_verify_cert ({path})"
    assert caught.value.problem.check == "verify_key_format"


def test_a_verify_key_that_is_neither_file_nor_key_says_both():
    with pytest.raises(CredentialError, match=r"other characters; it is no existing file"):
        verify_key("/etc/choria/nothing-here.pem")
    with pytest.raises(CredentialError, match="it is empty"):
        verify_key("")
    with pytest.raises(CredentialError, match="hexadecimal"):
        verify_key("a" * 5000)
    with pytest.raises(CredentialError, match="hexadecimal"):
        verify_key("a\0b")


def test_a_problem_reads_as_one_line(tmp_path: Path):
    with pytest.raises(CredentialError) as caught:
        read_seed(tmp_path / "none", "jwt_signing_key")
    said = str(caught.value.problem)
    assert said == f"jwt_signing_key ({tmp_path}/none): there is no such file; correct the path, or put the file there"


def test_a_generated_seed_round_trips(tmp_path: Path):
    key = SigningKey.generate()
    assert read_seed(written(tmp_path / "seed", key.seed_hex), "x")[0].sign(b"m") == key.sign(b"m")
