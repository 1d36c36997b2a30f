"""A site with an issuer and a signer, on a fixed day, and tokens that are wrong in one chosen way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fsm.ports import TokenOrder
from security import tokens
from security.issuing import Issuer, SignerMaterial, make_issuer, make_signer
from security.keys import Ed25519Key, SigningKey
from security.signer import FileSigner

NOW_S = 1_795_200_000
NOW = NOW_S * 1000
DAY = 86_400
YEAR = 365 * DAY
ISSUER: Issuer = make_issuer(b"i" * 32)
ORGANIZATION = SigningKey.from_hex(ISSUER.seed_hex)
VERIFIES = Ed25519Key(ORGANIZATION.public)
SIGNER: SignerMaterial = make_signer(ISSUER, "provisioner_signer", NOW_S, YEAR)
NODE = SigningKey.from_seed(b"n" * 32)
ENTROPY = b"0123456789abcdef"


def claims_of(text: str) -> dict[str, Any]:
    """The claims of a token, not verified."""
    return tokens.decode(text).claims


def changed(claims: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """The claims with some others; a value of ... leaves the claim out."""
    return {name: value for name, value in {**claims, **changes}.items() if value is not ...}


def order(**fields: Any) -> TokenOrder:
    """An order for a server token, a minute after NOW."""
    given: dict[str, Any] = {
        "identity": "n1.example.net",
        "public_key": NODE.public_hex,
        "at": NOW + 60_123,
        "entropy": ENTROPY,
        "claims": {},
        "configuration": {},
    }
    return TokenOrder(**{**given, **fields})


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    """The file with that text and mode."""
    path.write_text(text)
    path.chmod(mode)
    return path


def signer_files(where: Path, material: SignerMaterial = SIGNER) -> tuple[Path, Path]:
    """The seed file and the token file of a signer."""
    return written(where / "signer.seed", material.seed_hex), written(where / "signer.jwt", material.token + "\n")


def file_signer(where: Path, material: SignerMaterial = SIGNER, validity: int = YEAR, **options: Any) -> FileSigner:
    """A signer over files in that directory."""
    return FileSigner(*signer_files(where, material), validity, **options)
