"""The report of a fleet: what it says of a node, and a file that is whole or as it was."""

from __future__ import annotations

import stat
from pathlib import Path

import orjson
import pytest

from security.keys import SigningKey
from tests.fakes.simulated import TOKEN
from tests.fakes.site import SIGNER
from usher.simulator.model import Mode, Node, Process, Setup
from usher.simulator.report import Report, ReportError, holding

SETUP = Setup(TOKEN, "s3cret")
KEY = SigningKey.from_seed(b"k" * 32)
BARE = Node("n1.example.net", "n1.example.net", 7, Process(Mode.PROVISIONING, 5_000_000))


def keyed(**files: str) -> Node:
    return BARE._replace(files=files)


def test_a_bare_node_holds_nothing() -> None:
    assert holding(BARE, SETUP) == {
        "node": "n1.example.net", "identity": "n1.example.net", "phase": "unprovisioned", "process": "provisioning",
        "started": 5, "key": "", "token_key": "", "token_id": "", "tls_key": "", "certificate_key": "",
    }  # fmt: skip


def test_key_and_token_are_told_by_their_public_key_and_no_seed_is() -> None:
    told = holding(keyed(**{SETUP.seed_file: KEY.seed_hex, SETUP.token_file: SIGNER.token}), SETUP)
    assert told["key"] == KEY.public_hex
    assert told["token_key"] not in ("", KEY.public_hex)
    assert told["token_id"]
    assert KEY.seed_hex not in str(told)


def test_what_reached_a_node(tmp_path: Path) -> None:
    report = Report(tmp_path / "report.jsonl")
    for action, at in (("jwt", 1), ("restart", 2_000_000), ("jwt", 3), ("restart", 9_000_000)):
        report.heard(BARE.host, action, at)
    report.write([BARE, BARE._replace(host="n2.example.net")], SETUP)
    first, second = (orjson.loads(line) for line in report.file.read_bytes().splitlines())
    assert first["requests"] == {"jwt": 2, "restart": 2}
    assert first["times"] == {"restart": [2, 9]}
    assert (second["node"], second["requests"]) == ("n2.example.net", {})
    assert stat.S_IMODE(report.file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["report.jsonl"]


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"cannot be written.*nowhere/report"):
        Report(tmp_path / "nowhere" / "report").write([BARE], SETUP)
