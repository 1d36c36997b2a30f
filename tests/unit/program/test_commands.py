"""The commands of operators: exit codes, right and wrong, and what they print."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.control import STATUS, FakeDaemon, listening
from usher import children, cli, operate
from usher.control.protocol import LONGEST_REASON
from usher.standing import programs

NODE = "n1.example.net"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    made = FakeDaemon()
    with listening(tmp_path, made):
        yield made


def usher(where: Path, *words: str) -> int:
    """The exit code of a command on this state directory."""
    return cli.main([*words, "--state", str(where)])


@pytest.mark.usefixtures("daemon")
def test_status_is_well_while_work_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert usher(tmp_path, "status") == operate.WELL
    said, wrong = capsys.readouterr()
    assert wrong == ""
    assert "takes work" in said
    assert "helper_failed 1" in said
    assert "\x1b" not in said


@pytest.mark.usefixtures("daemon")
def test_status_is_trouble_while_paused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert usher(tmp_path, "pause", "--reason", "the \x1bbroker is moved") == operate.WELL
    capsys.readouterr()
    assert usher(tmp_path, "status") == operate.TROUBLE
    said = capsys.readouterr().out
    assert "paused by" in said
    assert "\x1b" not in said
    assert usher(tmp_path, "resume", "--reason", "done") == operate.WELL
    assert usher(tmp_path, "status") == operate.WELL


@pytest.mark.usefixtures("daemon")
def test_json_is_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert usher(tmp_path, "status", "--json") == operate.WELL
    assert json.loads(capsys.readouterr().out)["states"] == {"failed": 1, "provisioned": 2}
    assert usher(tmp_path, "nodes", "quarantine", NODE, "n2", "--reason", "smoke", "--json") == operate.WELL
    answers = json.loads(capsys.readouterr().out)
    assert {node: answer["state"] for node, answer in answers.items()} == {NODE: "failed", "n2": "failed"}


def test_programs_get_times_as_every_view_has_them():
    paused = {"since": 1_795_200_000_000, "by": "anna", "reason": "x"}
    credentials = [{"setting": "token", "expires": None}, {"setting": "key", "expires": 1000}]
    document = STATUS | {"started": 1_795_200_000_123, "oldest_waiting": None, "paused": paused}
    said = programs(document | {"credentials": credentials})
    assert (said["started"], said["oldest_waiting"]) == ("2026-11-20T18:40:00.123Z", None)
    assert said["paused"] == {"since": "2026-11-20T18:40:00.000Z", "by": "anna", "reason": "x"}
    assert [each["expires"] for each in said["credentials"]] == [None, "1970-01-01T00:00:01.000Z"]
    times = {"started", "paused", "oldest_waiting", "credentials"}
    assert all(said[name] == STATUS[name] for name in STATUS.keys() - times)
    assert programs(STATUS)["paused"] is None


@pytest.mark.usefixtures("daemon")
def test_something_that_was_ignored_is_trouble_and_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert usher(tmp_path, "nodes", "quarantine", NODE, "--reason", "smoke") == operate.WELL
    assert usher(tmp_path, "nodes", "quarantine", NODE, "n2", "--reason", "again") == operate.TROUBLE
    said = capsys.readouterr().out.splitlines()
    assert f"{NODE}: nothing changed: it is held already" in said
    assert any(line.startswith("n2: failed: ") for line in said)
    assert usher(tmp_path, "nodes", "release", NODE, "--reason", "fine") == operate.WELL
    assert usher(tmp_path, "nodes", "forget", NODE, "--reason", "gone") == operate.WELL
    assert f"{NODE}: no record: " in capsys.readouterr().out
    assert usher(tmp_path, "nodes", "retry", NODE, "--reason", "now") == operate.TROUBLE


def test_nodes_are_read_from_standard_input(tmp_path: Path, daemon: FakeDaemon):
    words = children.usher("nodes", "quarantine", "-", "--reason", "smoke", "--state", str(tmp_path))
    done = subprocess.run(words, input=f"{NODE}\nn2 {NODE}\n", capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (operate.WELL, "")
    assert len(done.stdout.splitlines()) == len(daemon.said) == 2


@pytest.mark.parametrize(
    "words",
    [
        ("pause",),
        ("resume",),
        ("nodes", "retry", NODE),
        ("nodes", "retry", "--reason", "x"),
        ("nodes", "burn", NODE, "--reason", "x"),
        ("nodes",),
        ("burn",),
        (),
    ],
)
def test_wrong_arguments_end_with_2(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        cli.main(list(words))
    assert caught.value.code == operate.WRONG
    assert "usage: usher" in capsys.readouterr().err


@pytest.mark.parametrize("reason", ["", "   ", "x" * (LONGEST_REASON + 1)])
@pytest.mark.parametrize("words", [("pause",), ("resume",), ("nodes", "retry", NODE)])
def test_a_reason_that_says_nothing_ends_with_2(
    tmp_path: Path, daemon: FakeDaemon, words: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
):
    assert usher(tmp_path, *words, "--reason", reason) == operate.WRONG
    assert "--reason" in capsys.readouterr().err
    assert daemon.said == []


@pytest.mark.parametrize("name", ["*", "a b", "a..b", "\x1b[31m", "é", "x" * 254])
def test_a_name_that_none_can_have_ends_with_2(
    tmp_path: Path, daemon: FakeDaemon, name: str, capsys: pytest.CaptureFixture[str]
):
    assert usher(tmp_path, "nodes", "retry", NODE, name, "--reason", "why") == operate.WRONG
    said = capsys.readouterr().err
    assert "cannot be a node's name" in said
    assert "\x1b" not in said
    assert daemon.said == []


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("status", "--json"),
        ("pause", "--reason", "x"),
        ("resume", "--reason", "x"),
        ("nodes", "retry", NODE, "--reason", "x"),
        ("nodes", "retry", NODE, "--reason", "x", "--json"),
    ],
)
def test_without_a_daemon_it_is_3_and_one_line(
    tmp_path: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
):
    assert usher(tmp_path, *words) == operate.NO_DAEMON
    said, wrong = capsys.readouterr()
    assert said == ""
    assert wrong.count("\n") == 1
    assert "usher run" in wrong


def test_a_daemon_that_refuses_is_trouble(tmp_path: Path, daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]):
    daemon.broken = True
    assert usher(tmp_path, "pause", "--reason", "why") == operate.TROUBLE
    assert "journal is closed" in capsys.readouterr().err


def test_what_was_answered_is_answered_even_if_a_later_piece_fails(
    tmp_path: Path, daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
):
    def gone() -> None:
        (tmp_path / "control.sock").unlink()

    daemon.after = gone
    many = [f"n{number}" for number in range(2001)]
    assert usher(tmp_path, "nodes", "quarantine", *many, "--reason", "x", "--json") == operate.NO_DAEMON
    said, wrong = capsys.readouterr()
    assert len(json.loads(said)) == 2000
    assert "no control socket" in wrong


def test_a_bug_is_one_line_and_a_trace_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert cli._bug(ZeroDivisionError("a bug")) == cli.BUG
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("usher: this is a bug: ZeroDivisionError")
    (trace,) = tmp_path.glob("usher-*.trace")
    assert "ZeroDivisionError" in trace.read_text()
    assert trace.stat().st_mode & 0o777 == 0o600


def test_help_and_version_are_well(capsys: pytest.CaptureFixture[str]):
    for words in (["--help"], ["--version"], *([name, "--help"] for name in cli.COMMANDS)):
        with pytest.raises(SystemExit) as caught:
            cli.main(words)
        assert caught.value.code == 0, words
    assert "usher 0." in capsys.readouterr().out
