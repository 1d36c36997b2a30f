"""Bundles: what is in one, what whoever has only it can check, and that no byte of it can be changed unseen."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from diagrams import dot
from diagrams.model import draw
from fsm.table import VERSION
from security.auditkey import pem
from tests.fakes.audited import KEY, NOW, OTHER, audited, edit, keys, sign
from tests.fakes.written import MINUTE
from usher import cli
from usher.audit.bundle_check import check
from usher.audit.table import pictures, today
from usher.views.text import utc

FILES = {
    "README.md", "SHA256SUMS", "SHA256SUMS.sig", "audit-key.pem", "bundle.json", "checkpoints.jsonl", "history.jsonl",
    "journal.jsonl", "operators.jsonl", "policies.jsonl",
}  # fmt: skip
TABLE = f"{VERSION}-{today().digest[:12]}"
TABLES = {f"table-{TABLE}.json", f"machine-{TABLE}.dot", f"machine-{TABLE}.mmd"}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return audited(tmp_path / "state").parent


def export(state: Path, out: Path, *words: str, code: int = 0) -> Path:
    assert cli.main(["audit", "export", "--state", str(state), "--out", str(out), *words]) == code
    return out


@pytest.fixture
def bundle(state: Path, tmp_path: Path) -> Path:
    return export(state, tmp_path / "bundle")


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_it_holds_what_an_auditor_asks_for(bundle: Path):
    document = json.loads((bundle / "bundle.json").read_text())
    (journal,) = document["journals"]
    newest = {f"checkpoint-{journal['journal']}.{kind}" for kind in ("json", "sig")}
    assert {path.name for path in bundle.iterdir()} == FILES | TABLES | newest
    assert (journal["history"]["first"], journal["history"]["last"]) == (1, 34)
    assert journal["nodes"] == {"deferred": 1, "discovered": 1, "failed": 2, "inventoried": 1, "provisioned": 1}
    assert journal["missing"]["payloads"] == 0
    operators = read(bundle / "operators.jsonl")
    assert [(each["name"], each["what"], each["reason"]) for each in operators] == [
        ("anna", "quarantine", "disk errors"),
        ("anna", "pause", "the broker is moved"),
    ]
    (policy,) = read(bundle / "policies.jsonl")
    assert sha256(policy["document"].encode()).hexdigest().startswith(policy["hash"])
    assert (bundle / f"table-{TABLE}.json").read_bytes() == today().text
    assert (bundle / f"machine-{TABLE}.dot").read_text() == dot.render(draw(full=True))
    held = [(each["version"], each["digest"], each["origin"]) for each in journal["tables"]]
    assert held == [(VERSION, today().digest, "decided")]
    assert journal["missing"]["tables"] == []
    assert check(bundle, [KEY.public_hex]).fault == ""


def test_its_own_words_check_it(bundle: Path, tmp_path: Path):
    """Every command of the guide, as it stands, with nothing but the bundle and the key."""
    (tmp_path / "key.pem").write_text(pem(KEY.public_hex))
    commands = re.findall(r"```sh\n(.*?)```", (bundle / "README.md").read_text(), re.DOTALL)
    assert len(commands) == 5
    environment = {"PATH": "/usr/bin:/bin", "KEY": str(tmp_path / "key.pem"), "HEX": KEY.public_hex}
    for command in commands:
        done = subprocess.run(
            ["/bin/bash", "-euc", command], cwd=bundle, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        if "END" in command:
            assert done.stdout == "every row verifies\n"
    assert (tmp_path / "key.pem").read_text() == pem(KEY.public_hex)


def test_its_own_words_find_a_change(bundle: Path, tmp_path: Path):
    (tmp_path / "key.pem").write_text(pem(KEY.public_hex))
    environment = {"PATH": "/usr/bin:/bin", "KEY": str(tmp_path / "key.pem"), "HEX": KEY.public_hex}
    commands = re.findall(r"```sh\n(.*?)```", (bundle / "README.md").read_text(), re.DOTALL)
    text = (bundle / "history.jsonl").read_text()
    (bundle / "history.jsonl").write_text(text.replace("web1.example.net", "web9.example.net", 1))
    first, _, third, *_ = commands
    for command in (first, third):
        done = subprocess.run(
            ["/bin/bash", "-euc", command], cwd=bundle, capture_output=True, text=True, check=False, env=environment
        )
        assert done.returncode != 0
        assert "No such file" not in done.stderr


@pytest.mark.parametrize("name", sorted(FILES | TABLES))
def test_a_byte_that_was_changed_in_any_file_is_found(bundle: Path, name: str):
    data = bytearray((bundle / name).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / name).write_bytes(data)
    assert cli.main(["audit", "verify", "--bundle", str(bundle), "--key", KEY.public_hex]) in {1, 2}


Change = Callable[[Path], object]


def resigned(bundle: Path, with_key: Any = OTHER) -> None:
    """A list of files that fits again, signed by another key."""
    names = sorted(path.name for path in bundle.iterdir() if not path.name.startswith("SHA256SUMS"))
    text = "".join(f"{sha256((bundle / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    (bundle / "SHA256SUMS").write_text(text)
    (bundle / "SHA256SUMS.sig").write_bytes(with_key.sign(text.encode()))


def swapped(bundle: Path) -> None:
    lines = (bundle / "history.jsonl").read_text().splitlines(keepends=True)
    lines[4], lines[5] = lines[5], lines[4]
    (bundle / "history.jsonl").write_text("".join(lines))


def shortened(bundle: Path) -> None:
    lines = (bundle / "history.jsonl").read_text().splitlines(keepends=True)
    (bundle / "history.jsonl").write_text("".join(lines[:-1]))


def rewritten(bundle: Path) -> None:
    text = (bundle / "history.jsonl").read_text()
    (bundle / "history.jsonl").write_text(text.replace("web1.example.net", "web9.example.net"))


def reworded(bundle: Path) -> None:
    file = bundle / f"table-{TABLE}.json"
    file.write_text(file.read_text().replace("seen", "heard", 1))


def redrawn(bundle: Path) -> None:
    file = bundle / f"machine-{TABLE}.dot"
    file.write_text(file.read_text().replace("seen", "heard", 1))


def replaced(bundle: Path) -> None:
    """Another table in the place of the one that decided, with everything that names it but the checkpoint."""
    reworded(bundle)
    text = (bundle / f"table-{TABLE}.json").read_bytes()
    digest = sha256(text).hexdigest()
    for kind, drawn in pictures(text).items():
        (bundle / f"machine-{TABLE}.{kind}").unlink()
        (bundle / f"machine-{VERSION}-{digest[:12]}.{kind}").write_text(drawn)
    (bundle / f"table-{TABLE}.json").rename(bundle / f"table-{VERSION}-{digest[:12]}.json")
    document = bundle / "bundle.json"
    document.write_text(document.read_text().replace(today().digest, digest))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda bundle: (bundle / f"table-{TABLE}.json").unlink(), f"the file table-{TABLE}.json is missing"),
        (lambda bundle: (bundle / "more.txt").write_text("x"), "the file more.txt does not belong to it"),
        (lambda bundle: (bundle / "SHA256SUMS.sig").unlink(), "nobody has signed the list"),
        (lambda bundle: (bundle / "SHA256SUMS").unlink(), "SHA256SUMS is missing"),
        (resigned, "SHA256SUMS is not what the key"),
        (
            lambda bundle: (swapped(bundle), resigned(bundle)),
            "history row 6 (node db1.example.net): row 5 should stand",
        ),
        (lambda bundle: (shortened(bundle), resigned(bundle)), "its last rows, up to 34, are missing"),
        (lambda bundle: (rewritten(bundle), resigned(bundle)), "(node web9.example.net): its envelope or its link"),
        (rewritten, "history.jsonl was changed: history row"),
        (lambda bundle: (reworded(bundle), resigned(bundle)), f"table-{TABLE}.json is not the table that journal"),
        (lambda bundle: (redrawn(bundle), resigned(bundle)), f"machine-{TABLE}.dot is not the picture of the table"),
        (lambda bundle: (replaced(bundle), resigned(bundle)), "which checkpoint 1 names, is missing"),
    ],
)
def test_what_was_done_to_it_is_named(bundle: Path, change: Change, said: str):
    change(bundle)
    assert said in check(bundle, [KEY.public_hex]).fault


def test_another_key_proves_nothing(bundle: Path):
    assert "no checkpoint" in check(bundle, [OTHER.public_hex]).fault


def test_a_part_is_proven_by_the_checkpoint_after_it(state: Path, tmp_path: Path):
    until = utc(NOW - 5 * MINUTE + 5000) or ""
    bundle = export(state, tmp_path / "part", "--since", utc(NOW - 5 * MINUTE + 1500) or "", "--until", until)
    rows = read(bundle / "history.jsonl")
    assert rows[-1]["only_for_the_proof"]
    assert rows[-1]["payload"] is None
    assert json.loads(rows[0]["envelope"])[0] > 1
    found = check(bundle, [KEY.public_hex])
    assert (found.fault, found.notes[:0]) == ("", [])
    assert found.checkpoints == 1


def test_rows_that_no_checkpoint_covers_are_named(tmp_path: Path):
    state = audited(tmp_path / "state", checkpoints=0).parent
    found = check(export(state, tmp_path / "bundle"), [KEY.public_hex])
    assert found.fault == ""
    assert any("covered by no checkpoint" in note for note in found.notes)


def test_a_pair_is_one_bundle_merged_by_time(state: Path, tmp_path: Path):
    other = audited(tmp_path / "other").parent
    bundle = export(state, tmp_path / "pair", "--also", str(other))
    journals = [row["journal"] for row in read(bundle / "history.jsonl")]
    assert len(journals) == 68
    assert len(set(journals)) == 2
    assert journals != sorted(journals), "one after the other by time, not one journal after the other"
    assert check(bundle, [KEY.public_hex]).fault == ""


def test_the_same_database_twice_is_refused(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    export(state, tmp_path / "pair", "--also", str(state), code=2)
    assert "hold the same database" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--until", "2020-01-01"), "no row of the history lies in that span: its rows are from 2026-"),
        (("--since", "2030-01-01"), "no row of the history lies in that span"),
        (("--since", "2026-02-01", "--until", "2026-01-01"), "--since must be before --until"),
    ],
)
def test_a_span_without_a_row_is_refused(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
):
    export(state, tmp_path / "none", *words, code=2)
    assert said in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_name_that_is_taken_is_refused(state: Path, bundle: Path, capsys: pytest.CaptureFixture[str]):
    export(state, bundle, code=2)
    assert "it is there already" in capsys.readouterr().err


def test_payloads_that_were_removed_are_said_and_the_rest_verifies(state: Path, tmp_path: Path):
    edit(state / "usher.db", "UPDATE history SET payload = NULL WHERE position IN (3, 4)")
    bundle = export(state, tmp_path / "bundle")
    (journal,) = json.loads((bundle / "bundle.json").read_text())["journals"]
    assert (journal["missing"]["payloads"], journal["missing"]["payloads_at"]) == (2, [3, 4])
    found = check(bundle, [KEY.public_hex])
    assert (found.fault, found.notes[0]) == ("", f"2 rows of journal {journal['journal']} have no payload any more")


async def test_an_auditor_with_the_key_before_follows_to_the_one_that_signs_now(state: Path, tmp_path: Path):
    await sign(state, keys(state, OTHER, KEY), NOW + 1, successor=OTHER.public_hex)
    await sign(state, keys(state, OTHER), NOW + 2)
    shutil.copy(state / "audit.key", tmp_path / "old")
    (state / "audit.key").write_text(f"{OTHER.seed_hex}\n")
    bundle = export(state, tmp_path / "bundle")
    found = check(bundle, [KEY.public_hex])
    assert (found.fault, found.keys) == ("", [KEY.public_hex, OTHER.public_hex])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--key", "zz"), "it is no existing file"),
        ((), "a bundle is checked with a key that came from elsewhere"),
        (("--key", "00" * 31), "it is no existing file"),
    ],
)
def test_a_key_that_is_none_is_refused(
    bundle: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
):
    assert cli.main(["audit", "verify", "--bundle", str(bundle), *words]) == 2
    assert said in capsys.readouterr().err


def test_a_directory_that_is_no_bundle_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["audit", "verify", "--bundle", str(tmp_path), "--key", KEY.public_hex]) == 2
    assert "there is no bundle.json in it" in capsys.readouterr().err


def test_the_command_tells_people_and_programs(bundle: Path, capsys: pytest.CaptureFixture[str]):
    capsys.readouterr()
    assert cli.main(["audit", "verify", "--bundle", str(bundle), "--key", KEY.public_hex]) == 0
    assert "34 rows of history, 1 of the fleet, 1 checkpoints" in capsys.readouterr().out
    swapped(bundle)
    assert cli.main(["audit", "verify", "--bundle", str(bundle), "--key", KEY.public_hex, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["verifies"] is False
