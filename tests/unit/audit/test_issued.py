"""Who received what: tokens and certificates by node, key, id, serial and time, with what is known of their way."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from fsm.codec import LARGEST, decode_payload, encode_snapshot
from fsm.effects import Feature
from fsm.events import Ack, Certainty, CsrFacts, Done, HelperFacts, InventoryFacts, JwtFacts, TokenFacts, Verdict
from fsm.policy import Policy
from fsm.reasons import Reason
from security.certificate import certificate_marks
from store.repository import open_store
from tests.fakes import written
from tests.fakes.audited import edit
from tests.fakes.written import DIGEST, KEY, Author, write_database
from usher import cli

NOW = 1_795_200_000_000
SERIAL = "7a3f00c2d1"


async def silent(author: Author) -> None:
    """It never answered to its configuration."""
    await author.to_the_helper()
    await author.done(HelperFacts(DIGEST, Verdict.CONFIGURE, ""))
    await author.done(TokenFacts("9Silent", DIGEST, NOW // 1000, "ab12"))
    await author.failed(Certainty.UNKNOWN, Reason.NO_ANSWER)


async def refused(author: Author) -> None:
    """It refused its configuration."""
    await author.to_the_helper()
    await author.done(HelperFacts(DIGEST, Verdict.CONFIGURE, ""))
    await author.done(TokenFacts("8Refused", DIGEST, NOW // 1000, "ab12"))
    await author.failed(Certainty.REFUSED, Reason.REFUSED, transient=False)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    lives = {"web1.example.net": written.provisioned, "silent.example.net": silent, "refused.example.net": refused}
    asyncio.run(write_database(tmp_path, NOW, lives=lives))
    return tmp_path


def asked(capsys: pytest.CaptureFixture[str], state: Path, *words: str, code: int = 0) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert cli.main(["audit", "issued", *words, "--state", str(state), "--json"]) == code
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["issued"]
    return found


def test_a_token_is_found_by_its_node(state: Path, capsys: pytest.CaptureFixture[str]):
    (found,) = asked(capsys, state, "--node", "web1.example.net")
    assert (found["kind"], found["jti"], found["key"], found["signer"]) == ("token", "2Qx", KEY, "ab12")
    assert (found["received"], found["generation"]) == ("acknowledged", 1)
    assert found["expires"].startswith("2026-11-21")


def test_it_is_said_what_is_known_of_its_way(state: Path, capsys: pytest.CaptureFixture[str]):
    found = asked(capsys, state, "--key", KEY[:12].upper())
    assert {each["jti"]: each["received"] for each in found} == {
        "2Qx": "acknowledged",
        "9Silent": "perhaps",
        "8Refused": "refused",
    }


def test_by_id_and_by_time(state: Path, capsys: pytest.CaptureFixture[str]):
    assert [each["node"] for each in asked(capsys, state, "--jti", "9Silent")] == ["silent.example.net"]
    assert len(asked(capsys, state, "--between", "2026-11-20", "2026-11-21")) == 3
    assert asked(capsys, state, "--between", "2025-01-01", "2025-02-01", code=1) == []
    assert asked(capsys, state, "--jti", "9Silent", "--node", "web1.example.net", code=1) == []


async def certified(state: Path) -> None:
    """A node of an x509 network, whose helper brought a certificate."""
    store = open_store(state / "usher.db")
    policy = Policy(features=frozenset({Feature.JWT, Feature.PKI}))
    await store.remember_policy(policy.hash, policy.document(), NOW)
    author = Author(store, "x1.example.net", NOW, policy)
    await author.admitted()
    await author.done(JwtFacts(DIGEST, "3MNtG812Kz7PHsNFHl1wiN1Tooq", provisions_by_default=False))
    await author.done(InventoryFacts(DIGEST, "0.30.2", upgradable=False))
    await author.done(CsrFacts(DIGEST, "fe" * 32, "/etc/choria/ssl"))
    await author.done(
        HelperFacts(
            DIGEST, Verdict.CONFIGURE, "", serial=SERIAL, certificate="5c" * 32, certificate_expires=NOW // 1000
        )
    )
    assert len(encode_snapshot(author.snapshot)) < LARGEST
    await author.done(Ack("Reconfigured", DIGEST))
    await store.close()


def test_a_certificate_is_found_by_its_serial(state: Path, capsys: pytest.CaptureFixture[str]):
    asyncio.run(certified(state))
    (found,) = asked(capsys, state, "--serial", "7A:3F:00:C2")
    assert (found["node"], found["kind"], found["serial"]) == ("x1.example.net", "certificate", SERIAL)
    assert (found["key"], found["digest"], found["received"]) == ("fe" * 32, "5c" * 32, "acknowledged")
    assert len(asked(capsys, state, "--between", "2026-11-20", "2026-11-22")) == 4


def test_what_cannot_be_read_any_more_is_said(state: Path, capsys: pytest.CaptureFixture[str]):
    edit(state / "usher.db", "UPDATE history SET payload = NULL WHERE node = 'web1.example.net'")
    assert asked(capsys, state, "--node", "web1.example.net", code=1) == []
    assert cli.main(["audit", "issued", "--node", "web1.example.net", "--state", str(state)]) == 1
    assert "rows cannot be read any more: what they issued is not known" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say what is looked for"),
        (("--node", "no such*"), "cannot be a node's name"),
        (("--key", "xyz"), "is not at least eight hexadecimal characters"),
        (("--between", "yesterday", "now"), "is no time, such as 2026-11-20"),
        (("--jti", "a b"), "is no id of a token"),
    ],
)
def test_a_question_that_is_none_is_refused(
    state: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
):
    try:
        code = cli.main(["audit", "issued", *words, "--state", str(state)])
    except SystemExit as error:
        code = int(error.code or 0)
    assert code == 2
    assert said in capsys.readouterr().err


def test_an_older_row_without_a_certificate_is_read():
    """Fields that are new have their default where an earlier usher wrote the row."""
    identity = {"node": "n", "epoch": 1, "generation": 1, "seq": 1, "opened": 1, "tries": 1}
    facts = {"is": "helper", "digest": "d", "verdict": "configure", "message": ""}
    body = {"is": "done", "effect": "run_helper", "id": identity, "facts": facts}
    event, _ = decode_payload(json.dumps({"event": {"v": 1, "at": 1, "entropy": "00" * 16, "body": body}}).encode())
    assert isinstance(event.body, Done)
    assert event.body.facts == HelperFacts("d", Verdict.CONFIGURE, "")


def test_a_text_that_is_no_certificate_has_no_marks():
    assert certificate_marks("not one") is None
