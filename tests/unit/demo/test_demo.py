"""`usher demo`: its options and its document."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from fsm.states import State
from usher.demo import Options, add_arguments, document
from usher.progress import Slowest, View
from usher.simulator.material import DemoSite
from usher.watch import End, Ending


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


def test_without_options_fifty_nodes_in_a_fresh_directory():
    args = parsed()
    assert (args.nodes, args.dir, args.keep, args.json, args.limit) == (50, None, False, False, None)


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "100001", ""])
def test_what_is_no_number_of_nodes_is_refused(text: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        parsed(f"--nodes={text}")
    assert ended.value.code == 2
    assert f"'{text}' is not a number of nodes between 1 and 100000" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "-inf", "1e999", "soon", ""])
def test_what_is_no_number_of_seconds_is_refused(text: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        parsed(f"--limit={text}")
    assert ended.value.code == 2
    assert f"'{text}' is not a number of seconds above 0" in capsys.readouterr().err
    assert parsed("--limit", "0.5").limit == 0.5


def test_the_document_says_how_it_ended_and_where_everything_is():
    options = Options(3, Path("/srv/demo"), keep=False, as_json=True, limit=60.0)
    view = View(3, {State.PROVISIONED: 2}, 1.23456)
    ending = Ending(End.LATE, view, "why", ("log",), Slowest("n1", 1.0))
    assert document(options, DemoSite(Path("/srv/demo"), "nats://127.0.0.1:1"), ending) == {
        "end": "late",
        "why": "why",
        "nodes": 3,
        "provisioned": 2,
        "seconds": 1.235,
        "states": {"unseen": 1, "provisioned": 2},
        "slowest": {"node": "n1", "seconds": 1.0},
        "directory": "/srv/demo",
        "state_directory": "/srv/demo/state",
    }
