"""Lists and histories as lines, wide and narrow."""

from __future__ import annotations

import argparse
from dataclasses import replace

import pytest

from fsm.effects import Effect
from fsm.events import Certainty
from fsm.reasons import Reason
from fsm.states import State
from store.views import NodeView
from usher.views import common, history, nodes_list
from usher.views.documents import brief
from usher.views.past import Ended, Opened, Past
from usher.views.text import columns, local

NOW = 1_763_674_535_000
VIEW = NodeView(
    "web1.example.net", State.DISCOVERED, 1, 2, NOW - 65_000, None, None, None, None, held=False, active=True
)
PAST = Past(
    7, NOW, 1, 1, 6, "failed", "fail", State.INVENTORIED, State.FAILED,
    Ended(Effect.RUN_HELPER, 1, Certainty.REFUSED, Reason.HELPER_FAILED), None, "no such datacentre", "one\n\x1b[2J\n",
)  # fmt: skip


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (VIEW, "its turn"),
        (replace(VIEW, doing=Effect.FETCH_JWT), "fetch_jwt is under way"),
        (replace(VIEW, due_at=NOW + 5000, due_kind="retry"), "retry in 5s"),
        (replace(VIEW, state=State.FAILED, held=True), "held until released"),
        (replace(VIEW, state=State.PROVISIONED, active=False), "-"),
    ],
)
def test_what_comes_next_in_a_few_words(view, said):
    assert nodes_list.following(view, NOW) == said


def test_a_list_is_a_header_and_a_line_a_node():
    assert list(nodes_list.lines([VIEW, replace(VIEW, reason=Reason.ABSENT, held=True)], NOW, None)) == [
        "NODE              STATE       FOR    GEN  REASON  NEXT",
        "web1.example.net  discovered  1m 5s  1    -       its turn",
        "web1.example.net  discovered  1m 5s  1    absent  held until released",
    ]


def test_a_long_list_has_one_header():
    lines = list(nodes_list.lines((VIEW for _ in range(nodes_list.PAGE + 3)), NOW, None))
    assert len(lines) == nodes_list.PAGE + 4
    assert [line for line in lines if line.startswith("NODE")] == lines[:1]


def test_an_empty_list_says_so():
    assert list(nodes_list.lines([], NOW, 80)) == ["no node is like that"]


def test_a_transition_is_a_line_with_what_the_helper_printed_below():
    lines = list(history.lines([PAST], None))
    assert lines[1] == (
        f"{local(NOW, 'milliseconds')}  6    1    failed  fail  inventoried -> failed  "
        "run_helper refused (helper_failed)  no such datacentre"
    )
    assert lines[2:4] == ["    note | one", "    note | \\x1b[2J"]
    assert lines[4] == "(from seq 6: earlier lines are not shown, see --limit)"


def test_a_narrow_terminal_gets_two_lines_and_nothing_wider():
    lines = list(history.lines([PAST], 60))
    assert lines[1:3] == ["    run_helper refused (helper_failed)", "    no such datacentre"]
    assert all(columns(line) <= 60 for line in lines)


def test_a_history_that_is_whole_says_nothing_of_earlier_lines():
    assert len(list(history.lines([replace(PAST, seq=1, note="")], None))) == 2


def test_an_empty_history_says_so():
    assert list(history.lines([], None)) == ["nothing of its history is kept"]


@pytest.mark.parametrize(
    ("past", "said"),
    [
        (replace(PAST, ended=Ended(Effect.LOOK, 1)), "look done"),
        (replace(PAST, ended=None, opened=Opened(Effect.LOOK, 1, "done")), "opens look"),
        (replace(PAST, ended=None, opened=Opened(Effect.LOOK, 3, "started")), "opens look (try 3), started"),
        (replace(PAST, ended=None, opened=Opened(Effect.NEW_KEY, 1, "abandoned")), "opens new_key, abandoned"),
        (
            replace(PAST, ended=Ended(Effect.NEW_KEY, 1), opened=Opened(Effect.RUN_HELPER, 1, "failed")),
            "new_key done; opens run_helper",
        ),
        (replace(PAST, ended=None), ""),
    ],
)
def test_an_effect_is_told_by_how_it_ended_and_what_it_opened(past, said):
    assert history.effect(past) == said


def test_a_document_of_a_list_has_times_in_utc():
    assert brief(replace(VIEW, due_at=NOW, due_kind="retry", doing=Effect.LOOK, reason=Reason.ABSENT)) == {
        "node": "web1.example.net", "state": "discovered", "since": "2025-11-20T21:34:30.000Z", "generation": 1,
        "seq": 2, "held": False, "reason": "absent", "doing": "look",
        "awaited": {"kind": "retry", "at": "2025-11-20T21:35:35.000Z"}, "waits_for_admission": False,
        "network": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        ("web1", ["web1.example.net"]),
        ("web", ["web1.example.net", "web2.example.net"]),
        ("example.net", ["db1.example.net", "web1.example.net", "web2.example.net"]),
        ("wbe1.example.net", ["web1.example.net"]),
        ("", []),
        ("mail.test", []),
    ],
)
def test_the_nearest_names(typed, near):
    names = ["db1.example.net", "web1.example.net", "web2.example.net"]
    assert common.nearest(typed, names)[: len(near) or 3] == near


@pytest.mark.parametrize("typed", ["0", "-1", "x", "", "1e3", "9" * 40])
def test_a_number_of_lines_is_checked(typed):
    with pytest.raises(argparse.ArgumentTypeError):
        common.count(typed)


@pytest.mark.parametrize(
    ("width", "limit", "beyond", "lines", "more"),
    [(120, None, 1, 1, True), (None, None, 1, 2, False), (120, 2000, 1, 2, False), (120, None, 0, 1, False)],
)
def test_a_terminal_gets_the_beginning_of_a_long_list(width, limit, beyond, lines, more):
    found = [replace(VIEW, node=f"n{number}") for number in range(nodes_list.READABLE + beyond)]
    told = list(nodes_list.bounded(found, NOW, width, limit))
    assert told[-1].startswith("(the first 1000 by name") is more
    assert len(told) == nodes_list.READABLE + lines + more
