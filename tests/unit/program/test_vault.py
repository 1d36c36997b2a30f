"""The vault at a start: where its keys are, that none is made where one was named, and what the loss of one costs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fsm.states import State
from security.problems import CredentialError
from security.vault import KeyRing, SealedVault, VaultKey
from security.vaultfile import write_ring
from store.reader import open_reader
from store.repository import open_store
from tests.fakes.log import Log
from tests.fakes.written import LIVES, RING, write_database
from usher.effects.hand import FactsLostError, Hand, Name
from usher.keyplace import KeyPlace
from usher.state import DATABASE, StateDirectory
from usher.vault import LOST, VaultKeyError, key_place, open_ring, take_up
from usher.views import common

READ = "web4.example.net"


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path)


def test_the_file_that_was_named_comes_first(state: StateDirectory, tmp_path: Path):
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "usher-vault-key").touch()
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}
    assert key_place("/etc/usher.key", environ, state) == KeyPlace(Path("/etc/usher.key"), ours=False)
    assert key_place("", environ, state) == KeyPlace(credentials / "usher-vault-key", ours=False)
    (credentials / "usher-vault-key").unlink()
    assert key_place("", environ, state) == KeyPlace(tmp_path / "vault.key", ours=True)
    assert key_place("", {}, state) == KeyPlace(tmp_path / "vault.key", ours=True)


def test_a_file_that_was_named_is_never_made(tmp_path: Path):
    with pytest.raises(CredentialError, match="there is no such file"):
        open_ring(KeyPlace(tmp_path / "k", ours=False))
    assert list(tmp_path.iterdir()) == []


def test_where_none_was_named_one_is_made_once_for_its_owner_alone(state: StateDirectory):
    place = key_place("", {}, state)
    ring = open_ring(place)
    assert place.path.stat().st_mode & 0o777 == 0o600
    assert open_ring(place) == ring
    place.path.write_text("# emptied by hand\n")
    with pytest.raises(CredentialError, match="it holds no key"):
        open_ring(place)


def test_one_that_cannot_be_made_is_said_in_words(tmp_path: Path):
    with pytest.raises(VaultKeyError, match="No such file") as caught:
        open_ring(KeyPlace(tmp_path / "none" / "vault.key", ours=True))
    assert str(caught.value).endswith("that the disk has room, or name another place with vault_key_file")


async def test_a_key_that_was_lost_costs_what_it_sealed_and_nothing_else(tmp_path: Path, log: Log):
    await write_database(tmp_path, common.now())
    fresh = KeyRing((VaultKey.fresh(),))
    journal = open_store(tmp_path / DATABASE)
    assert await take_up(journal, fresh, common.now()) == RING.ids
    hand = Hand(journal, SealedVault(fresh))
    snapshot = journal.load(READ)
    assert snapshot is not None
    assert (snapshot.state, snapshot.open is not None) == (State.INVENTORIED, True)
    with pytest.raises(FactsLostError):
        hand.find(snapshot, Name.CLAIMS)
    assert snapshot.facts.inventory is not None
    with pytest.raises(FactsLostError):
        hand.find_blob(snapshot.facts.inventory.digest)
    await journal.close()

    with open_reader(tmp_path / DATABASE) as reader:
        (entry,) = reader.fleet()
        assert {node.node for node in reader.nodes().nodes} == set(LIVES)
        assert all(reader.history(node) for node in LIVES)
    assert (entry.kind, entry.name) == (LOST, "usher")
    assert RING.ids[0] in entry.reason
    assert "its nodes start anew" in entry.reason
    (line,) = log.lines
    assert (line["level"], line["keys"]) == ("error", list(fresh.ids))
    assert not any(key.raw.hex() in json.dumps(line) for key in (*RING.keys, *fresh.keys))


async def test_the_loss_is_said_once(tmp_path: Path, log: Log):
    await write_database(tmp_path, common.now())
    fresh = KeyRing((VaultKey.fresh(),))
    journal = open_store(tmp_path / DATABASE)
    await take_up(journal, fresh, 1)
    assert await take_up(journal, fresh, 2) == ()
    assert len(log.lines) == 1
    await journal.close()


async def test_a_key_that_is_still_at_hand_opens_what_it_sealed(tmp_path: Path, log: Log):
    await write_database(tmp_path, common.now())
    write_ring(tmp_path / "vault.key", KeyRing((VaultKey.fresh(), *RING.keys)))
    ring = open_ring(KeyPlace(tmp_path / "vault.key", ours=True))
    journal = open_store(tmp_path / DATABASE)
    assert await take_up(journal, ring, 1) == ()
    snapshot = journal.load(READ)
    assert snapshot is not None
    assert Hand(journal, SealedVault(ring)).find(snapshot, Name.CLAIMS)["cht"] == "s3cret"
    assert log.text == ""
    await journal.close()
