"""The vault at a start: where its keys are, and whether they are those that sealed what the database holds.

Rules:
1. A key file that was named is never made here: a secret that is not mounted must not cost the nodes under way.
2. Where none was named, one is made in the state directory, before anything is sealed.
3. A key that was lost is said, in the log and in the journal of the fleet; the nodes under way then start anew.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fsm.errors import UsherError
from security.vault import KeyRing, SealedVault, VaultKey
from security.vaultfile import read_ring, write_ring
from store.entries import FleetEntry
from store.journal import Journal
from usher import logs
from usher.harmless import Harmless
from usher.keyplace import KeyPlace
from usher.state import StateDirectory

SETTING: Final = "vault_key_file"
CREDENTIAL: Final = "usher-vault-key"
"""The name of systemd's credential (LoadCredential=)."""
LOST: Final = "vault-key-lost"
_logger = logging.getLogger("usher")


class VaultKeyError(UsherError):
    """The vault's key file cannot be made"""

    def __init__(self, file: Path, problem: str) -> None:
        """Hold the file and what the system said."""
        super().__init__()
        self.file = file
        self.problem = problem

    def __str__(self) -> str:
        """One sentence and the next step."""
        step = "see that the user that runs usher may write there and that the disk has room, or name another place"
        return f"{self.__doc__}: {self.file}: {self.problem}; {step} with {SETTING}"


@dataclass(frozen=True, slots=True)
class Sealing:
    """The vault that is in use, and where its keys are.

    `secrets` are the site's own, `harmless` says which values may be shown: a daemon knows them, a command does not.
    """

    place: KeyPlace
    vault: SealedVault
    secrets: Collection[str] = field(default=(), repr=False)
    harmless: Harmless | None = None


def key_place(named: str, environ: Mapping[str, str], state: StateDirectory) -> KeyPlace:
    """The file of the configuration, else systemd's credential, else the state directory's own."""
    return KeyPlace.find(named, environ, CREDENTIAL, state.vault_key)


def open_ring(place: KeyPlace, *, strict: bool = False) -> KeyRing:
    """The keys, made if the place is ours and has none; raises CredentialError, VaultKeyError."""
    if place.ours and not place.path.exists():
        ring = KeyRing((VaultKey.fresh(),))
        try:
            write_ring(place.path, ring)
        except OSError as error:
            raise VaultKeyError(place.path, error.strerror or str(error)) from None
        return ring
    return read_ring(place.path, SETTING, strict=strict)[0]


async def take_up(journal: Journal, ring: KeyRing, at: int) -> tuple[str, ...]:
    """Note the keys that seal from now on; answers the ids of those that are missing, which is noted too."""
    lost = tuple(key for key in journal.vault_keys() if key not in ring.ids)
    if lost:
        said = f"the vault key {', '.join(lost)} is not at hand: what it sealed is lost, its nodes start anew"
        await journal.fleet(FleetEntry(at, LOST, "usher", said))
        logs.say(_logger, logging.ERROR, said, keys=list(ring.ids))
    await journal.remember_vault_keys(ring.ids, at)
    return lost
