"""The reading commands over a real database, with a daemon's connection open and without one."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from diagrams import document, dot, mermaid
from diagrams.model import draw
from store.repository import open_store
from tests.architecture.house import ROOT
from tests.fakes.written import ENTROPY, LIVES, write_database
from usher.cli import main
from usher.state import DATABASE
from usher.views import common


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    return asyncio.run(write_database(folder, common.now()))


def answered(capsys, *words: str | Path, code: int = 0) -> str:
    assert main([str(word) for word in words]) == code
    got = capsys.readouterr()
    assert bool(got.err) is bool(code)
    return got.err if code else got.out


def test_the_list_is_by_name(capsys, state):
    lines = answered(capsys, "nodes", "list", "--state", state).splitlines()
    assert [line.split()[0] for line in lines] == ["NODE", *sorted(LIVES)]
    assert lines[2].endswith("held until released")
    assert "run_helper is under way" in lines[6]


@pytest.mark.parametrize(
    ("filters", "nodes"),
    [
        (["--in", "failed"], ["db2.example.net", "web2.example.net"]),
        (["--in", "FAILED", "--reason", "helper_failed"], ["web2.example.net"]),
        (["--reason", "deferred"], ["db1.example.net"]),
        (["--older-than", "1m", "--limit", "2"], ["db1.example.net", "db2.example.net"]),
        (["--older-than", "1h"], []),
        (["--in", "gone"], []),
    ],
)
def test_filters(capsys, state, filters, nodes):
    listed = json.loads(answered(capsys, "nodes", "list", "--json", "--state", state, *filters))
    assert [each["node"] for each in listed] == nodes


@pytest.mark.parametrize("node", sorted(LIVES))
def test_every_node_has_its_story(capsys, state, node):
    told = answered(capsys, "nodes", "why", node, "--state", state)
    document = json.loads(answered(capsys, "nodes", "why", node, "--json", "--state", state))
    assert told.startswith(f"{node} is {document['state']} (")
    assert f"The row {document['row']['row']} brought it there" in told
    assert document["sentences"]["awaited"][:20] in told


def test_the_story_of_a_failure_names_reason_words_and_next_try(capsys, state):
    told = answered(capsys, "nodes", "why", "web2.example.net", "--state", state)
    assert 'helper_failed (the helper ended with an error), in the words "it ended with exit status 1; what' in told
    assert "Generation 2, which starts from the beginning, is due " in told


def test_the_story_of_a_provisioned_node_names_its_evidence(capsys, state):
    assert "The evidence is that it left" in answered(capsys, "nodes", "why", "web1.example.net", "--state", state)


def test_show_has_what_is_held_and_no_entropy(capsys, state):
    shown = answered(capsys, "nodes", "show", "web1.example.net", "--state", state)
    document = json.loads(answered(capsys, "nodes", "show", "web1.example.net", "--json", "--state", state))
    assert document["facts"]["inventory"]["version"] in shown
    assert document["provisioned_at"].endswith("Z")
    under_way = json.loads(answered(capsys, "nodes", "show", "web4.example.net", "--json", "--state", state))
    assert under_way["doing"]["effect"] == "run_helper"
    assert "entropy" not in json.dumps(under_way)
    assert ENTROPY.hex() not in json.dumps([document, under_way]) + shown


def test_history_has_a_line_a_transition_and_nothing_of_what_the_helper_printed(capsys, state):
    lines = answered(capsys, "history", "web2.example.net", "--state", state).splitlines()
    assert [line.split()[1] for line in lines[1:7]] == ["1", "2", "3", "4", "5", "6"]
    assert "opens fetch_jwt" in lines[2]
    assert "run_helper refused (helper_failed)" in lines[6]
    assert "it ended with exit status 1; what it said is sealed: usher nodes output NODE" in lines[6]
    assert len(lines) == 7
    assert "datacentre" not in "".join(lines)


def test_history_in_json_has_sentences_and_effects(capsys, state):
    past = json.loads(answered(capsys, "history", "web4.example.net", "--json", "--state", state))
    assert [line["seq"] for line in past] == [1, 2, 3, 4, 5]
    assert past[0]["sentence"] == "a node that nobody knows joins the waiting room"
    assert past[-1]["opened"] == {
        "effect": "run_helper", "tries": 1, "status": "intended", "certainty": None, "reason": None,
    }  # fmt: skip


def test_an_abandoned_effect_says_so(capsys, state):
    past = json.loads(answered(capsys, "history", "db2.example.net", "--json", "--state", state))
    assert [line["opened"] and line["opened"]["status"] for line in past] == [None, "abandoned", None]
    assert past[-1]["detail"] == "anna: disk errors"


def test_the_newest_lines_are_what_a_limit_keeps(capsys, state):
    lines = answered(capsys, "history", "web1.example.net", "--limit", "2", "--state", state).splitlines()
    assert [line.split()[1] for line in lines[1:3]] == ["12", "13"]
    assert lines[3].startswith("(from seq 12: ")


@pytest.mark.parametrize("words", [["nodes", "why"], ["nodes", "show"], ["history"]])
def test_a_node_that_nobody_knows_is_refused_with_the_nearest_names(capsys, state, words):
    said = answered(capsys, *words, "web1", "--state", state, code=1)
    assert said == "usher: no node is known by the name web1; did you mean web1.example.net?\n"
    said = answered(capsys, *words, "zzz\x1b[2J", "--state", state, code=1)
    assert said == "usher: no node is known by the name zzz\\x1b[2J: usher nodes list lists those that are known\n"


@pytest.mark.parametrize("words", [["nodes", "list"], ["nodes", "why", "x"], ["nodes", "show", "x"], ["history", "x"]])
def test_without_a_database_the_next_step_is_named(capsys, tmp_path, words):
    said = answered(capsys, *words, "--state", tmp_path / "none", code=2)
    assert said == (
        f"usher: there is no database in {tmp_path / 'none'}: start usher there first (usher run), "
        "or name its directory with --state DIR\n"
    )


def test_what_is_no_database_is_refused(capsys, tmp_path):
    (tmp_path / DATABASE).write_text("not a database " * 100)
    said = answered(capsys, "nodes", "list", "--state", tmp_path, code=2)
    assert f"{tmp_path / DATABASE} is no SQLite database" in said
    assert said.count("\n") == 1


def test_a_state_instead_of_a_directory_is_explained(capsys):
    said = answered(capsys, "nodes", "list", "--state", "failed", code=2)
    assert said.endswith("usher nodes list --in failed\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--in", "faild"], "'faild' is no state; did you mean failed?"),
        (["--reason", "helper_fail"], "'helper_fail' is no reason; did you mean helper_failed?"),
        (["--older-than", "soon"], "'soon' is no length of time, such as 90s, 1h30m or 2d"),
        (["--limit", "all"], "'all' is not a number of lines, such as 50"),
    ],
)
def test_a_wrong_filter_is_named_with_the_right_one(capsys, words, said):
    with pytest.raises(SystemExit) as ended:
        main(["nodes", "list", *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


async def test_a_daemon_at_work_is_not_disturbed(capsys, tmp_path):
    await write_database(tmp_path, common.now(), paused=True)
    store = open_store(tmp_path / DATABASE)
    try:
        told = answered(capsys, "nodes", "why", "web3.example.net", "--state", tmp_path)
        assert 'by anna, in the words "the broker is moved": it begins nothing.' in told
        assert await store.begin_epoch() == 2
    finally:
        await store.close()


def test_diagrams_are_what_the_room_draws(capsys):
    assert answered(capsys, "diagram") == mermaid.render(draw())
    assert answered(capsys, "diagram", "--full", "--format", "dot") == dot.render(draw(full=True))
    assert answered(capsys, "diagram", "--json") == document.render(draw())


def usher(state: Path, *words: str, **options: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "STATE_DIRECTORY": str(state), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-m", "usher", *words]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload]


def test_who_stops_reading_ends_the_command_without_a_word(state):
    reading, writing = os.pipe()
    os.close(reading)
    process = usher(state, "nodes", "list", stdout=writing)
    os.close(writing)
    assert (process.communicate()[1], process.returncode) == (b"", 141)


def test_a_full_disk_is_one_sentence(state):
    with Path("/dev/full").open("wb") as full:
        process = usher(state, "history", "web1.example.net", stdout=full)
        said = process.communicate()[1]
    assert (said, process.returncode) == (b"usher: the answer could not be written: No space left on device\n", 2)


def test_a_terminal_that_knows_only_ascii_gets_escapes(tmp_path):
    out = tmp_path / "out"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-m", "usher", "diagram", "--full"]
    with out.open("wb") as file:
        assert subprocess.run(command, env=environment, stdout=file, check=False).returncode == 0
    assert b"\\u21ba admit" in out.read_bytes()
