"""The audit key at a start: where it is, who made it, and what it signs.

Rules:
1. A key file that was named is never made here; where none was named, one is made in the state directory.
2. While the file holds two seeds the first takes over from the second, with a checkpoint that both sign.
3. The file that usher made is usher's to change; one that the site provides is only read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from fsm.errors import UsherError
from security.auditkey import read_audit_keys, write_audit_keys
from security.keys import SigningKey
from store.checkpoints import Signed
from usher.keyplace import KeyPlace
from usher.state import StateDirectory

SETTING: Final = "audit.key_file"
CREDENTIAL: Final = "usher-audit-key"
"""The name of systemd's credential (LoadCredential=)."""


class AuditKeyError(UsherError):
    """The audit key's file cannot be written"""

    def __init__(self, file: Path, problem: str) -> None:
        """Hold the file and what the system said."""
        super().__init__()
        self.file = file
        self.problem = problem


@dataclass(frozen=True, slots=True)
class AuditKeys:
    """The key that signs, the one before it while it takes over, and where they are."""

    place: KeyPlace
    current: SigningKey
    before: SigningKey | None = field(default=None)

    @property
    def public(self) -> str:
        """The public key of the one that signs: 64 hex characters."""
        return self.current.public_hex

    @property
    def seeds(self) -> tuple[str, ...]:
        """What no log may show."""
        return tuple(key.seed_hex for key in (self.current, self.before) if key is not None)

    def sign(self, document: bytes) -> Signed:
        """The signature of the current key."""
        return Signed(self.public, self.current.sign(document))

    def hand_over(self, document: bytes) -> Signed:
        """The signatures of the key before, and of the current one that takes over."""
        if self.before is None:
            raise ValueError("there is no key to take over from")
        signature, countersigned = self.before.sign(document), self.current.sign(document)
        return Signed(self.before.public_hex, signature, self.public, countersigned)

    def with_fresh(self) -> AuditKeys:
        """A new key that is to take over, durable together with the one before it; raises AuditKeyError."""
        return _written(replace(self, current=SigningKey.generate(), before=self.current))

    def alone(self) -> AuditKeys:
        """Without the key before, in the file too where that is ours; raises AuditKeyError."""
        if self.before is None or not self.place.ours:
            return self
        return _written(replace(self, before=None))


def audit_key_place(named: str, environ: Mapping[str, str], state: StateDirectory) -> KeyPlace:
    """The file of the configuration, else systemd's credential, else the state directory's own."""
    return KeyPlace.find(named, environ, CREDENTIAL, state.audit_key)


def open_keys(place: KeyPlace) -> AuditKeys:
    """The keys, made if the place is ours and has none; raises CredentialError, AuditKeyError."""
    if place.ours and not place.path.exists():
        return _written(AuditKeys(place, SigningKey.generate()))
    return read_keys(place)


def read_keys(place: KeyPlace) -> AuditKeys:
    """The keys of a file that is there; raises CredentialError."""
    return AuditKeys(place, *read_audit_keys(place.path, SETTING))


def _written(keys: AuditKeys) -> AuditKeys:
    held = (keys.current, keys.before) if keys.before is not None else (keys.current,)
    try:
        write_audit_keys(keys.place.path, held)
    except OSError as error:
        raise AuditKeyError(keys.place.path, error.strerror or str(error)) from None
    return keys
