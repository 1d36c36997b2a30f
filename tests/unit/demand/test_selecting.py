"""Whom an operator means: names, files, what usher knows; and what is refused with its line."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

from fsm.states import State
from tests.unit.fsm.scenes import Scene, reached
from usher.demand.selecting import Filters, SelectionError, at_home, filters_of, named

YEAR_2027 = 1_826_738_754_000


def test_names_come_from_arguments_and_files_with_comments_and_in_order(tmp_path: Path):
    file = tmp_path / "nodes"
    file.write_text("# the first rack\nweb1.example.net  web2.example.net # and its twin\n\nweb3\n")
    assert named(["db1"], [str(file)]) == ["db1", "web1.example.net", "web2.example.net", "web3"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "{file}: it names no node"),
        (b"# nobody\n", "{file}: it names no node"),
        (b"\x7fELF\x02\xff\xfe", "{file}: it is not text: a list of names was expected, one a line"),
        (b"web1\nweb*\n", "{file} line 2: 'web*' cannot be a node's name"),
        (b"web1\n\x1b[31mred\n", "{file} line 2: '\\\\x1b[31mred' cannot be a node's name"),
        (b"a..b", "{file} line 1: 'a..b' cannot be a node's name"),
    ],
)
def test_a_file_that_is_no_list_of_names_is_refused_with_its_line(tmp_path: Path, content: bytes, said: str):
    file = tmp_path / "nodes"
    file.write_bytes(content)
    with pytest.raises(SelectionError) as refused:
        named([], [str(file)])
    assert str(refused.value) == said.format(file=file)


def test_a_file_that_is_not_there_or_a_directory_is_said(tmp_path: Path):
    for path, words in ((tmp_path / "missing", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(SelectionError, match=words):
            named([], [str(path)])


def test_a_filter_takes_by_state_end_and_version():
    node, stranger = reached(State.PROVISIONED).snapshot, Scene().hint().snapshot
    assert Filters(state=State.PROVISIONED).take(node)
    assert not Filters(state=State.FAILED).take(node)
    assert Filters(ends_before=YEAR_2027).take(node)
    assert not Filters(ends_before=YEAR_2027 - 1).take(node)
    assert Filters(version="0.30.2").take(node)
    assert not Filters(version="0.30.1").take(node)
    assert not Filters(ends_before=YEAR_2027).take(stranger)
    assert not Filters(version="0.30.2").take(stranger)


def test_a_network_takes_its_own_and_the_first_those_of_before_there_were_any():
    def taken(chosen: str, first: str) -> list[str]:
        args = Namespace(in_state=None, expiring=None, version=None, network=chosen)
        filters = filters_of(args, 0, first)
        assert filters.given
        return [name for name in ("", "east", "west") if filters.take(replace(node, network=name))]

    node = reached(State.PROVISIONED).snapshot
    assert taken("east", "east") == ["", "east"]
    assert taken("west", "east") == ["west"]
    assert taken("west", "") == ["west"]


def test_who_answers_elsewhere_than_in_its_own_network_is_left_out_and_counted():
    node = reached(State.PROVISIONED).snapshot
    records = {"old": node, "own": replace(node, network="west"), "other": replace(node, network="west")}
    found = {"east": ["old", "own", "stranger", "other"], "west": ["own", "old", "stranger"]}
    assert at_home(records.get, found, "east") == (["old", "stranger", "own"], 1)
    assert at_home(records.get, {"": ["old", "stranger"]}, "") == (["old", "stranger"], 0)
