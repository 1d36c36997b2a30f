"""The older program's command line: its flags, in every order that it took, mean `usher run`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.house import ROOT
from usher import cli, older, run


@pytest.mark.parametrize(
    "words",
    [
        "--config F --choria-config G --pid P --debug",
        "run --config=F --choria-config=G --pid=P --debug",
        "--debug run --pid P --config F --choria-config G",
        "--no-debug --config F --choria-config G --pid P --debug run",
    ],
)
def test_every_flag_in_every_order(words: str):
    args = older.parse(words.split())
    assert (args.config, args.choria_config, args.pid, args.debug) == ("F", "G", "P", True)
    assert args.run is run.run


def test_what_is_not_said_is_as_it_was():
    args = older.parse(["--config", "F", "--debug", "--no-debug"])
    assert (args.choria_config, args.pid, args.debug, args.state) == (None, None, False, None)


@pytest.mark.parametrize("first", ["--config", "--config=F", "--choria-config", "--pid", "--debug", "--no-debug"])
def test_usher_without_a_command_reads_it_too(first: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    absent = str(tmp_path / "absent.yaml")
    words = {"--config": ["--config", absent], "--config=F": [f"--config={absent}"]}.get(first)
    if words is None:
        words = [first, *([] if "debug" in first else [str(tmp_path / "x")]), "--config", absent]
    assert cli.main(words) == run.WRONG
    assert f"usher: error: {absent}: there is no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "the following arguments are required: --config"),
        ("--debug", "the following arguments are required: --config"),
        ("--config", "argument --config: expected one argument"),
        ("--config F walk", "the only command is run, not 'walk'"),
        ("--config F run run", "the only command is run, not 'run run'"),
        ("--config F --conf G", "unrecognized arguments: --conf"),
        ("--config F --state-dir G", "unrecognized arguments: --state-dir"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(words: str, says: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        older.parse(words.split())
    assert ended.value.code == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("choria-provisioner: error: ")
    assert says in said


@pytest.mark.parametrize("asked", ["--help", "--version"])
def test_help_and_version_say_what_it_is(asked: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        older.parse([asked])
    assert ended.value.code == 0
    assert "usher" in capsys.readouterr().out


def test_the_entry_point_is_this_command_line(tmp_path: Path):
    code = "import sys; from usher.entry import choria_provisioner; sys.exit(choria_provisioner())"
    words = ["--config", str(tmp_path / "absent.yaml"), "--choria-config", str(tmp_path / "absent.conf")]
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code, *words], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ended.returncode == run.WRONG
    assert [line.split(": ")[1] for line in ended.stderr.splitlines()] == ["error", "error"]


def test_the_help_of_usher_names_it(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    assert "usher --config FILE" in capsys.readouterr().out
