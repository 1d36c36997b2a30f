"""What is sealed of a node, told by its names, and what the helper said, with who asked in the journal."""

from __future__ import annotations

import asyncio
import getpass
import json
from pathlib import Path

import orjson
import pytest

from fsm.events import Certainty, Due, DueKind, HelperFacts, Verdict
from fsm.reasons import Reason
from fsm.snapshot import Snapshot
from fsm.states import State
from security.vault import KeyRing, SealedVault, VaultKey
from security.vaultfile import write_ring
from store.journal import Journal
from store.reader import open_reader
from store.repository import open_store
from tests.fakes.written import RING, Author, deferred, write_database
from usher.cli import main
from usher.database.desk import Jobs
from usher.database.jobs import Document, JobError
from usher.database.output import lines
from usher.harmless import Harmless
from usher.keyplace import KeyPlace
from usher.state import DATABASE, VAULT_KEY, StateDirectory
from usher.vault import Sealing
from usher.views import common

FAILED, DEFERRED, READ = "web2.example.net", "db1.example.net", "web4.example.net"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return asyncio.run(write_database(tmp_path, common.now()))


def entries(state: Path) -> list[tuple[str, str, str, Document]]:
    with open_reader(state / DATABASE) as reader:
        return [(each.kind, each.name, each.reason, orjson.loads(each.payload or b"{}")) for each in reader.fleet()]


def test_what_a_helper_said_is_told_without_a_daemon_and_who_asked_is_kept(state: Path, capsys):
    assert main(["nodes", "output", FAILED, "--reason", "why it failed", "--state", str(state)]) == 0
    said = capsys.readouterr().out
    assert "on its standard error:\n    lookup: \\x1b[31mred\\x07\n    no such datacentre\n" in said
    asked = ("output-read", getpass.getuser(), "why it failed", {"node": FAILED, "generation": 1})
    assert entries(state) == [asked]


def test_the_same_as_json(state: Path, capsys):
    assert main(["nodes", "output", DEFERRED, "--reason", "x", "--json", "--state", str(state)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["state"], document["generation"]) == ("deferred", 1)
    assert document["said"] == {"msg": "the rack is not cabled yet"}


def test_where_nothing_was_said_nothing_is_noted(state: Path, capsys):
    assert main(["nodes", "output", "web1.example.net", "--reason", "x", "--state", str(state)]) == 1
    assert "nothing is held" in capsys.readouterr().out
    assert entries(state) == []


async def silent_since(state: Path, *, failed: bool) -> Snapshot:
    """A node whose helper spoke once, and ran again without a word."""
    journal = open_store(state / DATABASE)
    author = Author(journal, "n1.example.net", common.now() - 10**7)
    await deferred(author)
    await author.due()
    await author.tell(Due(DueKind.ADMIT))
    await author.read()
    if failed:
        await author.failed(Certainty.REFUSED, Reason.HELPER_FAILED, "x", author.said(), transient=False)
    else:
        await author.done(HelperFacts("5f" * 32, Verdict.CONFIGURE, ""))
    await journal.close()
    return author.snapshot


@pytest.mark.parametrize("failed", [False, True])
async def test_what_was_said_before_a_silent_run_is_not_told(tmp_path: Path, failed: bool):
    snapshot = await silent_since(tmp_path, failed=failed)
    write_ring(tmp_path / VAULT_KEY, RING)
    document = await asked(tmp_path, "output", Harmless(), node=snapshot.node)
    assert (document["generation"], document["said"]) == (2, {})
    assert list(lines(document)) == [
        "n1.example.net: the helper said nothing for people when it last ran, in generation 2"
    ]


def test_another_key_opens_nothing(state: Path, capsys):
    write_ring(state / VAULT_KEY, KeyRing((VaultKey.fresh(),)))
    assert main(["nodes", "output", FAILED, "--reason", "x", "--state", str(state)]) == 1
    assert "can be opened with no key" in capsys.readouterr().out
    assert main(["nodes", "contents", READ, "--state", str(state)]) == 0
    assert "nothing is held" in capsys.readouterr().out


def test_a_key_file_that_lies_elsewhere_is_named_and_none_is_made(state: Path, tmp_path: Path, capsys):
    away = tmp_path / "away"
    (state / VAULT_KEY).rename(away)
    words = ["nodes", "output", FAILED, "--reason", "x", "--state", str(state)]
    assert main(words) == 1
    assert "name it with --key-file FILE" in capsys.readouterr().err
    assert not (state / VAULT_KEY).exists()
    assert main([*words, "--key-file", str(away)]) == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nodes", "output", "nobody", "--reason", "x"], "no node is known by the name nobody"),
        (["nodes", "contents", "no/body"], "cannot be a node's name"),
    ],
)
def test_a_node_that_is_not_known_is_named(state: Path, capsys, words: list[str], says: str):
    assert main([*words, "--state", str(state)]) == 1
    assert says in capsys.readouterr().err


def test_no_database_is_made(tmp_path: Path, capsys):
    assert main(["nodes", "contents", READ, "--state", str(tmp_path)]) == 1
    assert "there is no database" in capsys.readouterr().err
    assert not (tmp_path / DATABASE).exists()


def test_without_a_daemon_names_are_told_and_no_value(state: Path, capsys):
    assert main(["nodes", "contents", READ, "--state", str(state)]) == 0
    said = capsys.readouterr().out
    assert "facts:\n  os  (hidden)\n" in said
    assert "version      (hidden)" in said
    assert "s3cret" not in said
    assert entries(state) == []


async def asked(state: Path, job: str, harmless: Harmless, **arguments: str) -> Document:
    """What the daemon of this state directory would answer."""
    journal: Journal = open_store(state / DATABASE)
    sealing = Sealing(KeyPlace(state / VAULT_KEY, ours=True), SealedVault(RING), ("the rack",), harmless)
    jobs = Jobs(StateDirectory(state), lambda: journal, common.now, lambda: None, sealing)
    try:
        return await jobs.begin(job, arguments, "anna", "because")
    finally:
        await journal.close()


async def test_a_daemon_tells_the_values_that_are_harmless(tmp_path: Path):
    state = await write_database(tmp_path, common.now())
    document = await asked(state, "contents", Harmless(("agents",)), node=READ)
    assert document["state"] == State.INVENTORIED.value
    held = document["held"]
    assert held["inventory"] == {"agents": None, "collectives": ["provisioning"], "facts": None, "version": "0.30.2"}
    assert held["facts"] == {"os": None}
    assert held["claims"] == {
        "cht": None, "chpwd": None, "chu": "nats://broker.example.net:4222", "purpose": "choria_provisioning",
    }  # fmt: skip


async def test_what_a_helper_said_is_told_without_the_secrets_of_the_site(tmp_path: Path):
    state = await write_database(tmp_path, common.now())
    document = await asked(state, "output", Harmless(), node=DEFERRED)
    assert document["said"] == {"msg": "[redacted] is not cabled yet"}
    assert entries(state)[-1][:3] == ("output-read", "anna", "because")


async def test_a_reading_needs_a_reason_and_a_name(tmp_path: Path):
    state = await write_database(tmp_path, common.now())
    with pytest.raises(JobError, match="cannot be a node's name"):
        await asked(state, "contents", Harmless(), node="")
    assert main(["nodes", "output", FAILED, "--reason", " ", "--state", str(state)]) == 2
