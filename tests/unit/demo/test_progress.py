"""What is shown of a fleet's way: pure text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fsm.states import State
from usher.progress import Slowest, View, commands, happened, plain, redrawn, screen

seen = st.sampled_from([state for state in State if state is not State.UNSEEN])
counts = st.dictionaries(seen, st.integers(1, 10_000))
SOME = View(50, {State.PROVISIONED: 40, State.RESTARTED: 6, State.CONFIGURED: 2}, 12.4)


def test_a_line_says_who_has_arrived_and_where_the_others_are():
    assert plain(SOME) == "12 s: 40 of 50 provisioned; 6 restarted, 2 configured, 2 unseen"


def test_a_line_says_nothing_of_others_when_there_are_none():
    assert plain(View(3, {State.PROVISIONED: 3}, 1)) == "1 s: 3 of 3 provisioned"


def test_the_unseen_are_what_is_missing():
    assert View(50, {}, 0).count(State.UNSEEN) == 50
    assert SOME.count(State.UNSEEN) == 2
    assert View(2, {State.PROVISIONED: 3}, 0).count(State.UNSEEN) == 0


def test_it_is_complete_when_all_have_arrived_and_not_before():
    assert not SOME.complete
    assert View(50, {State.PROVISIONED: 50}, 1).complete


def test_a_screen_has_a_bar_for_each_state_on_the_way():
    lines = screen(SOME, "usher demo")
    assert lines[0] == "usher demo   40 of 50 provisioned, 12 s"
    assert [line.split()[0] for line in lines[1:]] == [
        "unseen", "discovered", "inventoried", "enrolled", "configured", "restarted", "provisioned",
    ]  # fmt: skip
    assert lines[-1].count("█") == round((80 - 11 - 12) * 40 / 50)
    assert lines[-1].endswith(" 40")


def test_states_off_the_way_are_shown_only_while_somebody_is_there():
    lines = screen(View(5, {State.FAILED: 1}, 0), "t")
    assert "failed" in lines[-1]
    assert not [line for line in screen(SOME, "t") if "failed" in line]


def test_whoever_is_there_has_a_block():
    lines = screen(View(10_000, {State.ENROLLED: 1}, 0), "t", block="#")
    assert "#" in lines[4]
    assert "#" not in lines[5]


@given(st.integers(1, 100_000), counts, st.floats(0, 1e6), st.integers(24, 200))
def test_every_line_fits(nodes: int, there: dict[State, int], seconds: float, width: int):
    lines = screen(View(nodes, there, seconds), "usher demo", width)
    assert all(len(line) < width for line in lines)
    assert len(lines) <= 1 + len(State)


def test_a_screen_is_drawn_over_the_one_before():
    assert redrawn(["a", "b"], 0) == "\r\x1b[Ja\nb\n"
    assert redrawn(["a"], 2) == "\x1b[2A\r\x1b[Ja\n"


def test_what_happened_is_said_with_rate_and_slowest():
    said = happened(View(50, {State.PROVISIONED: 50}, 10.0), Slowest("n7.example.net", 9.25))
    assert said == [
        "50 nodes were provisioned in 10.0 s (300 a minute).",
        "The slowest was n7.example.net: 9.2 s from the first sight to the last.",
        "Ten seconds of each are the two looks with which usher makes sure that the server left.",
    ]


def test_the_commands_have_the_real_directory():
    assert all("--state /srv/demo/state" in line for line in commands("/srv/demo/state", "n1"))
    assert any(" why n1 " in line for line in commands("/srv/demo/state", "n1"))
