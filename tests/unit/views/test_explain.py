"""Explanations: every code has its three lines, and what fails is grouped with a node to look at."""

from __future__ import annotations

import asyncio
import json
import shlex
from pathlib import Path

import pytest

from fsm.reasons import WHAT, Reason
from tests.fakes.written import write_database
from usher import cli
from usher.advice import ADVICE

NOW = 1_795_200_000_000


@pytest.mark.parametrize("reason", Reason)
def test_every_code_has_its_three_lines(reason: Reason, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["explain", reason.value]) == 0
    what, likely, do = capsys.readouterr().out.splitlines()
    assert what == f"{reason.value}: {WHAT[reason]}"
    assert likely == f"  likely: {ADVICE[reason].cause}"
    assert do == f"  do: {ADVICE[reason].command}"


@pytest.mark.parametrize("reason", Reason)
def test_a_command_of_usher_is_one(reason: Reason, capsys: pytest.CaptureFixture[str]):
    words = shlex.split(ADVICE[reason].command)
    if words[0] == "usher":
        with pytest.raises(SystemExit) as ended:
            cli.main([*words[1 : 3 if words[1] in {"nodes", "db"} else 2], "--help"])
        assert ended.value.code == 0
        said = capsys.readouterr().out
        assert all(word in said for word in words if word.startswith("--"))


def test_without_a_code_it_explains_all_of_them(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["explain", "--json"]) == 0
    assert [each["reason"] for each in json.loads(capsys.readouterr().out)] == [reason.value for reason in Reason]


def test_a_code_that_does_not_exist(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        cli.main(["explain", "helper_faild"])
    assert ended.value.code == 2
    assert "did you mean helper_failed?" in capsys.readouterr().err


def test_what_fails_is_grouped_by_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    asyncio.run(write_database(tmp_path, NOW))
    assert cli.main(["errors", "--state", str(tmp_path), "--json"]) == 0
    groups = {group["reason"]: group for group in json.loads(capsys.readouterr().out)}
    assert {reason: group["sample"] for reason, group in groups.items()} == {
        "deferred": "db1.example.net", "quarantined": "db2.example.net", "helper_failed": "web2.example.net",
    }  # fmt: skip
    assert (groups["quarantined"]["held"], groups["quarantined"]["nodes"]) == (1, 1)
    assert cli.main(["errors", "--state", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("REASON ")
    assert "usher explain deferred" in said


def test_where_nothing_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    asyncio.run(write_database(tmp_path, NOW, lives={}))
    assert cli.main(["errors", "--state", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "no node is failed or deferred\n"
