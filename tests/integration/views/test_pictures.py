"""`usher diagram` over a real database: every picture in every format, as it was then, and every wrong question."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import shutil
import subprocess
import sys
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from fsm.states import ENDS, PHASES, WAITING, State
from store.reader import open_reader
from tests.architecture.house import ROOT
from tests.fakes.written import LIVES, write_database
from usher import graphviz
from usher.cli import main
from usher.state import DATABASE
from usher.views import diagram
from usher.views.text import utc

AT = 1_796_000_000_000
SEEN = AT - 300_000 + 1000
"""When each of the six nodes was first seen."""
ALL = (["--full"], ["--effects"], ["--counts"], ["--node", "web2.example.net"], [])
SVG = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}"
needs_graphviz = pytest.mark.skipif(shutil.which(graphviz.PROGRAM) is None, reason="needs dot of Graphviz")


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> Path:
    return asyncio.run(write_database(tmp_path_factory.mktemp("state"), AT))


@pytest.fixture
def ask(capsys, state):
    """Ask, and get what was answered, or what was said against it."""

    def asked(*words: object, code: int = 0, state: Path = state) -> str:
        assert main(["diagram", *map(str, words), "--state", str(state)]) == code
        got = capsys.readouterr()
        assert bool(got.err) is bool(code)
        assert got.err.count("\n") == bool(code)
        return got.err if code else got.out

    return asked


def iso(at: int) -> str:
    return str(utc(at))


# -- what is drawn ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ALL, ids=" ".join)
@pytest.mark.parametrize("form", ["mermaid", "dot", "json"])
def test_the_same_question_gets_the_same_bytes(ask, words, form):
    at = ["--at", iso(AT)] if {"--counts", "--node"} & set(words) else []
    assert ask(*words, *at, "--format", form) == ask(*words, *at, "--format", form)


def test_a_path_has_its_states_times_and_failures(ask):
    made = json.loads(ask("--node", "web2.example.net", "--json"))
    nodes = {node["name"]: node for node in made["nodes"]}
    assert [name for name, node in nodes.items() if not node["faint"]] == [
        "unseen", "discovered", "inventoried", "failed",
    ]  # fmt: skip
    assert [note["text"] for note in nodes["discovered"]["notes"]] == ["00:48:21 for 3s"]
    assert [note["text"] for note in nodes["inventoried"]["notes"]] == [
        "00:48:24 for 2s", "✗ run_helper was refused", "   helper_failed",
    ]  # fmt: skip
    assert [note["text"] for note in nodes["failed"]["notes"]] == ["00:48:26 and is here"]
    assert [(edge["source"], edge["target"], edge["label"]) for edge in made["edges"]] == [
        ("unseen", "discovered", "1"), ("discovered", "inventoried", "4"), ("inventoried", "failed", "6"),
    ]  # fmt: skip
    assert [(line["seq"], line["row"]) for line in made["lines"]] == [
        (1, "first-seen"),
        (4, "inventoried"),
        (6, "fail"),
    ]
    assert made["node"] == "web2.example.net"
    assert nodes["failed"]["here"]


def test_a_path_as_it_was(ask):
    made = json.loads(ask("--node", "web1.example.net", "--at", iso(SEEN + 4000), "--json"))
    assert [node["name"] for node in made["nodes"] if node["here"]] == ["inventoried"]
    assert made["at"] == iso(SEEN + 4000)
    assert f"as it was at {iso(SEEN + 4000)[:19]}Z" in made["under"]


def test_the_fleet_by_state(ask):
    made = json.loads(ask("--counts", "--json"))
    counts = {node["name"]: node["count"] for node in made["nodes"] if node["count"]}
    assert counts == {"discovered": 1, "inventoried": 1, "provisioned": 1, "deferred": 1, "failed": 2}
    notes = {node["name"]: [note["text"] for note in node["notes"]] for node in made["nodes"]}
    assert notes["failed"] == ["33.3 %", "helper_failed: 1", "quarantined: 1"]
    assert notes["discovered"] == ["16.6 %", "waiting for their turn: 1"]


def test_the_fleet_as_it_was_is_what_a_walk_through_the_history_finds(state, ask):
    """At every moment at which anything happened, and between two of them."""
    with open_reader(state / DATABASE) as reader:
        rows = reader.following(0, 1000)
        for at in sorted({row.at + more for row in rows for more in (0, 500)}):
            then: dict[str, State] = {}
            for row in rows[: reader.before(at + 1)]:
                then[row.node] = row.target
            expected = {each: list(then.values()).count(each) for each in set(then.values())}
            assert reader.counts_at(at) == expected
    assert json.loads(ask("--counts", "--at", iso(AT), "--json"))["title"] == "usher: a fleet of 6 nodes"


def test_steps_have_their_features_ports_and_what_may_be_done(ask):
    nodes = {node["name"]: node for node in json.loads(ask("--effects", "--json"))["nodes"]}
    said = [note["text"] for note in nodes["configured.restart"]["notes"]]
    assert said == ["rpc, 3 tries, changes the node", "outcome not known: looked for"]
    assert "discovered_fetch_jwt : if jwt\n" in ask("--effects")


def test_the_format_is_what_the_file_ends_in(ask, tmp_path):
    for ending, begins in (
        ("dot", "digraph"),
        ("gv", "digraph"),
        ("json", "{"),
        ("mmd", "stateDiagram"),
        ("md", "state"),
    ):
        assert ask("--out", tmp_path / f"a.{ending}") == ""
        assert (tmp_path / f"a.{ending}").read_text(encoding="utf-8").startswith(begins)


def test_the_machine_needs_no_database(ask, tmp_path):
    assert ask(state=tmp_path / "none") == diagram.text("mermaid", full=False)


# -- with Graphviz ----------------------------------------------------------------------------------------------------


@needs_graphviz
@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_graphviz_draws_each_without_a_warning(ask, tmp_path, words):
    ask(*words, "--out", tmp_path / "a.svg")
    ask(*words, "--out", tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG\r\n")
    drawn = ET.parse(tmp_path / "a.svg").getroot()  # noqa: S314 our own picture
    wide, high = (float(drawn.get(each, "").removesuffix("pt")) for each in ("width", "height"))
    assert 1.2 < wide / high < 3
    done = subprocess.run(
        [graphviz.PROGRAM, "-Tplain"], input=ask(*words, "--format", "dot"), capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


@needs_graphviz
@pytest.mark.parametrize("asked", [[], ["--full"], ["--counts"], ["--node", "web1.example.net"]], ids=" ".join)
def test_graphviz_leaves_everything_in_its_place(ask, asked):
    text = ask(*asked, "--format", "dot")
    done = subprocess.run([graphviz.PROGRAM, "-Tplain"], input=text, capture_output=True, text=True, check=True)
    places = {}
    for line in done.stdout.splitlines():
        words = line.split()
        if words[0] == "node" and words[1] in {*State, "any"}:
            x, y, wide, high = map(float, words[2:6])
            places[words[1]] = (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)
    line = [places[state] for state in PHASES]
    assert len({round(box[3], 2) for box in line}) == 1
    assert all(left[2] < right[0] for left, right in pairwise(line))
    assert all(places[state][3] < min(box[1] for box in line) for state in WAITING)
    assert all(places[state][0] > line[-1][2] for state in ENDS)
    for one, other in combinations(places.values(), 2):
        assert one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1]


@needs_graphviz
def test_a_row_tells_its_sentence_in_the_picture(ask, tmp_path):
    ask("--out", tmp_path / "a.svg")
    drawn = ET.parse(tmp_path / "a.svg").getroot()  # noqa: S314 our own picture
    told = [link.get(f"{XLINK}title", "") for link in drawn.iter(f"{SVG}a")]
    assert any(tip.startswith("defer (done) [") and "the helper said later" in tip for tip in told)
    assert "discovered: it was seen and waits to be admitted, or is being read" in told


@needs_graphviz
def test_a_picture_goes_into_a_pipe_and_never_to_a_terminal():
    command = [sys.executable, "-P", "-m", "usher", "diagram", "--format", "png"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.startswith(b"\x89PNG")
    ours, theirs = pty.openpty()
    done = subprocess.run(command, cwd=ROOT, stdout=theirs, stderr=subprocess.PIPE, check=False)
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 2
    assert done.stderr.decode() == (
        "usher: a PNG is nothing for a terminal: name a file with --out FILE, or send it into a pipe\n"
    )


# -- wrong questions --------------------------------------------------------------------------------------------------


def test_a_node_that_never_existed(ask):
    said = ask("--node", "web2.example.com", code=1)
    assert said.startswith("usher: no node is known by the name web2.example.com; did you mean web2.example.net")


def test_a_time_before_the_first_row(ask):
    for words in (["--node", "web2.example.net"], ["--counts"]):
        said = ask(*words, "--at", iso(SEEN - 1), code=2)
        assert said.startswith("usher: nothing is recorded of ")
        assert "; the first row that is kept is of " in said


def test_a_time_before_the_node(ask, tmp_path):
    lives = {"a.example.net": LIVES["web1.example.net"]}
    folder = asyncio.run(write_database(tmp_path, AT, lives=lives))
    asyncio.run(write_database(folder, AT + 600_000, lives={"b.example.net": LIVES["web3.example.net"]}))
    said = ask("--node", "b.example.net", "--at", iso(AT), code=1, state=folder)
    assert said.startswith("usher: b.example.net has no history at ")


def test_a_time_that_is_to_come_and_one_that_is_none(ask, capsys):
    assert "is still to come" in ask("--counts", "--at", "2999-01-01", code=2)
    with pytest.raises(SystemExit, match="2"):
        main(["diagram", "--counts", "--at", "soon"])
    assert "'soon' is no time" in capsys.readouterr().err


def test_a_time_without_anything_that_has_one(ask):
    assert ask("--at", "1h", code=2).startswith("usher: --at needs --node NODE or --counts")


def test_two_pictures_at_once(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["diagram", "--counts", "--effects"])
    assert "not allowed with argument" in capsys.readouterr().err


def test_no_database(ask, tmp_path):
    for words in (["--counts"], ["--node", "a"]):
        said = ask(*words, code=2, state=tmp_path / "none")
        assert said.startswith(f"usher: there is no database in {tmp_path / 'none'}")


def test_an_ending_that_is_no_format(ask, tmp_path):
    said = ask("--out", tmp_path / "a.jpg", code=2)
    assert said == "usher: no format ends in .jpg: say --format with one of mermaid, dot, json, svg, png\n"


def test_a_file_that_exists_is_not_written_over(ask, tmp_path):
    (tmp_path / "a.dot").write_text("mine")
    said = ask("--out", tmp_path / "a.dot", code=2)
    assert said == (
        f"usher: {tmp_path / 'a.dot'} exists, and is not written over: remove it, or name another file with --out\n"
    )
    assert (tmp_path / "a.dot").read_text() == "mine"


@pytest.mark.parametrize("out", ["none/a.dot", "a\0.dot"])
def test_a_file_that_cannot_be_written(ask, tmp_path, out):
    said = ask("--out", f"{tmp_path}/{out}", code=2)
    assert "cannot be written (" in said
    assert said.endswith("): name another file with --out\n")


def test_without_graphviz_the_next_step_is_named(ask, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    said = ask("--format", "svg", code=2)
    assert said.startswith("usher: dot of Graphviz is not on the PATH, and svg needs it: install graphviz; or ")
    ask("--out", tmp_path / "a.svg", code=2)
    assert not (tmp_path / "a.svg").exists()
