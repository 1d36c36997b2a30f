"""`usher diagram` over a real database: every picture in every format, and as it was then."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import shutil
import subprocess
import sys
from itertools import combinations, pairwise
from xml.etree import ElementTree as ET

import pytest

from fsm.events import Certainty, Due, DueKind
from fsm.reasons import Reason
from fsm.states import ENDS, PHASES, WAITING, State
from store.reader import PAGE, open_reader
from tests.architecture.house import ROOT
from tests.fakes.written import Author, write_database
from tests.integration.views.conftest import AT, SEEN, iso
from usher import graphviz
from usher.state import DATABASE
from usher.views import diagram

ALL = (["--full"], ["--effects"], ["--counts"], ["--node", "web2.example.net"], [])
SVG = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}"
needs_graphviz = pytest.mark.skipif(shutil.which(graphviz.PROGRAM) is None, reason="needs dot of Graphviz")


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


async def restless(author: Author) -> None:
    """A node whose helper fails again and again: more rows than a page."""
    for _ in range(60):
        await (author.due() if author.snapshot.awaited else author.seen())
        await author.tell(Due(DueKind.ADMIT))
        await author.read()
        await author.failed(Certainty.REFUSED, Reason.HELPER_FAILED, transient=False)


def test_a_long_path_tells_the_newest_and_counts_the_others(ask, tmp_path):
    folder = asyncio.run(write_database(tmp_path, AT, lives={"a.example.net": restless}))
    made = json.loads(ask("--node", "a.example.net", "--json", state=folder))
    assert made["lines"][-1]["seq"] == 360 > PAGE
    nodes = {node["name"]: [note["text"] for note in node["notes"]] for node in made["nodes"]}
    assert nodes["inventoried"][:2] == ["60 visits, 2m in all", "57 earlier"]
    assert nodes["inventoried"][-2:] == ["✗ run_helper was refused 60 times", "   helper_failed"]
    assert len(nodes["failed"]) == 5
    labels = {(edge["source"], edge["target"]): edge["label"] for edge in made["edges"]}
    assert labels["inventoried", "failed"] == "354, 360 +58"


def test_the_fleet_by_state(ask):
    made = json.loads(ask("--counts", "--json"))
    counts = {node["name"]: node["count"] for node in made["nodes"] if node["count"]}
    assert counts == {"discovered": 1, "inventoried": 1, "provisioned": 1, "deferred": 1, "failed": 2}
    notes = {node["name"]: [note["text"] for note in node["notes"]] for node in made["nodes"]}
    assert notes["failed"] == ["33.3 %", "helper_failed: 1", "quarantined: 1"]
    assert notes["discovered"] == ["16.6 %", "waiting for their turn: 1"]


def test_the_fleet_as_it_was_is_what_a_walk_through_the_history_finds(pictured, ask):
    """At every moment at which anything happened, and between two of them."""
    with open_reader(pictured / DATABASE) as reader:
        rows = reader.following(0, 1000)
        for at in sorted({row.at + more for row in rows for more in (0, 500)}):
            then: dict[str, State] = {}
            for row in rows[: reader.before(at + 1)]:
                then[row.node] = row.target
            expected = {each: list(then.values()).count(each) for each in set(then.values())}
            assert reader.counts_at(at, limit=4) == expected
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
