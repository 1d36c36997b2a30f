"""Status where the state directory cannot be looked into: a sentence and an exit code, never a bug."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from usher import cli, operate
from usher.control.client import NoDaemonError
from usher.standing import stored


def test_a_path_that_the_system_refuses_holds_nothing(tmp_path: Path):
    assert stored(tmp_path / ("x" * 300) / "usher.db") is None


def test_status_of_a_path_that_the_system_refuses_is_no_bug(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["status", "--state", str(tmp_path / ("x" * 300))]) == operate.NO_DAEMON
    assert "--state DIR" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_a_forbidden_directory_says_whom_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    shut = tmp_path / "shut"
    shut.mkdir(mode=0)
    assert cli.main(["status", "--state", str(shut)]) == operate.NO_DAEMON
    assert "run this as the user that runs usher" in capsys.readouterr().err


def test_the_next_step_is_named():
    assert "start it with usher run, or" in str(NoDaemonError("/s", "gone"))
    assert "gone; be root, or" in str(NoDaemonError("/s", "gone", "be root"))


def test_a_database_that_cannot_be_read_is_said_beside_the_daemon_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "usher.db").write_bytes(b"no database" * 100)
    assert cli.main(["status", "--state", str(tmp_path)]) == operate.NO_DAEMON
    said = capsys.readouterr().err.splitlines()
    assert "is no SQLite database: name usher's state directory with --state, or if this is it restore" in said[0]
    assert "start it with usher run" in said[1]


@pytest.mark.parametrize("option", ["--config", "--choria-config", "--as-node", "--sample"])
def test_an_empty_file_is_not_the_working_directory(option: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        cli.main(["check-config", "--config", "x", option, ""])
    assert caught.value.code == 2
    assert f"argument {option}: it is empty: name a file" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "3601", "nan", "soon", ""])
def test_what_is_no_limit_of_a_preflight_is_refused(text: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        cli.main(["check-config", "--config", "x", "--connect", f"--within={text}"])
    assert "it must be a number of seconds from 1 to 3600" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["status"], ["db", "check"], ["nodes", "list"], ["run", "--config", "x"]])
def test_an_empty_directory_never_means_the_default(command: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        cli.main([*command, "--state", ""])
    assert caught.value.code == 2
    assert "name the state directory, or leave --state out" in capsys.readouterr().err
