"""Sealing anew: nothing is lost at any moment, and in the end the old key opens nothing."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from fsm.effects import Effect
from fsm.errors import StoreError, UsherError
from fsm.states import State
from fsm.unit import Blob, Secret
from security.vault import KeyRing, SealedVault, VaultKey, sealed_by
from security.vaultfile import read_ring, write_ring
from store.journal import Journal
from store.reader import open_reader
from store.repository import open_store
from tests.fakes.units import Life
from usher import cli
from usher.database.desk import Jobs
from usher.effects.hand import blob_place, entry_place
from usher.keyplace import KeyPlace
from usher.state import StateDirectory
from usher.vault import Sealing

NOW = 1_795_200_000_000
OLD = VaultKey.of(b"o" * 32)
NEW = VaultKey.of(b"n" * 32)
FACTS = b'{"facts":"many"}'
NODES = 3


async def hold(journal: Journal, vault: SealedVault) -> None:
    """A few nodes under way, each with an entry of its own, and an inventory that they share."""
    digest = sha256(FACTS).hexdigest()
    for number in range(NODES):
        life = Life(f"n{number}")
        entry = Secret("reply", vault.seal(entry_place(f"n{number}", 1, "reply"), b"secret %d" % number))
        blob = Blob(digest, vault.seal(blob_place(digest), FACTS))
        await journal.commit(life.unit(State.DISCOVERED, opens=Effect.FETCH_JWT, secrets=[entry], blobs=[blob]))
    await journal.remember_vault_keys(vault.ring.ids, NOW)


@asynccontextmanager
async def desks(folder: Path, place: KeyPlace | None = None) -> AsyncIterator[tuple[Jobs, SealedVault, Journal]]:
    """A journal that holds what the old key sealed, and who does jobs beside it."""
    place = place or KeyPlace(folder / "vault.key", ours=True)
    if place.ours:
        write_ring(place.path, KeyRing((OLD,)))
    vault, journal = SealedVault(KeyRing((OLD,))), open_store(folder / "usher.db")
    try:
        await hold(journal, vault)
        jobs = Jobs(StateDirectory(folder), lambda: journal, lambda: NOW, sealing=Sealing(place, vault))
        yield jobs, vault, journal
    finally:
        await journal.close()


def entries(folder: Path) -> dict[str, bytes]:
    """What the database holds, by place."""
    with closing(sqlite3.connect(folder / "usher.db")) as db:
        held = {entry_place(*row[:3]): row[3] for row in db.execute("SELECT node, generation, name, data FROM vault")}
        return held | {blob_place(digest): data for digest, data in db.execute("SELECT digest, data FROM blobs")}


def opened(folder: Path, ring: KeyRing) -> list[bytes | None]:
    vault = SealedVault(ring)
    return [vault.open(place, sealed) for place, sealed in sorted(entries(folder).items())]


ALL = [FACTS, *(b"secret %d" % number for number in range(NODES))]


async def test_everything_is_sealed_with_a_new_key_while_nodes_are_under_way(tmp_path: Path):
    async with desks(tmp_path) as (jobs, vault, journal):
        before = entries(tmp_path)
        answer = await jobs.begin("rekey", {}, "anna", "the yearly change")
        assert (answer["resealed"], answer["lost"], answer["replaced"]) == (NODES + 1, 0, [OLD.id])
        assert vault.ring.ids[0] == answer["key"]
        assert journal.vault_keys() == (answer["key"],)
    ring, _ = read_ring(tmp_path / "vault.key", "vault_key_file")
    assert ring.ids == (answer["key"],)
    assert opened(tmp_path, ring) == ALL
    assert {sealed_by(sealed) for sealed in entries(tmp_path).values()} == {answer["key"]}
    file = (tmp_path / "usher.db").read_bytes()
    assert not any(sealed in file for sealed in before.values())
    with open_reader(tmp_path / "usher.db") as reader:
        entry = reader.last("rekey")
    assert entry is not None
    assert (entry.name, entry.reason, orjson.loads(entry.payload or b"")["key"]) == (
        "anna", "the yearly change", answer["key"],
    )  # fmt: skip


async def test_what_was_sealed_before_and_comes_later_can_still_be_opened(tmp_path: Path):
    async with desks(tmp_path) as (jobs, vault, _):
        late = vault.seal("n9/1/reply", b"late")
        await jobs.begin("rekey", {}, "anna", "why")
        assert vault.open("n9/1/reply", late) == b"late"
        assert sealed_by(vault.seal("n9/1/token", b"x")) != OLD.id


async def test_whoever_dies_in_between_has_both_keys_in_the_file(tmp_path: Path):
    async with desks(tmp_path) as (jobs, _, journal):
        await journal.close()
        with pytest.raises(StoreError):
            await jobs.begin("rekey", {}, "anna", "why")
    ring, _ = read_ring(tmp_path / "vault.key", "vault_key_file")
    assert len(ring.keys) == 2
    assert ring.keys[1] == OLD
    assert opened(tmp_path, ring) == ALL


async def test_a_key_file_of_the_site_is_only_read(tmp_path: Path):
    mounted = tmp_path / "mounted"
    write_ring(mounted, KeyRing((NEW, OLD)))
    written = mounted.read_bytes()
    async with desks(tmp_path, KeyPlace(mounted, ours=False)) as (jobs, _, _):
        answer = await jobs.begin("rekey", {}, "anna", "why")
        assert (answer["key"], answer["replaced"], answer["removed"]) == (NEW.id, [OLD.id], False)
    assert mounted.read_bytes() == written
    assert opened(tmp_path, KeyRing((NEW,))) == ALL


async def test_a_key_that_is_in_use_must_stay_in_the_file(tmp_path: Path):
    mounted = tmp_path / "mounted"
    write_ring(mounted, KeyRing((NEW,)))
    async with desks(tmp_path, KeyPlace(mounted, ours=False)) as (jobs, _, _):
        with pytest.raises(UsherError, match=f"the key {OLD.id} is in use .* put it back as a later line"):
            await jobs.begin("rekey", {}, "anna", "why")
    assert opened(tmp_path, KeyRing((OLD,))) == ALL


async def test_another_key_file_than_the_daemons_is_refused(tmp_path: Path):
    async with desks(tmp_path) as (jobs, _, _):
        with pytest.raises(UsherError, match="leave --key-file out"):
            await jobs.begin("rekey", {"key_file": "/elsewhere"}, "anna", "why")


async def test_what_no_key_opens_is_counted_and_left(tmp_path: Path):
    async with desks(tmp_path) as (jobs, _, journal):
        stranger = SealedVault(KeyRing((VaultKey.of(b"s" * 32),)))
        lost = Secret("reply", stranger.seal("n9/1/reply", b"lost"))
        await journal.commit(Life("n9").unit(State.DISCOVERED, opens=Effect.FETCH_JWT, secrets=[lost]))
        answer = await jobs.begin("rekey", {}, "anna", "why")
        assert (answer["resealed"], answer["lost"]) == (NODES + 1, 1)
    assert lost.data in entries(tmp_path).values()


def test_the_command_without_a_daemon(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    async def make() -> None:
        async with desks(tmp_path):
            pass

    asyncio.run(make())
    words = ["db", "rekey", "--state", str(tmp_path), "--reason", "why"]
    assert cli.main([*words, "--key-file", str(tmp_path / "none")]) == 1
    assert "name it with --key-file" in capsys.readouterr().err
    assert cli.main(words) == 0
    said = capsys.readouterr().out
    assert f"{NODES + 1} entries are sealed" in said
    assert f"the key {OLD.id} is not needed any more: it was removed" in said
    assert opened(tmp_path, read_ring(tmp_path / "vault.key", "vault_key_file")[0]) == ALL
